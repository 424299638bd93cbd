//! Telling the owner outside the app: desktop, Telegram, an address of the owner's, mail. Each has its own choice of
//! classes and its own pace. The inbox is the truth; what a channel could not tell is told by the others.
//!
//! `tasks/notify_owner.rs` runs [`run`], the settings page [`try_out`].

mod desktop;
mod message;
mod pace;
mod telegram;
mod words;

use chotdon_domain::channel::Channel;
use chotdon_store::{Aftermath, Claimed, STOPPED, Store, Telling};
use serde_json::Value;

pub(crate) use desktop::Desktop;
pub(crate) use pace::Pace;

use crate::config::{Config, MailTransport};
use crate::secrets::SecretName;
use crate::shop::Floor;
use crate::workers::{ErrorClass, Next, StageContext, StageError, StageOutcome, Until};
use message::Message;

/// More notices than this at once are one message.
const TOGETHER: usize = 4;
/// Notices that were held over the quiet hours are one message, so shortly after these, ms.
const MORNING_MS: i64 = 120_000;

/// Tells the store which channels want which notices.
pub(crate) fn tune(store: &Store, config: &Config) {
    for channel in Channel::ALL {
        store.tuning().tell(channel, least(config, channel));
    }
}

/// Whether anything but the desktop tells the owner.
pub(crate) fn reaches_elsewhere(config: &Config) -> bool {
    Channel::ALL.into_iter().any(|channel| channel != Channel::Desktop && least(config, channel) > 0)
}

/// The least urgent class that a channel tells of; 0 = it is off.
fn least(config: &Config, channel: Channel) -> i64 {
    let told = &config.notifications;
    let (on, about) = match channel {
        Channel::Desktop => (told.desktop, told.desktop_about),
        Channel::Telegram => (!told.telegram_chat.trim().is_empty(), told.telegram_about),
        Channel::Webhook => (told.webhook_url.is_some(), told.webhook_about),
        Channel::Mail => {
            (!told.mail_to.trim().is_empty() && config.mail.transport != MailTransport::None, told.mail_about)
        }
    };
    if on { about.class() } else { 0 }
}

/// The stage `show` of a task: tells one notice over one channel, or everything that waits for it in one message.
pub(crate) async fn run(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let payload: Value = serde_json::from_str(&task.payload).unwrap_or_default();
    let id = payload.get("notice").and_then(Value::as_i64);
    let id = id.ok_or_else(|| StageError::permanent("internal", "the task names no notice"))?;
    let channel =
        payload.get("channel").and_then(Value::as_str).and_then(Channel::parse).unwrap_or(Channel::Desktop);
    let unreadable = |error: chotdon_store::Error| StageError::transient("internal", error.to_string());
    let _turn = floor.pace.turn(channel).await;
    let Some(own) = floor.store.telling(id, channel).await.map_err(unreadable)? else {
        return Ok(StageOutcome::done());
    };
    let (config, now) = (floor.config(), floor.clock.now_ms());
    // What the owner has seen in the app, or what was told together with others, needs no message.
    if !own.is_news()
        || !floor.pace.is_news(channel, &own)
        || own.notice.class > least(&config, channel)
        || is_about(&own, channel)
    {
        return Ok(StageOutcome::done());
    }
    let quiet = pace::quiet_until(&config, now);
    if let (Some(end), true) = (quiet, own.notice.class > STOPPED) {
        return Ok(StageOutcome { next: Next::Later(end), ..StageOutcome::done() });
    }
    if let Err(later) = floor.pace.take(channel, now) {
        return Ok(StageOutcome { next: Next::Later(later), ..StageOutcome::done() });
    }
    let mut waiting = floor.store.to_tell(channel, now).await.map_err(unreadable)?;
    waiting.retain(|other| {
        let now_too = quiet.is_none() || other.notice.class <= STOPPED;
        now_too
            && other.notice.id != id
            && other.notice.class <= least(&config, channel)
            && !is_about(other, channel)
            && floor.pace.is_news(channel, other)
    });
    let after_the_night = quiet.is_none() && pace::quiet_until(&config, now - MORNING_MS).is_some();
    let together = waiting.len() + 1 >= TOGETHER || (after_the_night && !waiting.is_empty());
    let told: Vec<Telling> = if together { std::iter::once(own).chain(waiting).collect() } else { vec![own] };
    let message = Message::of(&told, &config);
    if let Err(error) = send(floor, channel, &message, cx).await {
        floor.pace.give_back(channel, now);
        return Err(error);
    }
    floor.pace.has_told(channel, &told, now);
    let notices = told.iter().map(|one| one.notice.id).collect();
    Ok(StageOutcome { aftermath: Aftermath::Told { notices, channel }, ..StageOutcome::done() })
}

/// Whether the notice is that this very channel cannot be used: others tell of it.
fn is_about(telling: &Telling, channel: Channel) -> bool {
    let key = |name: &str| telling.notice.merge_key == chotdon_store::service_key(name);
    key(service(channel)) || (channel == Channel::Mail && key("smtp"))
}

/// The outside service behind a channel.
fn service(channel: Channel) -> &'static str {
    match channel {
        Channel::Desktop => "desktop",
        Channel::Telegram => "telegram",
        Channel::Webhook => "alert_webhook",
        Channel::Mail => "owner_mail",
    }
}

/// Sends a test over a channel now, whatever its classes, pace and past failures.
///
/// # Errors
/// What the owner has to mend, with a code for the words.
pub(crate) async fn try_out(floor: &Floor, channel: Channel) -> Result<(), StageError> {
    deliver(floor, channel, &Message::test(&floor.config(), floor.clock.now_ms())).await
}

async fn send(
    floor: &Floor,
    channel: Channel,
    message: &Message,
    cx: &StageContext,
) -> Result<(), StageError> {
    if channel == Channel::Desktop {
        // A desktop without a notification daemon loses nothing but the pop-up.
        if let Err(why) = floor.desktop.show(message.toast()).await {
            tracing::info!(%why, "not shown on the desktop");
        }
        return Ok(());
    }
    let name = service(channel);
    let sending = async {
        // What only the owner can mend holds up the channel, not one message after another. A login that the mail
        // server refuses holds up all mail.
        deliver(floor, channel, message).await.map_err(|error| match (error.code, error.class) {
            ("mail_auth", _) => StageError::parks("smtp", error.code, error.detail, Until::Change),
            (_, ErrorClass::Permanent) => StageError::parks(name, error.code, error.detail, Until::Change),
            _ => error,
        })
    };
    floor.services.through(name, cx, sending).await
}

async fn deliver(floor: &Floor, channel: Channel, message: &Message) -> Result<(), StageError> {
    let (config, now) = (floor.config(), floor.clock.now_ms());
    let told = &config.notifications;
    match channel {
        Channel::Desktop => floor
            .desktop
            .show(message.toast())
            .await
            .map_err(|why| StageError::permanent("notifications_unavailable", why)),
        Channel::Telegram => {
            let token = floor
                .credentials
                .get(&SecretName::telegram_bot_token(), now)
                .await
                .map_err(|error| StageError::transient("secret_store_unavailable", error.to_string()))?
                .ok_or_else(|| {
                    StageError::permanent(
                        "telegram_token_missing",
                        "the secret telegram.bot_token is not set",
                    )
                })?;
            telegram::send(&told.telegram_api, &token, told.telegram_chat.trim(), &message.plain()).await
        }
        Channel::Webhook => {
            let Some(url) = &told.webhook_url else {
                return Err(StageError::permanent(
                    "webhook_address_refused",
                    "notifications.webhook_url is not set",
                ));
            };
            let secret = SecretName::alerts_webhook_secret();
            let signed = crate::outgoing::Signed {
                to: "the address of notifications.webhook_url",
                url,
                private: told.webhook_private,
                secret: &secret,
                id: &message.id(),
                body: message.json(now),
            };
            let status = floor.alert_caller.post(signed, &floor.credentials, now).await?;
            match status.as_u16() {
                200..=299 => Ok(()),
                410 => Err(StageError::permanent("webhook_gone", "the address answered 410 Gone")),
                _ => Err(StageError::transient("webhook_refused", format!("the address answered {status}"))),
            }
        }
        Channel::Mail => {
            let to = told.mail_to.trim();
            if to.is_empty() {
                return Err(StageError::permanent("mail_not_set_up", "notifications.mail_to is not set"));
            }
            floor.transport().await?.send(now, &message.mail(to, &config)).await.map(drop)
        }
    }
}
