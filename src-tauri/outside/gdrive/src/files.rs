//! Files and folders by id: made under ids of our own choosing, listed, looked at, deleted. Never searched by name.

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use crate::drive::checked;
use crate::{Class, Drive, Error};

/// What is asked of a file.
pub(crate) const FIELDS: &str =
    "id,name,mimeType,size,md5Checksum,sha1Checksum,sha256Checksum,webViewLink,parents,appProperties,trashed";
const FOLDER: &str = "application/vnd.google-apps.folder";
/// Most ids given at once.
const MOST_IDS: usize = 1000;

/// A file or folder as Drive describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct File {
    /// Unique for ever.
    pub id: String,
    /// Not unique, not even within a folder.
    pub name: String,
    /// MIME type.
    pub mime_type: String,
    /// Bytes; `None` for folders.
    #[serde(deserialize_with = "number")]
    pub size: Option<u64>,
    /// Lower-case hex; may be missing.
    pub md5_checksum: Option<String>,
    /// Lower-case hex; may be missing.
    pub sha1_checksum: Option<String>,
    /// Lower-case hex; may be missing.
    pub sha256_checksum: Option<String>,
    /// Where a browser opens it.
    pub web_view_link: Option<String>,
    /// Ids of the folders it is in: one.
    pub parents: Vec<String>,
    /// Marks that only this app sees.
    pub app_properties: BTreeMap<String, String>,
    /// In the bin.
    pub trashed: bool,
}

impl File {
    /// Whether it is a folder.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.mime_type == FOLDER
    }
}

/// Drive writes 64-bit numbers as texts.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

#[derive(Deserialize)]
struct Ids {
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilePage {
    next_page_token: Option<String>,
    #[serde(default)]
    files: Vec<File>,
}

impl Drive {
    /// `count` ids that nothing has yet. Something made under one of them is made once, however often it is tried.
    ///
    /// # Errors
    /// As every call: see [`Class`].
    pub async fn generate_ids(&self, count: usize) -> Result<Vec<String>, Error> {
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let wanted = (count - ids.len()).min(MOST_IDS).to_string();
            let url = self.ends.api("/files/generateIds", &[("count", &wanted), ("space", "drive")])?;
            let given: Ids = self.json("generate ids", Method::GET, url, None).await?;
            if given.ids.is_empty() {
                return Err(Error::unreadable("generate ids"));
            }
            ids.extend(given.ids);
        }
        ids.truncate(count);
        Ok(ids)
    }

    /// Makes a folder under an id made beforehand. When it is there already, it is answered as it is.
    /// `parent` none = the account's root, or that of the shared drive.
    ///
    /// # Errors
    /// As every call; `AlreadyThere` when the id belongs to something else, or to a folder in the bin.
    pub async fn create_folder(
        &self,
        id: &str,
        name: &str,
        parent: Option<&str>,
        app_properties: &[(&str, &str)],
    ) -> Result<File, Error> {
        let query = [("fields", FIELDS), ("supportsAllDrives", "true")];
        let url = self.ends.api("/files", &query)?;
        let mut body = self.metadata(id, name, parent, app_properties)?;
        body.insert("mimeType".to_owned(), FOLDER.into());
        match self.json("create folder", Method::POST, url, Some(&body.into())).await {
            Err(error) if *error.class() == Class::AlreadyThere => {
                let there = self.file(id).await?;
                if there.is_folder() && !there.trashed { Ok(there) } else { Err(error) }
            }
            answer => answer,
        }
    }

    /// What a new file or folder is described by.
    pub(crate) fn metadata(
        &self,
        id: &str,
        name: &str,
        parent: Option<&str>,
        app_properties: &[(&str, &str)],
    ) -> Result<Map<String, Value>, Error> {
        let mut body = Map::new();
        body.insert("id".to_owned(), checked(id)?.into());
        body.insert("name".to_owned(), name.into());
        if let Some(parent) = parent.or(self.shared_drive.as_deref()) {
            body.insert("parents".to_owned(), json!([checked(parent)?]));
        }
        if !app_properties.is_empty() {
            let marks: Map<String, Value> =
                app_properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
            body.insert("appProperties".to_owned(), marks.into());
        }
        Ok(body)
    }

    /// Everything that lies directly in `folder`, the bin left out.
    ///
    /// # Errors
    /// As every call.
    pub async fn list(&self, folder: &str) -> Result<Vec<File>, Error> {
        let wanted = format!("'{}' in parents and trashed=false", checked(folder)?);
        let fields = format!("nextPageToken,files({FIELDS})");
        let mut files = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut query = vec![
                ("q", wanted.as_str()),
                ("fields", &fields),
                ("pageSize", "1000"),
                ("supportsAllDrives", "true"),
                ("includeItemsFromAllDrives", "true"),
            ];
            if let Some(drive) = &self.shared_drive {
                query.extend([("corpora", "drive"), ("driveId", drive.as_str())]);
            }
            if let Some(token) = &next {
                query.push(("pageToken", token));
            }
            let url = self.ends.api("/files", &query)?;
            let page: FilePage = self.json("list", Method::GET, url, None).await?;
            files.extend(page.files);
            match page.next_page_token {
                Some(token) if !token.is_empty() => next = Some(token),
                _ => return Ok(files),
            }
        }
    }

    /// One file or folder.
    ///
    /// # Errors
    /// As every call; `NotFound` also for what this app may not see.
    pub async fn file(&self, id: &str) -> Result<File, Error> {
        let query = [("fields", FIELDS), ("supportsAllDrives", "true")];
        let url = self.ends.api(&format!("/files/{}", checked(id)?), &query)?;
        self.json("look at a file", Method::GET, url, None).await
    }

    /// Deletes a file, or a folder with all that is in it, without the bin. One that is gone already is fine.
    ///
    /// # Errors
    /// As every call.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let url = self.ends.api(&format!("/files/{}", checked(id)?), &[("supportsAllDrives", "true")])?;
        match self.call("delete", Method::DELETE, url, None).await {
            Err(error) if *error.class() != Class::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
