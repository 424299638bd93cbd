//! `GET /metrics`: the shop for Prometheus. Read when it is asked, from tallies and counters that exist anyway.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chotdon_domain::service::ServiceState;
use chotdon_store::read::Figures;

use super::Desk;
use crate::http::problem::Answer;
use crate::metrics::process::{self, Process};
use crate::metrics::text::{CONTENT_TYPE, Page, seconds};
use crate::tunnel::Reach;
use crate::views::Problem;

/// The shop's figures in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn metrics(State(desk): State<Desk>) -> Answer<Response> {
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], page(&desk).await?).into_response())
}

/// The page as text.
pub(super) async fn page(desk: &Desk) -> Answer<String> {
    let figures = desk.store.figures(desk.now()).await?;
    let mut page = Page::default();
    build(desk, &mut page);
    work(desk, &figures, &mut page);
    money(desk, &figures, &mut page);
    doors(desk, &mut page);
    outside(desk, &figures, &mut page);
    machine(desk, &mut page);
    Ok(page.text())
}

fn build(desk: &Desk, page: &mut Page) {
    page.gauge("chotdon_build_info", "The program that runs; always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.gauge("chotdon_start_time_seconds", "When the shop was opened, since 1970.")
        .sample(&[], seconds(desk.shop.started_at()));
    let mut components =
        page.gauge("chotdon_component_up", "1 while a part of the shop is well, 0 while it is not.");
    for component in desk.shop.components() {
        components.sample(&[("component", &component.name)], u8::from(component.state == "ok"));
    }
    let tunnel = desk.shop.tunnel().state();
    if tunnel.state != Reach::Off {
        let up = matches!(tunnel.state, Reach::Up | Reach::Degraded);
        page.gauge("chotdon_tunnel_up", "1 while the public address leads here; missing without one.")
            .sample(&[("kind", tunnel.kind.as_str())], u8::from(up));
        page.counter("chotdon_tunnel_restarts_total", "Starts of the tunnel's program after the first.")
            .sample(&[("kind", tunnel.kind.as_str())], tunnel.restarts);
    }
}

fn work(desk: &Desk, figures: &Figures, page: &mut Page) {
    let now = desk.now();
    let mut orders = page.gauge("chotdon_orders", "Orders by stage.");
    for (stage, n) in &figures.stages {
        orders.sample(&[("stage", stage)], n);
    }
    page.gauge("chotdon_orders_late", "Paid orders without their course for more than 15 minutes.")
        .sample(&[], figures.moments.late);
    let mut tasks = page.gauge("chotdon_tasks", "Tasks by lane and state, ended ones included.");
    for (lane, state, n) in &figures.tasks {
        tasks.sample(&[("lane", lane), ("state", state)], n);
    }
    let mut failed = page.gauge("chotdon_tasks_failed", "Tasks that were given up, by kind and stage.");
    for (kind, stage, n) in &figures.failed {
        failed.sample(&[("kind", kind), ("stage", stage)], n);
    }
    let mut running: std::collections::BTreeMap<(&str, String), u64> = std::collections::BTreeMap::new();
    for (kind, stage) in desk.shop.in_work() {
        *running.entry((kind.as_str(), stage)).or_default() += 1;
    }
    let mut at_work =
        page.gauge("chotdon_tasks_in_work", "Tasks that a worker of this process is at, by kind and stage.");
    for ((kind, stage), n) in &running {
        at_work.sample(&[("kind", kind), ("stage", stage)], n);
    }
    page.gauge("chotdon_tasks_retrying", "Tasks that wait for another attempt.")
        .sample(&[], figures.queue.retrying);
    let mut depth = page.gauge("chotdon_queue_depth", "Tasks that wait, by lane.");
    for lane in &figures.queue.lanes {
        depth.sample(&[("lane", lane.lane.as_str())], lane.ready + lane.scheduled);
    }
    let mut oldest = page.gauge(
        "chotdon_queue_oldest_age_seconds",
        "How long the task that waited longest has been due, by lane.",
    );
    for lane in &figures.queue.lanes {
        let age = lane.oldest_due_at.map_or(0, |due| now.saturating_sub(due).max(0));
        oldest.sample(&[("lane", lane.lane.as_str())], seconds(age));
    }
    let mut paused = page.gauge("chotdon_lane_paused", "1 while a lane is paused.");
    for lane in &figures.queue.lanes {
        paused.sample(&[("lane", lane.lane.as_str())], u8::from(lane.paused_at.is_some()));
    }
    stages(desk, page);
    page.counter("chotdon_stale_writes_refused_total", "Late results of workers that were refused.")
        .sample(&[], desk.shop.stale_refused());
    let workers = desk.shop.workers();
    let busy = workers.iter().filter(|worker| worker.task.is_some()).count();
    page.gauge("chotdon_workers", "Workers of this process, by what they do.")
        .sample(&[("state", "busy")], busy)
        .sample(&[("state", "idle")], workers.len() - busy);
    page.counter("chotdon_worker_restarts_total", "Workers that were replaced.")
        .sample(&[], workers.iter().map(|worker| worker.restarts).sum::<i64>());
}

fn stages(desk: &Desk, page: &mut Page) {
    let rows = desk.shop.stage_times().rows();
    let mut took =
        page.histogram("chotdon_stage_duration_seconds", "How long stages of tasks took that ended well.");
    for row in rows {
        took.times(&[("kind", row.kind.as_str()), ("stage", row.stage)], &row.took);
    }
    let mut failed =
        page.counter("chotdon_stage_failures_total", "Attempts at stages that failed, by class.");
    for row in rows {
        for (class, n) in row.failed() {
            failed.sample(&[("kind", row.kind.as_str()), ("stage", row.stage), ("class", class)], n);
        }
    }
}

fn money(desk: &Desk, figures: &Figures, page: &mut Page) {
    let money = &figures.money;
    let mut buckets = page.gauge("chotdon_money_dong", "Money by bucket, whole đồng.");
    for (bucket, vnd) in [
        ("orders", money.orders_vnd),
        ("wallets", money.wallets_vnd),
        ("unmatched", money.unmatched_vnd),
        ("set_aside", money.set_aside_vnd),
        ("refunded", money.refunded_vnd),
        ("shop", money.shop_vnd),
    ] {
        buckets.sample(&[("bucket", bucket)], vnd);
    }
    page.counter("chotdon_money_in_dong_total", "Money that came in since the shop exists, whole đồng.")
        .sample(&[], money.in_vnd);
    page.gauge("chotdon_ledger_ok", "1 while the books add up and money may be moved.")
        .sample(&[], u8::from(desk.shop.ledger_ok()));
    page.counter("chotdon_transfers_total", "Transfers recorded since the shop exists.")
        .sample(&[], money.transfers);
    page.gauge("chotdon_transfers_unmatched", "Transfers that wait for the owner.")
        .sample(&[], figures.moments.unmatched);
    page.gauge("chotdon_reconcile_difference_dong", "SePay's listed money in less ours, whole đồng.")
        .sample(&[], figures.difference_vnd);
    let standing = desk.shop.reconciler().standing();
    let mut state = page.gauge("chotdon_reconcile_state", "1 for what the reconciliation is about.");
    for name in ["off", "idle", "running", "failed"] {
        state.sample(&[("state", name)], u8::from(standing.state == name));
    }
    let mut moments = page.gauge(
        "chotdon_last_timestamp_seconds",
        "When something last happened, since 1970; absent until it does.",
    );
    for (what, at) in [
        ("webhook", desk.shop.last_webhook_at()),
        ("transfer", figures.moments.last_transfer_at),
        ("reconcile", figures.moments.reconciled_at),
        ("backup", figures.moments.backed_up_at),
    ] {
        if let Some(at) = at {
            moments.sample(&[("what", what)], seconds(at));
        }
    }
}

fn doors(desk: &Desk, page: &mut Page) {
    let metrics = desk.shop.metrics();
    let mut answers =
        page.counter("chotdon_http_responses_total", "Answers by listener and class of their status.");
    for (door, class, n) in metrics.answers() {
        answers.sample(&[("listener", door.as_str()), ("class", class)], n);
    }
    let mut webhooks =
        page.counter("chotdon_webhooks_total", "SePay's webhooks that were booked, by outcome.");
    for (outcome, n) in metrics.outcomes() {
        webhooks.sample(&[("outcome", outcome)], n);
    }
    let mut refused =
        page.counter("chotdon_webhooks_refused_total", "Requests that the webhook door refused, by reason.");
    for (reason, n) in metrics.refusals() {
        refused.sample(&[("reason", reason)], n);
    }
    page.histogram(
        "chotdon_webhook_duration_seconds",
        "From a webhook's headers to its answer, the commit included.",
    )
    .times(&[], metrics.webhook_ms());
}

fn outside(desk: &Desk, figures: &Figures, page: &mut Page) {
    let glances = desk.shop.services().glance();
    let mut parked = page.gauge(
        "chotdon_service_open",
        "1 while an outside service is used, 0 while it is left alone or paused.",
    );
    for glance in &glances {
        let open = glance.record.state == ServiceState::Open && glance.record.paused_at.is_none();
        parked.sample(&[("service", &glance.record.name)], u8::from(open));
    }
    tunnel(desk, page);
    let mut notices =
        page.gauge("chotdon_notices_open", "Notices to the owner that are not resolved, by class.");
    notices.sample(&[("class", "stopped")], figures.moments.stopped);
    notices.sample(&[("class", "needs_owner")], figures.moments.needs_owner);
}

/// Nothing is said of a public address that there is not.
fn tunnel(desk: &Desk, page: &mut Page) {
    let state = desk.shop.tunnel().state();
    if state.state == Reach::Off {
        return;
    }
    let kind = [("kind", state.kind.as_str())];
    let up = matches!(state.state, Reach::Up | Reach::Degraded);
    page.gauge("chotdon_tunnel_up", "1 while the public address leads to this shop, seen from outside.")
        .sample(&kind, u8::from(up));
    page.counter("chotdon_tunnel_restarts_total", "Starts of the tunnel's program after the first.")
        .sample(&kind, state.restarts);
    if let Some(until) = state.certificate_until {
        let help = "Until when the public address's certificate is good, since 1970.";
        page.gauge("chotdon_certificate_until_seconds", help).sample(&[], seconds(until));
    }
}

fn machine(desk: &Desk, page: &mut Page) {
    let dir = desk.shop.data_dir();
    if let Some((free, all)) = process::disk(dir) {
        page.gauge("chotdon_disk_free_bytes", "Bytes free on the disk of the data directory.")
            .sample(&[], free);
        page.gauge("chotdon_disk_size_bytes", "Size of that disk.").sample(&[], all);
    }
    let mut files = page.gauge("chotdon_database_bytes", "Size of the database and of its write-ahead log.");
    for (file, label) in [("shop.db", "database"), ("shop.db-wal", "wal")] {
        let bytes = std::fs::metadata(dir.join(file)).map_or(0, |found| found.len());
        files.sample(&[("file", label)], bytes);
    }
    process_lines(process::now(), page);
}

/// By the names that Prometheus' own libraries use.
fn process_lines(seen: Process, page: &mut Page) {
    if let Some(ms) = seen.cpu_ms {
        let cpu = seconds(i64::try_from(ms).unwrap_or(i64::MAX));
        page.counter("process_cpu_seconds_total", "Processor time used, seconds.").sample(&[], cpu);
    }
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Memory in use.", seen.resident_bytes),
        ("process_virtual_memory_bytes", "Memory reserved.", seen.virtual_bytes),
        ("process_open_fds", "Open files and sockets.", seen.open_files),
        ("process_max_fds", "How many there may be.", seen.most_files),
        ("process_threads", "Threads.", seen.threads),
    ] {
        if let Some(value) = value {
            page.gauge(name, help).sample(&[], value);
        }
    }
}
