//! What an HTTP source has: our own manifest, or an nginx JSON listing followed into its directories.

use std::collections::VecDeque;

use reqwest::header::{self, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::super::manifest::{MAX_FILES, check_path, check_paths};
use super::http::{Session, invalid, shown, unreachable_error};
use crate::workers::StageError;

/// Largest manifest or listing, bytes.
const MAX_BODY: usize = 16 << 20;
/// Deepest directory of a listing.
const MAX_DEPTH: usize = 16;

/// One file that the source offers.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) url: Url,
    pub(super) size: Option<u64>,
    /// Lower-case hex.
    pub(super) sha256: Option<String>,
    /// When it was last changed, in the server's own words.
    pub(super) changed: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    path: String,
    size: Option<u64>,
    sha256: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    size: Option<u64>,
    mtime: Option<String>,
}

/// Reads what the source offers, checked: paths that can be made, URLs on its host.
pub(super) async fn read(session: &Session) -> Result<Vec<Entry>, StageError> {
    let (base, body) = get_json(session, &session.home).await?;
    let mut entries = match body {
        Value::Object(mut object) => match object.remove("files") {
            Some(Value::Array(rows)) => written(rows, &base)?,
            _ => return Err(invalid(format!("{} has no list \"files\"", shown(&base)))),
        },
        Value::Array(rows) if is_listing(&rows) => follow(session, base, rows).await?,
        Value::Array(rows) => written(rows, &base)?,
        _ => return Err(invalid(format!("{} is neither a manifest nor a listing", shown(&base)))),
    };
    check_paths(entries.iter().map(|e| e.path.as_str()))?;
    entries.iter().try_for_each(|e| session.check_host(&e.url))?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn is_listing(rows: &[Value]) -> bool {
    rows.iter().all(|row| row.get("name").is_some() && row.get("path").is_none())
}

fn written(rows: Vec<Value>, base: &Url) -> Result<Vec<Entry>, StageError> {
    if rows.len() > MAX_FILES {
        return Err(invalid(format!("the manifest has more than {MAX_FILES} files")));
    }
    rows.into_iter()
        .map(|row| {
            let row: Written =
                serde_json::from_value(row).map_err(|e| invalid(format!("a file of the manifest: {e}")))?;
            check_path(&row.path).map_err(|why| invalid(format!("{why}: {:?}", row.path)))?;
            let sha256 = row.sha256.map(|sum| sum.to_ascii_lowercase());
            if sha256
                .as_ref()
                .is_some_and(|sum| sum.len() != 64 || !sum.bytes().all(|b| b.is_ascii_hexdigit()))
            {
                return Err(invalid(format!("the sha256 of {:?} is not 64 hex digits", row.path)));
            }
            let url = match row.url {
                Some(text) => {
                    base.join(&text).map_err(|e| invalid(format!("the url of {:?}: {e}", row.path)))?
                }
                None => below(base, &row.path)?,
            };
            Ok(Entry { path: row.path, url, size: row.size, sha256, changed: None })
        })
        .collect()
}

/// Follows a listing into its directories, breadth first.
async fn follow(session: &Session, base: Url, rows: Vec<Value>) -> Result<Vec<Entry>, StageError> {
    let mut entries = Vec::new();
    let mut open = VecDeque::new();
    take_rows(rows, &base, "", 0, &mut entries, &mut open)?;
    let mut requests = 0;
    while let Some((url, prefix, depth)) = open.pop_front() {
        requests += 1;
        if requests > MAX_FILES {
            return Err(invalid("the listing has too many directories".to_owned()));
        }
        session.cx.check()?;
        session.cx.item(&prefix);
        let (base, body) = get_json(session, &url).await?;
        let Value::Array(rows) = body else {
            return Err(invalid(format!("{} is not a listing", shown(&url))));
        };
        take_rows(rows, &base, &prefix, depth, &mut entries, &mut open)?;
    }
    Ok(entries)
}

fn take_rows(
    rows: Vec<Value>,
    base: &Url,
    prefix: &str,
    depth: usize,
    entries: &mut Vec<Entry>,
    open: &mut VecDeque<(Url, String, usize)>,
) -> Result<(), StageError> {
    for row in rows {
        let row: Listed =
            serde_json::from_value(row).map_err(|e| invalid(format!("a row of the listing: {e}")))?;
        if row.name.contains('/') {
            return Err(invalid(format!("a name contains a slash: {:?}", row.name)));
        }
        check_path(&row.name).map_err(|why| invalid(format!("{why}: {:?}", row.name)))?;
        let path = format!("{prefix}{}", row.name);
        match row.kind.as_str() {
            "file" if entries.len() >= MAX_FILES => {
                return Err(invalid(format!("the listing has more than {MAX_FILES} files")));
            }
            "file" => entries.push(Entry {
                url: below(base, &row.name)?,
                path,
                size: row.size,
                sha256: None,
                changed: row.mtime,
            }),
            "directory" if depth >= MAX_DEPTH => {
                return Err(invalid(format!("the listing is deeper than {MAX_DEPTH} levels: {path:?}")));
            }
            "directory" => {
                let url = below(base, &format!("{}/", row.name))?;
                open.push_back((url, format!("{path}/"), depth + 1));
            }
            other => return Err(invalid(format!("{path:?} is a {other}, neither file nor directory"))),
        }
    }
    Ok(())
}

/// The URL of `path` beside the document at `base`.
fn below(base: &Url, path: &str) -> Result<Url, StageError> {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut()
        .map_err(|()| invalid(format!("{} has no path", shown(base))))?
        .pop()
        .extend(path.split('/'));
    Ok(url)
}

/// Gets a JSON document; answers the URL it was found at in the end, which relative URLs refer to.
async fn get_json(session: &Session, url: &Url) -> Result<(Url, Value), StageError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let mut response = session.get(url, &headers).await?;
    let base = response.url().clone();
    let mut body = Vec::new();
    while let Some(chunk) = session.wait(response.chunk()).await?.map_err(|e| unreachable_error(e, &base))? {
        session.cx.alive();
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return Err(invalid(format!("{} is larger than {MAX_BODY} bytes", shown(&base))));
        }
    }
    let body =
        serde_json::from_slice(&body).map_err(|e| invalid(format!("{} is not JSON: {e}", shown(&base))))?;
    Ok((base, body))
}
