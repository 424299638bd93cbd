//! Sends a text with the owner's Telegram bot. The token is a part of the address there, so nothing of an address and
//! nothing of the client's own words about an error is ever passed on.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Client, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::workers::StageError;

const TIMEOUT: Duration = Duration::from_secs(15);
/// Telegram's longest message is 4096 characters.
const LONGEST: usize = 4_000;
/// Characters kept of Telegram's own words.
const MOST_WORDS: usize = 200;

static CLIENT: LazyLock<Result<Client, ()>> = LazyLock::new(|| {
    Client::builder().redirect(redirect::Policy::none()).no_proxy().timeout(TIMEOUT).build().map_err(drop)
});

#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    description: String,
    parameters: Parameters,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parameters {
    retry_after: Option<u64>,
}

/// Writes `text` into `chat`.
///
/// # Errors
/// Permanent `telegram_unauthorized` for a token that is refused, `telegram_chat_wrong` for a chat that the bot may not
/// write to; transient `telegram_unreachable` and `telegram_busy` otherwise.
pub(super) async fn send(api: &str, token: &SecretString, chat: &str, text: &str) -> Result<(), StageError> {
    let token = token.expose_secret().trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_alphanumeric() || b":_-".contains(&b)) {
        return Err(StageError::permanent(
            "telegram_unauthorized",
            "the token has characters that no bot token has",
        ));
    }
    let client = CLIENT.as_ref().map_err(|()| unreachable("TLS cannot be set up"))?;
    let text: String = text.chars().take(LONGEST).collect();
    let body = json!({ "chat_id": chat, "text": text, "disable_web_page_preview": true });
    let url = format!("{}/bot{token}/sendMessage", api.trim_end_matches('/'));
    let answer = client.post(url).json(&body).send().await.map_err(|error| {
        unreachable(if error.is_timeout() { "no answer within 15 seconds" } else { "no connection" })
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let said: Said = answer.json().await.unwrap_or_default();
    let words: String = said.description.replace(token, "…").chars().take(MOST_WORDS).collect();
    let detail = format!("Telegram answered {}: {words}", status.as_u16());
    Err(match status.as_u16() {
        401 | 404 => StageError::permanent("telegram_unauthorized", detail),
        400 | 403 => StageError::permanent("telegram_chat_wrong", detail),
        429 => StageError::transient("telegram_busy", detail)
            .after(said.parameters.retry_after.map(Duration::from_secs)),
        _ => StageError::transient("telegram_unreachable", detail),
    })
}

fn unreachable(why: &str) -> StageError {
    StageError::transient("telegram_unreachable", format!("Telegram's API: {why}"))
}
