//! How much of each service is used, by the settings.

use super::gate::Limits;
use crate::config::{Config, MailTransport};

/// The services that every shop has.
pub(super) const EVERY_SHOP: &[&str] = &["drive", "drive_sharing", "drive_upload", "rclone", "smtp"];

/// Ways to the owner that are services of others.
const CHANNELS: &[&str] = &["telegram", "alert_webhook", "owner_mail"];

/// Whether a service may have this name: one that every shop has, a platform or a source.
pub(crate) fn known(name: &str) -> bool {
    let named = |kind: &str| {
        name.strip_prefix(kind).is_some_and(|rest| {
            !rest.is_empty()
                && rest.len() <= 100
                && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
        })
    };
    EVERY_SHOP.contains(&name) || CHANNELS.contains(&name) || named("lms:") || named("source:")
}

/// The limits of the service of this name.
pub(super) fn limits(config: &Config, name: &str) -> Limits {
    let services = &config.services;
    let kind = name.split(':').next().unwrap_or(name);
    let (at_once, every_ms, per_day) = match kind {
        "drive" | "drive_upload" => (services.drive, 0, 0),
        "drive_sharing" => {
            (services.drive, i64::from(services.share_every_s) * 1000, config.drive.shares_per_day)
        }
        // A folder of this machine takes as much as there are workers.
        "smtp" if config.mail.transport != MailTransport::Smtp => (u16::MAX, 0, 0),
        "smtp" => (services.smtp, 0, services.mails_per_day),
        "telegram" | "alert_webhook" | "owner_mail" => (1, 0, 0),
        "lms" => (services.lms, 0, 0),
        "rclone" => (services.rclone, 0, 0),
        _ => (services.source, 0, 0),
    };
    Limits {
        at_once: usize::from(at_once),
        every_ms,
        per_day: i64::from(per_day),
        breaks_after: u32::from(services.breaks_after),
        break_ms: i64::from(services.break_s) * 1000,
    }
}
