//! The page that a buyer pays at. No scripts: it reloads itself while the payment is awaited.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::{Environment, context};

use chotdon_domain::money::Vnd;
use chotdon_domain::order::Stage;

use super::{Token, payment};
use crate::http::problem::Answer;
use crate::shop::Floor;
use crate::views::Problem;

const PAGE: &str = include_str!("pay.html");

pub(super) async fn show(
    State(floor): State<Floor>,
    Path(code): Path<String>,
    Query(token): Query<Token>,
    headers: HeaderMap,
) -> Answer<Response> {
    // Without the right token an existing order looks like one that does not exist.
    let unknown = || Problem::not_found("this page");
    if !floor.may_see(&code, &token.t) {
        return Err(unknown());
    }
    let story = floor.store.order_story(&code).await?.ok_or_else(unknown)?;
    let order = &story.order;
    let payment = payment(&floor, order).await?;
    let vnd = |amount: i64| Vnd::new(amount).map_or_else(|_| String::new(), |amount| amount.to_string());
    let english = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|languages| languages.trim_start().starts_with("en"));
    let mut environment = Environment::new();
    environment.add_template("pay.html", PAGE).map_err(|error| Problem::bad(error.to_string()))?;
    let links: Vec<_> =
        story.items.iter().filter_map(|item| Some((item.title.clone(), item.link.clone()?))).collect();
    let words = context! {
        en => english,
        shop => floor.config().shop.name.clone(),
        code => order.code.clone(),
        stage => order.stage.as_str(),
        waiting => order.stage == Stage::Pending,
        moving => matches!(order.stage, Stage::Pending | Stage::Paid | Stage::Processing),
        summary => order.summary.clone(),
        total => vnd(order.total_vnd),
        paid => vnd(order.paid_vnd),
        underpaid => order.paid_vnd > 0 && order.paid_vnd < order.total_vnd,
        links => if order.stage == Stage::Completed { links } else { Vec::new() },
        qr => payment.as_ref().map(|payment| payment.qr_svg.clone()).filter(|svg| !svg.is_empty()),
        bank => payment.as_ref().map(|payment| payment.bank.clone()),
        account => payment.as_ref().map(|payment| payment.account.clone()),
        holder => payment.as_ref().map(|payment| payment.holder.clone()),
        memo => payment.as_ref().map(|payment| payment.memo.clone()),
        amount => payment.as_ref().map(|payment| vnd(payment.amount_vnd)),
    };
    let page = environment
        .get_template("pay.html")
        .and_then(|template| template.render(words))
        .map_err(|error| Problem::bad(error.to_string()))?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, Html(page)).into_response())
}
