//! The admin API: every question and action of the owner's UI, behind the desktop's window and the private listener.
//!
//! It asks nobody who they are; the private listener does that before. Handlers only parse, ask the store or the
//! pool, and present. [`openapi`] is the same table of routes as a document.

mod access;
mod audit;
mod backups;
mod channels;
mod checks;
mod course_versions;
mod courses;
mod customers;
mod diagnostics;
mod events;
mod failures;
mod google;
mod health;
mod keys;
mod lists;
mod logs;
mod mail_templates;
mod mailbox;
mod metrics;
mod order_address;
mod orders;
mod overview;
mod page;
mod queue;
mod recipes;
mod reconcile;
mod services;
mod settings;
mod simulate;
pub(crate) mod state;
mod storefront;
mod tasks;
mod transfers;
mod tunnel;
mod wallet;
mod webhooks;
mod workers;

use axum::Router;
use utoipa::OpenApi;

pub(crate) use checks::CheckBook;
pub(crate) use state::Desk;

use super::problem::{no_method, no_route};

macro_rules! routes {
    ($($method:ident $path:literal $module:ident :: $handler:ident;)+) => {
        /// Every route, as `method path`.
        #[cfg(test)]
        const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path),)+];

        fn routed() -> Router<Desk> {
            Router::new()$(.route($path, axum::routing::$method($module::$handler)))+
        }

        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "ChotDon admin API",
                description = "What the owner's UI asks and does. Bearer token or login cookie on the private listener. \
                               Errors are RFC 9457 problem details with a stable `code`; times are RFC 3339 UTC; \
                               money is whole đồng in fields that end in `_vnd`."
            ),
            paths($($module::$handler),+),
            components(schemas(crate::views::Problem, crate::views::Event))
        )]
        struct Document;
    };
}

routes! {
    get "/health" health::health;
    get "/metrics" metrics::metrics;
    get "/admin/api/overview" overview::overview;
    get "/admin/api/money" overview::money;
    get "/admin/api/checklist" checks::checklist;
    post "/admin/api/checks/{id}" checks::run_check;
    get "/admin/api/orders" orders::orders;
    post "/admin/api/orders" orders::create_order;
    get "/admin/api/orders/{code}" orders::order;
    post "/admin/api/orders/{code}/cancel" orders::cancel_order;
    post "/admin/api/orders/{code}/redeliver" orders::redeliver;
    post "/admin/api/orders/{code}/resend" order_address::resend;
    post "/admin/api/orders/{code}/change-email" order_address::change_email;
    post "/admin/api/orders/{code}/mark-paid" orders::mark_paid;
    post "/admin/api/orders/{code}/refund" orders::refund;
    post "/admin/api/orders/{code}/surplus" orders::surplus;
    post "/admin/api/orders/{code}/pay-from-wallet" orders::pay_from_wallet;
    post "/admin/api/orders/{code}/note" orders::add_note;
    get "/admin/api/queue" queue::queue;
    post "/admin/api/queue/pause" queue::pause;
    post "/admin/api/queue/resume" queue::resume;
    get "/admin/api/workers" workers::workers;
    post "/admin/api/workers" workers::create_worker;
    post "/admin/api/workers/{name}/rotate" workers::rotate_worker;
    delete "/admin/api/workers/{name}" workers::revoke_worker;
    get "/admin/api/services" services::services;
    post "/admin/api/services/{name}/pause" services::pause_service;
    post "/admin/api/services/{name}/resume" services::resume_service;
    get "/admin/api/tasks" tasks::tasks;
    get "/admin/api/tasks/{id}" tasks::task;
    post "/admin/api/tasks/{id}/retry" tasks::retry_task;
    post "/admin/api/tasks/{id}/cancel" tasks::cancel_task;
    post "/admin/api/tasks/{id}/priority" tasks::set_priority;
    get "/admin/api/failures" failures::failures;
    get "/admin/api/failures/mended" failures::mended;
    post "/admin/api/failures/retry" failures::retry_failures;
    get "/admin/api/recipes" recipes::recipes;
    post "/admin/api/recipes/test" recipes::test_recipe;
    get "/admin/api/customers" customers::customers;
    get "/admin/api/customers/{id}" customers::customer;
    post "/admin/api/customers/{id}/adjust" customers::adjust;
    get "/admin/api/wallet" wallet::wallet;
    get "/admin/api/ledger" wallet::ledger;
    post "/admin/api/ledger/{id}/reverse" wallet::reverse;
    get "/admin/api/transfers" transfers::transfers;
    get "/admin/api/transfers/{id}" transfers::transfer;
    post "/admin/api/transfers/{id}/match" transfers::match_transfer;
    post "/admin/api/transfers/{id}/credit" transfers::credit_transfer;
    post "/admin/api/transfers/{id}/create-order" transfers::create_order;
    post "/admin/api/transfers/{id}/set-aside" transfers::set_aside;
    post "/admin/api/transfers/{id}/undo" transfers::undo;
    get "/admin/api/webhooks" webhooks::webhooks;
    get "/admin/api/webhooks/summary" webhooks::summary;
    get "/admin/api/webhooks/{sepay_id}" webhooks::webhook;
    post "/admin/api/webhooks/{sepay_id}/reprocess" webhooks::reprocess;
    get "/admin/api/reconcile" reconcile::reconcile;
    post "/admin/api/reconcile" reconcile::reconcile_now;
    get "/admin/api/health" health::cards;
    get "/admin/api/logs" logs::logs;
    get "/admin/api/backups" backups::backups;
    post "/admin/api/backups" backups::make_backup;
    post "/admin/api/backups/{name}/check" backups::check_backup;
    post "/admin/api/backups/{name}/restore" backups::restore_backup;
    delete "/admin/api/backups/pending" backups::withdraw_restore;
    get "/admin/api/diagnostics" diagnostics::diagnostics;
    post "/admin/api/diagnostics" diagnostics::bundle;
    post "/admin/api/channels/{channel}/test" channels::test_channel;
    get "/admin/api/audit" audit::audit;
    get "/admin/api/audit/check" audit::check_record;
    post "/admin/api/audit/accept" audit::accept_record;
    post "/admin/api/exports" audit::note_export;
    get "/admin/api/notices" lists::notices;
    post "/admin/api/notices/seen" lists::all_notices_seen;
    post "/admin/api/notices/{id}/seen" lists::notice_seen;
    get "/admin/api/courses" courses::courses;
    post "/admin/api/courses/source-test" course_versions::source_test;
    get "/admin/api/courses/{slug}" courses::course;
    put "/admin/api/courses/{slug}" courses::save_course;
    post "/admin/api/courses/{slug}/archive" courses::archive_course;
    post "/admin/api/courses/{slug}/duplicate" courses::duplicate_course;
    post "/admin/api/courses/{slug}/prepare" course_versions::prepare;
    post "/admin/api/courses/{slug}/check" course_versions::check;
    post "/admin/api/courses/{slug}/announce" course_versions::announce;
    post "/admin/api/courses/{slug}/test-delivery" course_versions::test_delivery;
    get "/admin/api/bundles" courses::bundles;
    put "/admin/api/bundles/{slug}" courses::save_bundle;
    get "/admin/api/google" google::google;
    post "/admin/api/google/connect" google::connect;
    post "/admin/api/google/disconnect" google::disconnect;
    get "/admin/api/tunnel" tunnel::tunnel;
    post "/admin/api/tunnel/restart" tunnel::restart;
    get "/admin/api/settings" settings::settings;
    put "/admin/api/settings/{section}" settings::save_section;
    get "/admin/api/keys" keys::keys;
    put "/admin/api/secrets/{name}" settings::set_secret;
    delete "/admin/api/secrets/{name}" settings::delete_secret;
    post "/admin/api/secrets/{name}/rotate" keys::rotate_secret;
    delete "/admin/api/secrets/{name}/previous" keys::revoke_previous;
    put "/admin/api/bank-accounts" settings::save_bank_account;
    delete "/admin/api/bank-accounts/{id}" settings::delete_bank_account;
    get "/admin/api/storefront" storefront::storefront;
    get "/admin/api/storefront/webhooks" storefront::endpoints;
    put "/admin/api/storefront/webhooks/{name}" storefront::save_endpoint;
    delete "/admin/api/storefront/webhooks/{name}" storefront::remove_endpoint;
    post "/admin/api/storefront/webhooks/{name}/test" storefront::test_endpoint;
    get "/admin/api/storefront/webhooks/{name}/events" storefront::endpoint_events;
    get "/admin/api/mail-templates" mail_templates::templates;
    get "/admin/api/mail-templates/{name}/{lang}" mail_templates::template;
    put "/admin/api/mail-templates/{name}/{lang}" mail_templates::save;
    delete "/admin/api/mail-templates/{name}/{lang}" mail_templates::reset;
    post "/admin/api/mail-templates/{name}/{lang}/preview" mail_templates::preview;
    post "/admin/api/mail-templates/{name}/{lang}/test" mail_templates::send_test;
    post "/admin/api/storefront/keys" keys::create_storefront_key;
    delete "/admin/api/storefront/keys/{name}" keys::revoke_storefront_key;
    post "/admin/api/reload" settings::reload;
    post "/admin/api/demo/mend" simulate::mend_source;
    post "/admin/api/simulate-transfer" simulate::simulate_transfer;
    get "/admin/api/mailbox" mailbox::mailbox;
    get "/admin/api/mailbox/{file}" mailbox::message;
    get "/admin/api/events" events::events;
    get "/admin/api/openapi.json" health::document;
}

/// The admin API over `desk`. Unknown paths and methods are problems too.
pub(crate) fn router(desk: Desk) -> Router {
    routed().fallback(no_route).method_not_allowed_fallback(no_method).with_state(desk)
}

/// The OpenAPI document of the admin API, as JSON.
#[must_use]
pub fn openapi() -> String {
    let mut document = Document::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.to_pretty_json().unwrap_or_default()
}

#[cfg(test)]
mod tests;
