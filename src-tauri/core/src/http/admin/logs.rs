//! The latest log lines of this process.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use super::page::word;
use crate::http::problem::{Answer, Asked};
use crate::logging::{self, LEVELS, Ring, Wanted};
use crate::present::rfc3339;
use crate::views::{LogLine, LogPage, Problem};

const USUAL: usize = 200;
const MOST: usize = 500;

/// Which lines are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// At least as important: `error`, `warn`, `info`, `debug`, `trace`.
    level: Option<String>,
    /// Only this part of the program.
    component: Option<String>,
    /// Words in any place of the line, accents aside; `task_id=7` for a field.
    text: Option<String>,
    /// Only lines before this number.
    before: Option<u64>,
    /// Only lines after this number.
    after: Option<u64>,
    /// Lines, 1 to 500; 200 when left out.
    limit: Option<usize>,
}

/// The latest lines in memory, at most 5,000 since the start, masked.
#[utoipa::path(get, path = "/admin/api/logs", tag = "health", params(LogQuery),
    responses((status = 200, body = LogPage), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn logs(State(desk): State<Desk>, Asked(asked): Asked<LogQuery>) -> Answer<Json<LogPage>> {
    let known = |name: &str| LEVELS.into_iter().find(|level| *level == name);
    let wanted = Wanted {
        level: word("level", asked.level.as_deref(), LEVELS, known)?,
        component: asked.component.filter(|name| !name.is_empty()),
        text: asked.text.unwrap_or_default(),
        before: asked.before,
        after: asked.after,
        limit: asked.limit.unwrap_or(USUAL).clamp(1, MOST),
    };
    let (lines, more) = Ring::of_process().lines(&wanted);
    let row = |line: &std::sync::Arc<logging::Line>| LogLine {
        seq: line.seq,
        at: rfc3339(line.at),
        level: line.level.to_owned(),
        component: line.component.clone(),
        message: line.message.clone(),
        fields: line.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    };
    Ok(Json(LogPage {
        rows: lines.iter().map(row).collect(),
        more,
        components: Ring::of_process().components(),
        level: desk.shop.config().log.level.as_str().to_owned(),
        folder: desk.shop.data_dir().join(logging::FOLDER).display().to_string(),
    }))
}
