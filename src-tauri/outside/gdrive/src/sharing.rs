//! Permissions: who may open a file or folder.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::drive::checked;
use crate::{Class, Drive, Error};

const FIELDS: &str = "id,type,emailAddress,role,expirationTime";

/// One permission of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// What it is taken back by. The same address has the same id on a file.
    pub id: String,
    /// `user`, `group`, `domain` or `anyone`.
    pub kind: String,
    /// Of the user or group; empty for the others.
    pub email: String,
    /// `reader`, `commenter`, `writer`, `fileOrganizer`, `organizer` or `owner`.
    pub role: String,
    /// When Drive ends it, ms; `None` = never.
    pub expires_at: Option<i64>,
}

/// How a permission is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShareOptions {
    /// When it is to end, ms; at most a year ahead. Not every account may ask for it.
    pub expires_at: Option<i64>,
    /// Lets Google write to the address.
    pub notify: bool,
    /// Words for that mail, plain text.
    pub message: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Given {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    email_address: String,
    role: String,
    expiration_time: Option<String>,
}

impl From<Given> for Permission {
    fn from(given: Given) -> Self {
        let expires_at = given.expiration_time.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        Self {
            id: given.id,
            kind: given.kind,
            email: given.email_address,
            role: given.role,
            expires_at: expires_at.map(jiff::Timestamp::as_millisecond),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermissionPage {
    next_page_token: Option<String>,
    #[serde(default)]
    permissions: Vec<Given>,
}

impl Drive {
    /// Lets `email` read a file, or a folder with all that is in it. Giving twice gives the same permission.
    ///
    /// # Errors
    /// As every call; `CannotExpire`, `NeedsNotification` ask for other options, after `Unclear` look at
    /// [`permissions`](Self::permissions) first, `SharingQuota` asks for hours of rest.
    pub async fn share(&self, file: &str, email: &str, options: &ShareOptions) -> Result<Permission, Error> {
        let notify = if options.notify { "true" } else { "false" };
        let mut query =
            vec![("sendNotificationEmail", notify), ("supportsAllDrives", "true"), ("fields", FIELDS)];
        if let Some(message) = options.message.as_deref().filter(|_| options.notify) {
            query.push(("emailMessage", message));
        }
        let url = self.ends.api(&format!("/files/{}/permissions", checked(file)?), &query)?;
        let mut body = json!({ "type": "user", "role": "reader", "emailAddress": email });
        if let Some(at) = options.expires_at {
            let at = jiff::Timestamp::from_millisecond(at)
                .map_err(|_| Error::denied("expirationTime", "the end of access is no time"))?;
            body["expirationTime"] = at.to_string().into();
        }
        let given: Given = self.json("share", Method::POST, url, Some(&body)).await?;
        if given.id.is_empty() {
            return Err(Error::unreadable("share"));
        }
        Ok(given.into())
    }

    /// Every permission of a file or folder.
    ///
    /// # Errors
    /// As every call.
    pub async fn permissions(&self, file: &str) -> Result<Vec<Permission>, Error> {
        let path = format!("/files/{}/permissions", checked(file)?);
        let fields = format!("nextPageToken,permissions({FIELDS})");
        let mut permissions = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut query =
                vec![("fields", fields.as_str()), ("pageSize", "100"), ("supportsAllDrives", "true")];
            if let Some(token) = &next {
                query.push(("pageToken", token));
            }
            let url = self.ends.api(&path, &query)?;
            let page: PermissionPage = self.json("list permissions", Method::GET, url, None).await?;
            permissions.extend(page.permissions.into_iter().map(Permission::from));
            match page.next_page_token {
                Some(token) if !token.is_empty() => next = Some(token),
                _ => return Ok(permissions),
            }
        }
    }

    /// Takes a permission back. One that is gone already is fine.
    ///
    /// # Errors
    /// As every call.
    pub async fn unshare(&self, file: &str, permission: &str) -> Result<(), Error> {
        let path = format!("/files/{}/permissions/{}", checked(file)?, checked(permission)?);
        let url = self.ends.api(&path, &[("supportsAllDrives", "true")])?;
        match self.call("unshare", Method::DELETE, url, None).await {
            Err(error) if *error.class() != Class::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
