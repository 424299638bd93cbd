//! The words of mails: list, read, try out, save, take back, send to oneself.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_store::AuditEntry;
use serde_json::{Value, json};

use super::Desk;
use super::checks::mail_transport;
use super::state::OWNER;
use crate::delivery::mail::built_in::{LANGUAGES, Template, template as by_name};
use crate::delivery::mail::example::{Occasion, variables};
use crate::delivery::mail::own::{Refused, Texts, Tried};
use crate::delivery::mail::{DeliveredItem, Message, Mistake, Parts};
use crate::http::problem::{Answer, Given};
use crate::ordering::checked_address;
use crate::present;
use crate::views::{
    MailPreview, MailPreviewRequest, MailTemplate, MailTemplateEdit, MailTemplateRow, MailTestRequest,
    MailTexts, Page, Problem,
};

const DAY_MS: i64 = 24 * 3_600_000;

/// Every template in both languages: whose words it has, what it can say, and what is wrong with it.
#[utoipa::path(get, path = "/admin/api/mail-templates", tag = "settings",
    responses((status = 200, body = Page<MailTemplateRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn templates(State(desk): State<Desk>) -> Answer<Json<Page<MailTemplateRow>>> {
    let language = desk.shop.config().shop.language.as_str();
    let mut rows = Vec::new();
    for lang in LANGUAGES {
        let occasion = example(&desk, lang);
        for (template, own, mistakes) in desk.shop.templates().report(lang, occasion.clone()).await? {
            rows.push(MailTemplateRow {
                name: template.name.to_owned(),
                lang: lang.to_owned(),
                parts: template.parts.iter().map(|part| (*part).to_owned()).collect(),
                own: own.into_iter().map(str::to_owned).collect(),
                shared: template.shared(),
                in_use: lang == language,
                mistakes: mistakes.iter().map(present::mail_mistake).collect(),
                variables: present::mail_variables(variables(template, lang, &occasion)),
            });
        }
    }
    Ok(Json(Page { rows, next: None }))
}

/// One template: the words in use beside ours.
#[utoipa::path(get, path = "/admin/api/mail-templates/{name}/{lang}", tag = "settings",
    params(("name" = String, Path, description = "Name of the template"), ("lang" = String, Path, description = "`vi` or `en`")),
    responses((status = 200, body = MailTemplate), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn template(
    State(desk): State<Desk>,
    Path((name, lang)): Path<(String, String)>,
) -> Answer<Json<MailTemplate>> {
    let (template, lang) = named(&name, &lang)?;
    now(&desk, template, lang).await
}

/// Saves the owner's words. Nothing is saved that does not render with the examples.
#[utoipa::path(put, path = "/admin/api/mail-templates/{name}/{lang}", tag = "settings", request_body = MailTemplateEdit,
    params(("name" = String, Path, description = "Name of the template"), ("lang" = String, Path, description = "`vi` or `en`")),
    responses((status = 200, body = MailTemplate), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn save(
    State(desk): State<Desk>,
    Path((name, lang)): Path<(String, String)>,
    Given(edit): Given<MailTemplateEdit>,
) -> Answer<Json<MailTemplate>> {
    let (template, lang) = named(&name, &lang)?;
    let texts = texts(template, edit.texts)?;
    let sizes: Value = texts.iter().map(|(part, text)| ((*part).to_owned(), json!(text.len()))).collect();
    let saved = desk.shop.templates().save(template, lang, texts, edit.version, example(&desk, lang)).await;
    let changed = saved.map_err(refusal)?;
    if !changed.is_empty() {
        let data = json!({ "parts": changed, "bytes": sizes });
        audited(&desk, "mail_template.save", template, lang, data).await?;
    }
    now(&desk, template, lang).await
}

/// Takes the owner's words away, so that ours are used again.
#[utoipa::path(delete, path = "/admin/api/mail-templates/{name}/{lang}", tag = "settings",
    params(("name" = String, Path, description = "Name of the template"), ("lang" = String, Path, description = "`vi` or `en`")),
    responses((status = 200, body = MailTemplate), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn reset(
    State(desk): State<Desk>,
    Path((name, lang)): Path<(String, String)>,
) -> Answer<Json<MailTemplate>> {
    let (template, lang) = named(&name, &lang)?;
    let gone = desk.shop.templates().reset(template, lang).await?;
    if !gone.is_empty() {
        audited(&desk, "mail_template.reset", template, lang, json!({ "parts": gone })).await?;
    }
    now(&desk, template, lang).await
}

/// What a buyer would read, with words that are not saved. Nothing is saved or sent.
#[utoipa::path(post, path = "/admin/api/mail-templates/{name}/{lang}/preview", tag = "settings", request_body = MailPreviewRequest,
    params(("name" = String, Path, description = "Name of the template"), ("lang" = String, Path, description = "`vi` or `en`")),
    responses((status = 200, body = MailPreview), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn preview(
    State(desk): State<Desk>,
    Path((name, lang)): Path<(String, String)>,
    Given(request): Given<MailPreviewRequest>,
) -> Answer<Json<MailPreview>> {
    let (template, lang) = named(&name, &lang)?;
    let texts = texts(template, request.texts)?;
    let tried = tried(&desk, template, lang, texts, &request.order).await?;
    Ok(Json(MailPreview {
        subject: tried.subject,
        text: tried.text,
        html: tried.html,
        mistakes: tried.mistakes.iter().map(present::mail_mistake).collect(),
    }))
}

/// Sends what a buyer would read to an address of the owner's, marked as a test, at once.
#[utoipa::path(post, path = "/admin/api/mail-templates/{name}/{lang}/test", tag = "settings", request_body = MailTestRequest,
    params(("name" = String, Path, description = "Name of the template"), ("lang" = String, Path, description = "`vi` or `en`")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn send_test(
    State(desk): State<Desk>,
    Path((name, lang)): Path<(String, String)>,
    Given(request): Given<MailTestRequest>,
) -> Answer<StatusCode> {
    let (template, lang) = named(&name, &lang)?;
    let to = checked_address("to", &request.to)?;
    let texts = texts(template, request.texts)?;
    let tried = tried(&desk, template, lang, texts, &request.order).await?;
    let (Some(subject), Some(text), Some(html), []) =
        (tried.subject, tried.text, tried.html, tried.mistakes.as_slice())
    else {
        return Err(wrong(&tried.mistakes));
    };
    let mark = if lang == "en" { "Test" } else { "Thử" };
    let parts = Parts { subject: format!("[{mark}] {subject}"), text, html };
    let id = format!("template.{:016x}@chotdon.invalid", rand::random::<u64>());
    let transport = mail_transport(&desk, &desk.shop.config()).await?;
    transport.send(desk.now(), &Message::new(id, to.clone(), String::new(), parts)).await?;
    audited(&desk, "mail_template.test", template, lang, json!({ "to": to })).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn named(name: &str, lang: &str) -> Answer<(&'static Template, &'static str)> {
    let lang = LANGUAGES.into_iter().find(|known| *known == lang);
    by_name(name).zip(lang).ok_or_else(|| Problem::not_found("a mail template of that name and language"))
}

/// The parts that were given. One that the template does not have is a mistake of the caller's.
fn texts(template: &Template, given: MailTexts) -> Answer<Texts> {
    let parts = [("subject", given.subject), ("text", given.text), ("html", given.html)];
    let given = parts.into_iter().filter_map(|(part, text)| Some((part, text?)));
    given
        .map(|(part, text)| match template.parts.contains(&part) {
            true => Ok((part, text)),
            false => Err(Problem::bad(format!("texts: {} has no {part}", template.name))),
        })
        .collect()
}

async fn tried(
    desk: &Desk,
    template: &'static Template,
    lang: &'static str,
    texts: Texts,
    order: &str,
) -> Answer<Tried> {
    let example = example(desk, lang);
    let about = match order.trim() {
        "" => example.clone(),
        code => about_order(desk, code, &example).await?,
    };
    Ok(desk.shop.templates().tried(template, lang, texts, about, example).await?)
}

fn example(desk: &Desk, lang: &str) -> Occasion {
    Occasion::full(lang, &desk.shop.config().shop.name, desk.now())
}

/// The same about a real order. What it has not got yet is as in the example.
async fn about_order(desk: &Desk, code: &str, example: &Occasion) -> Answer<Occasion> {
    let code: String = code.chars().take(40).collect::<String>().to_ascii_uppercase();
    let story = desk.store.order_story(&code).await?;
    let story = story.ok_or_else(|| Problem::not_found(format_args!("order {code}")))?;
    let config = desk.shop.config();
    let ends = desk.now().saturating_add(config.orders.link_days.saturating_mul(DAY_MS));
    let items = story.items.iter().map(|item| DeliveredItem {
        title: item.title.clone(),
        link: Some(item.link.clone().unwrap_or_else(|| format!("{}/d/…", desk.shop.base_url()))),
        learn_url: None,
        expires_at: Some(item.access_until.map_or(ends, |until| until.min(ends))),
        max_downloads: Some(config.orders.link_max_downloads),
        account: None,
    });
    Ok(Occasion {
        customer_name: story.order.name.clone(),
        order_code: story.order.code.clone(),
        items: items.collect(),
        summary: story.order.summary.clone(),
        amount_vnd: if story.order.paid_vnd > 0 { story.order.paid_vnd } else { story.order.total_vnd },
        wallet_vnd: story.wallet_vnd,
        ..example.clone()
    })
}

async fn now(desk: &Desk, template: &'static Template, lang: &'static str) -> Answer<Json<MailTemplate>> {
    let occasion = example(desk, lang);
    let held = desk.shop.templates().held(template, lang, occasion.clone()).await?;
    Ok(Json(present::mail_template(template, lang, held, variables(template, lang, &occasion))))
}

fn refusal(refused: Refused) -> Problem {
    match refused {
        Refused::Wrong(mistakes) => wrong(&mistakes),
        Refused::Changed => Problem::new(
            StatusCode::CONFLICT,
            "mail_template_changed",
            "the template has changed since it was opened; open it again",
        ),
        Refused::Disk(error) => error.into(),
    }
}

/// Every mistake on a line of its own, with file and line.
fn wrong(mistakes: &[Mistake]) -> Problem {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    Problem::new(StatusCode::BAD_REQUEST, "mail_template", lines.join("\n"))
}

async fn audited(desk: &Desk, action: &str, template: &Template, lang: &str, data: Value) -> Answer<()> {
    let entry = AuditEntry {
        actor: OWNER.to_owned(),
        action: action.to_owned(),
        subject: format!("{}.{lang}", template.name),
        data,
    };
    Ok(desk.store.record_audit(entry, desk.now()).await?)
}
