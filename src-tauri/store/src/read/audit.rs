//! The record of human actions, searched and paged.

use sqlx::{FromRow, QueryBuilder, Sqlite};

use super::search;
use super::{Slice, Window};
use crate::{Result, Store};

/// What a person did.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct AuditRecord {
    pub id: i64,
    pub at: i64,
    /// `owner`, `storefront:NAME`, `cli`.
    pub actor: String,
    pub action: String,
    pub subject: String,
    /// JSON.
    pub data: String,
}

/// Which of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Who; with a colon at the end (`storefront:`) everyone of that kind.
    pub actor: Option<String>,
    /// What; with a dot at the end (`order.`) everything of that kind.
    pub action: Option<String>,
    /// To what, exactly.
    pub subject: Option<String>,
    /// From this time on, ms.
    pub from: Option<i64>,
    /// Before this time, ms.
    pub to: Option<i64>,
    /// Words anywhere in it, as the beginnings of words, without marks too.
    pub text: Option<String>,
}

impl AuditQuery {
    fn narrow(&self, query: &mut QueryBuilder<Sqlite>) {
        for (column, given, mark) in
            [("actor", &self.actor, ':'), ("action", &self.action, '.'), ("subject", &self.subject, '\0')]
        {
            let Some(given) = given else { continue };
            if given.ends_with(mark) {
                // The character after the mark ends the range: it needs no LIKE and uses the index.
                let end = format!("{}{}", &given[..given.len() - 1], char::from(mark as u8 + 1));
                query.push(format_args!(" AND {column} >= ")).push_bind(given.clone());
                query.push(format_args!(" AND {column} < ")).push_bind(end);
            } else {
                query.push(format_args!(" AND {column} = ")).push_bind(given.clone());
            }
        }
        if let Some(from) = self.from {
            query.push(" AND at >= ").push_bind(from);
        }
        if let Some(to) = self.to {
            query.push(" AND at < ").push_bind(to);
        }
        let words = self.text.as_deref().filter(|text| !text.trim().is_empty()).map(search::read);
        if let Some(words) = words {
            if words.words.is_empty() {
                // Only signs were typed, which nothing is found by.
                query.push(" AND 0");
            } else {
                query.push(" AND id IN (SELECT rowid FROM audit_search WHERE audit_search MATCH ");
                query.push_bind(words.words).push(")");
            }
        }
    }
}

impl Store {
    /// A page of the record of human actions, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, asked: &AuditQuery, window: Window) -> Result<Slice<AuditRecord>> {
        let mut query =
            QueryBuilder::new("SELECT id, at, actor, action, subject, data FROM audit WHERE id < ");
        query.push_bind(window.top());
        asked.narrow(&mut query);
        query.push(" ORDER BY id DESC LIMIT ").push_bind(window.fetch());
        let rows = query.build_query_as::<AuditRecord>().fetch_all(&self.reader).await?;
        Ok(window.cut(rows, |entry: &AuditRecord| entry.id))
    }
}
