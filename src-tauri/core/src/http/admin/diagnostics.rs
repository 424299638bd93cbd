//! The bundle to send along when asking for help: what it would hold, and the bundle itself.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chotdon_store::AuditEntry;
use serde_json::json;

use super::Desk;
use super::state::OWNER;
use crate::diagnostics::{self, File};
use crate::http::problem::{Answer, Given};
use crate::present::rfc3339;
use crate::private_file;
use crate::views::{BundleWish, Diagnostics, DiagnosticsFile, Problem};

/// Characters shown of each file beforehand.
const BEGINNING: usize = 2_000;

/// What the bundle would hold, file by file.
#[utoipa::path(get, path = "/admin/api/diagnostics", tag = "health",
    responses((status = 200, body = Diagnostics), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn diagnostics(State(desk): State<Desk>) -> Answer<Json<Diagnostics>> {
    let files = collect(&desk).await?;
    let file = |file: &File| DiagnosticsFile {
        name: file.name.to_owned(),
        bytes: i64::try_from(file.body.len()).unwrap_or(i64::MAX),
        beginning: String::from_utf8_lossy(&file.body).chars().take(BEGINNING).collect(),
    };
    let bad: Vec<String> = desk
        .shop
        .health()
        .cards(desk.now())
        .iter()
        .filter(|card| card.state != "ok")
        .map(|card| format!("{} {} {}", card.id, card.state, card.code.as_deref().unwrap_or_default()))
        .collect();
    let summary = format!(
        "ChotDon {} · {} {} · {}\n{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        rfc3339(desk.now()),
        bad.join("\n")
    );
    Ok(Json(Diagnostics { files: files.iter().map(file).collect(), summary: summary.trim_end().to_owned() }))
}

/// The bundle, a ZIP file without secrets and without anybody's data; with `save` it is put into the shop's folder
/// `diagnostics` and its path is answered.
#[utoipa::path(post, path = "/admin/api/diagnostics", tag = "health", request_body = BundleWish,
    responses((status = 200, description = "ZIP file, or `{\"path\":\"…\"}`", content_type = "application/zip"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn bundle(State(desk): State<Desk>, Given(wish): Given<BundleWish>) -> Answer<Response> {
    let files = collect(&desk).await?;
    let zip = diagnostics::bundle(&files).map_err(cannot)?;
    let entry = AuditEntry {
        actor: OWNER.to_owned(),
        action: "diagnostics.export".to_owned(),
        subject: "shop".to_owned(),
        data: json!({ "bytes": zip.len() }),
    };
    desk.store.record_audit(entry, desk.now()).await?;
    let day = rfc3339(desk.now());
    let name = format!("chotdon-diagnostics-{}.zip", day.get(..19).unwrap_or("now").replace(':', ""));
    if wish.save {
        let folder = desk.shop.data_dir().join("diagnostics");
        private_file::create_folder(&folder).map_err(cannot)?;
        let path = folder.join(name);
        private_file::replace(&path, &zip).map_err(cannot)?;
        return Ok(Json(json!({ "path": path })).into_response());
    }
    let name = format!("attachment; filename=\"{name}\"");
    let headers = [(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, zip).into_response())
}

async fn collect(desk: &Desk) -> Answer<Vec<File>> {
    let mut files = diagnostics::files(desk.shop.data_dir(), &desk.shop.config()).map_err(cannot)?;
    let components = desk.shop.components();
    let health = json!({
        "cards": desk.shop.health().cards(desk.now()), "components": components,
        "uptime_s": desk.now().saturating_sub(desk.shop.started_at()).max(0) / 1000,
    });
    files.push(diagnostics::json_file("health.json", &health));
    let metrics = super::metrics::page(desk).await?;
    files.push(File { name: "metrics.txt", body: metrics.into_bytes() });
    Ok(files)
}

fn cannot(error: std::io::Error) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", format!("the bundle: {error}"))
}
