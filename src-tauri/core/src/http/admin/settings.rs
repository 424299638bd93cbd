//! Settings, secrets (write only) and bank accounts.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_store::AccountEdit;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zeroize::Zeroize;

use super::Desk;
use super::access;
use super::audit::recorded;
use super::keys::changes;
use super::page::id;
use super::state::OWNER;
use crate::config::Config;
use crate::http::problem::{Answer, Given};
use crate::present;
use crate::reconcile::Cause;
use crate::secrets::SecretName;
use crate::views::{
    BackupSettings, BankAccount, ChannelSettings, LimitSettings, MailSettings, NotificationSettings,
    OrderSettings, Problem, SecretValue, SepaySettings, Settings, ShopSettings, TunnelSettings,
    WorkerSettings,
};

const LONGEST_SECRET: usize = 4096;

/// Every setting; secrets only as whether they are set.
#[utoipa::path(get, path = "/admin/api/settings", tag = "settings",
    responses((status = 200, body = Settings), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn settings(State(desk): State<Desk>) -> Answer<Json<Settings>> {
    now(&desk).await
}

/// Changes one section: `shop`, `mail`, `tunnel`, `workers`, `orders`, `notifications`, `channels`, `backup`, `limits` or `access`. The body is the
/// section's view.
#[utoipa::path(put, path = "/admin/api/settings/{section}", tag = "settings", request_body = Object,
    params(("section" = String, Path, description = "`shop`, `mail`, `tunnel`, `workers`, `orders`, `notifications`, `channels`, `backup`, `limits` or `access`")),
    responses((status = 200, body = Settings), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn save_section(
    State(desk): State<Desk>,
    Path(section): Path<String>,
    Given(body): Given<Value>,
) -> Answer<Json<Settings>> {
    let data_dir = desk.shop.data_dir();
    let before = settings_now(&desk).await?;
    let save = |section: &str, values: &Value| Config::save_section(data_dir, section, values);
    match section.as_str() {
        "shop" => save("shop", &checked::<ShopSettings>(body)?)?,
        "mail" => save("mail", &checked::<MailSettings>(body)?)?,
        "orders" => save("orders", &checked::<OrderSettings>(body)?)?,
        "notifications" => save("notifications", &checked::<NotificationSettings>(body)?)?,
        "channels" => {
            let given: ChannelSettings = serde_json::from_value(body)
                .map_err(|error| Problem::bad(format!("the JSON body: {error}")))?;
            super::channels::check(&given)?;
            let mut values = json!(given);
            // No address is no value at all.
            if given.webhook_url.trim().is_empty() {
                values["webhook_url"] = Value::Null;
            }
            save("notifications", &values)?;
        }
        "backup" => {
            let given: BackupSettings = serde_json::from_value(body)
                .map_err(|error| Problem::bad(format!("the JSON body: {error}")))?;
            let mut values = json!(given);
            if given.folder.trim().is_empty() {
                values["folder"] = Value::Null;
            } else if !std::path::Path::new(given.folder.trim()).is_absolute() {
                return Err(Problem::bad("folder: a whole path, from the root"));
            }
            save("backup", &values)?;
        }
        "limits" => save("limits", &checked::<LimitSettings>(body)?)?,
        "access" => {
            let given = serde_json::from_value(body)
                .map_err(|error| Problem::bad(format!("the JSON body: {error}")))?;
            access::save(&desk, given)?;
        }
        "workers" => {
            let mut queue = checked::<WorkerSettings>(body)?;
            let count = queue.as_object_mut().and_then(|keys| keys.remove("count")).unwrap_or(Value::Null);
            save("queue", &queue)?;
            save("workers", &json!({ "count": count }))?;
        }
        "tunnel" => {
            let mut tunnel = checked::<TunnelSettings>(body)?;
            let base_url = tunnel.as_object_mut().and_then(|keys| keys.remove("base_url"));
            save("tunnel", &tunnel)?;
            save("public", &json!({ "base_url": base_url.unwrap_or(Value::Null) }))?;
        }
        other => {
            let other: String = other.chars().take(40).collect();
            return Err(Problem::not_found(format_args!("settings section `{other}`")));
        }
    }
    desk.shop.reload().await?;
    let after = settings_now(&desk).await?;
    let changed = differences(&before, &after);
    access::mended(&desk, &before, &after).await?;
    recorded(&desk, "settings.save", &section, json!({ "changed": changed })).await?;
    Ok(Json(after))
}

/// Sets a secret. SePay's keys and those of webhooks keep the value before good for 24 hours.
#[utoipa::path(put, path = "/admin/api/secrets/{name}", tag = "settings", request_body = SecretValue,
    params(("name" = String, Path, description = "Name of the secret, e.g. `smtp.password`")),
    responses((status = 200, body = Settings), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn set_secret(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Json<Settings>> {
    let name = owners_secret(&name)?;
    // The parser's own words would repeat what was sent.
    let mut given: SecretValue = serde_json::from_slice(&body)
        .map_err(|_| Problem::bad("the JSON body must be {\"value\": \"…\"}, the value a text"))?;
    let value = SecretString::from(given.value.trim());
    given.value.zeroize();
    check_secret(&name, value.expose_secret())?;
    let overlaps = name == SecretName::sepay_api_key()
        || name == SecretName::sepay_hmac_secret()
        || name.as_str().starts_with("webhook.");
    if overlaps {
        let hours = u64::from(desk.shop.config().secrets.overlap_h);
        changes(&desk).rotate(&name, value, Duration::from_secs(hours * 3600)).await?;
    } else {
        changes(&desk).set(&name, value).await?;
    }
    take_into_use(&desk, &name);
    // A service that waits for the right secret may have it now.
    desk.shop.services().reconsider().await;
    now(&desk).await
}

/// Removes a secret; it is void at once.
#[utoipa::path(delete, path = "/admin/api/secrets/{name}", tag = "settings",
    params(("name" = String, Path, description = "Name of the secret")),
    responses((status = 200, body = Settings), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn delete_secret(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<Json<Settings>> {
    let name = owners_secret(&name)?;
    changes(&desk).delete(&name).await?;
    take_into_use(&desk, &name);
    now(&desk).await
}

/// Adds or changes a bank account. The BIN follows from the bank's name.
#[utoipa::path(put, path = "/admin/api/bank-accounts", tag = "settings", request_body = BankAccount,
    responses((status = 200, body = Settings), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn save_bank_account(
    State(desk): State<Desk>,
    Given(account): Given<BankAccount>,
) -> Answer<Json<Settings>> {
    let edit = account_edit(account)?;
    desk.store.save_bank_account(edit, OWNER, desk.now()).await?;
    now(&desk).await
}

/// Removes a bank account that no order has shown.
#[utoipa::path(delete, path = "/admin/api/bank-accounts/{id}", tag = "settings", params(("id" = i64, Path, description = "Id")),
    responses((status = 200, body = Settings), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn delete_bank_account(
    State(desk): State<Desk>,
    Path(account): Path<String>,
) -> Answer<Json<Settings>> {
    desk.store.delete_bank_account(id(&account)?, OWNER, desk.now()).await?;
    now(&desk).await
}

/// A section's body as its view, and back to JSON with only the keys of that view.
fn checked<T: DeserializeOwned + serde::Serialize>(body: Value) -> Answer<Value> {
    let section: T =
        serde_json::from_value(body).map_err(|error| Problem::bad(format!("the JSON body: {error}")))?;
    serde_json::to_value(section).map_err(|error| Problem::bad(error.to_string()))
}

fn owners_secret(name: &str) -> Answer<SecretName> {
    let name = SecretName::parse(name)?;
    if name.is_internal() {
        return Err(Problem::not_found("a secret of that name"));
    }
    Ok(name)
}

/// Another token opens SePay's list, or closes it; another key may open the tunnel.
fn take_into_use(desk: &Desk, name: &SecretName) {
    if *name == SecretName::sepay_api_token() {
        desk.shop.reconciler().nudge(Cause::Demand);
    }
    if *name == SecretName::tunnel_token() {
        desk.shop.tunnel().reconsider();
    }
}

/// Refuses what cannot be a value of this secret.
pub(super) fn check_secret(name: &SecretName, value: &str) -> Answer<()> {
    if value.is_empty() || value.len() > LONGEST_SECRET || value.chars().any(char::is_control) {
        return Err(Problem::bad(format!("value: 1 to {LONGEST_SECRET} bytes on one line")));
    }
    if name.signs_webhooks() && crate::outgoing::signature(&value.into(), "", 0, b"").is_none() {
        return Err(Problem::bad("value: whsec_ and 24 to 64 bytes in base64"));
    }
    // It travels in an HTTP header.
    if name.as_str().starts_with("sepay.") && !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::bad("value: letters, digits and signs of ASCII only, without spaces"));
    }
    Ok(())
}

fn account_edit(given: BankAccount) -> Answer<AccountEdit> {
    let bank = vietqr::banks::by_name(&given.bank).ok_or_else(|| unknown_bank(&given.bank))?;
    let tidy = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let account = plain(&given.account);
    let virtual_account = tidy(given.virtual_account).map(|text| plain(&text));
    for (field, number) in [("account", Some(&account)), ("virtual_account", virtual_account.as_ref())] {
        let Some(number) = number else { continue };
        let request = vietqr::Request { bin: bank.bin, account: number, amount: Some(1), memo: "DH000000" };
        vietqr::build(&request).map_err(|error| Problem::bad(format!("{field}: {error}")))?;
    }
    let holder = given.holder.trim().to_owned();
    if holder.is_empty() || holder.chars().count() > 100 {
        return Err(Problem::bad("holder: 1 to 100 characters"));
    }
    let memo_prefix = tidy(given.memo_prefix).map(|prefix| prefix.to_ascii_uppercase());
    if memo_prefix
        .as_ref()
        .is_some_and(|prefix| prefix.len() > 12 || !prefix.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        return Err(Problem::bad("memo_prefix: at most 12 letters and digits"));
    }
    Ok(AccountEdit {
        id: given.id,
        bank: bank.short_name.to_owned(),
        bin: bank.bin.to_owned(),
        account,
        holder,
        virtual_account,
        memo_prefix,
        preferred: given.preferred,
    })
}

/// The refusal names the banks that are nearest to what was typed.
fn unknown_bank(given: &str) -> Problem {
    let wanted = given.to_lowercase();
    let mut near: Vec<_> = vietqr::banks::BANKS
        .iter()
        .map(|bank| (strsim::damerau_levenshtein(&bank.short_name.to_lowercase(), &wanted), bank.short_name))
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    let near: Vec<_> = near.into_iter().take(5).map(|(_, name)| name).collect();
    let given: String = given.chars().filter(|c| !c.is_control()).take(40).collect();
    let detail = format!("bank: `{given}` is not a known bank; near are {}", near.join(", "));
    Problem::new(StatusCode::BAD_REQUEST, "unknown_bank", detail)
}

/// `section.key` of each setting that differs, as what it was and what it is. No setting is a secret.
fn differences(before: &Settings, after: &Settings) -> Value {
    let mut changed = serde_json::Map::new();
    let (Ok(before), Ok(after)) = (serde_json::to_value(before), serde_json::to_value(after)) else {
        return Value::Object(changed);
    };
    // SePay's part tells what came, and is nothing that anybody saved.
    let sections = after.as_object().into_iter().flatten().filter(|(section, _)| *section != "sepay");
    for (section, keys) in sections.filter_map(|(section, keys)| Some((section, keys.as_object()?))) {
        for (key, value) in keys.iter().filter(|(key, value)| before[section][key.as_str()] != **value) {
            changed.insert(format!("{section}.{key}"), json!([before[section][key.as_str()], value]));
        }
    }
    Value::Object(changed)
}

async fn now(desk: &Desk) -> Answer<Json<Settings>> {
    settings_now(desk).await.map(Json)
}

async fn settings_now(desk: &Desk) -> Answer<Settings> {
    let config = desk.shop.config();
    let accounts = desk.store.bank_accounts().await?;
    // A store that cannot be read must not take the page away on which the owner mends it.
    let secrets = match desk.credentials.list(desk.now()).await {
        Ok(listed) => {
            listed.into_iter().filter(|row| !row.name.is_internal()).map(present::secret_row).collect()
        }
        Err(error) => {
            tracing::warn!(%error, "the secrets cannot be listed");
            Vec::new()
        }
    };
    let sepay = SepaySettings {
        webhook_url: desk.webhook_url(),
        last_webhook_at: desk.shop.last_webhook_at().map(present::rfc3339),
        timestamp_tolerance_s: config.sepay.timestamp_tolerance_s,
    };
    Ok(present::settings(&config, sepay, &accounts, secrets, desk.credentials.kind()))
}

/// Reads settings and secrets again, after the command line changed them.
#[utoipa::path(post, path = "/admin/api/reload", tag = "settings",
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn reload(State(desk): State<Desk>) -> Answer<axum::http::StatusCode> {
    desk.shop.reload().await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}
