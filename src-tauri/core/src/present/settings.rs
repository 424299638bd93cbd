//! Settings, bank accounts, courses.

use chotdon_store::read::AccountRecord;

use crate::config::Config;
use crate::secrets::Listed;
use crate::views::{
    AccessSettings, BackupSettings, BankAccount, ChannelSettings, LimitSettings, MailSettings,
    NotificationSettings, OrderSettings, SecretRow, SepaySettings, Settings, ShopSettings, WorkerSettings,
};

/// The settings page; `sepay` and the secrets come from the running shop.
pub(crate) fn settings(
    config: &Config,
    sepay: SepaySettings,
    accounts: &[AccountRecord],
    secrets: Vec<SecretRow>,
    secret_store: &str,
) -> Settings {
    Settings {
        shop: ShopSettings {
            name: config.shop.name.clone(),
            language: config.shop.language.as_str().to_owned(),
        },
        sepay,
        bank_accounts: accounts.iter().map(bank_account).collect(),
        mail: MailSettings {
            transport: config.mail.transport.as_str().to_owned(),
            host: config.mail.host.clone(),
            port: config.mail.port,
            tls: config.mail.tls.as_str().to_owned(),
            user: config.mail.user.clone(),
            from: config.mail.from.clone(),
        },
        tunnel: super::tunnel_settings(config),
        workers: WorkerSettings {
            count: config.workers.count,
            lease_s: config.queue.lease_s,
            retry_base_s: config.queue.retry_base_s,
            retry_max: config.queue.retry_max,
        },
        orders: OrderSettings {
            expire_after_min: config.orders.expire_after_min,
            tolerance_vnd: config.orders.tolerance_vnd,
            link_days: config.orders.link_days,
            link_max_downloads: config.orders.link_max_downloads,
        },
        notifications: NotificationSettings {
            desktop: config.notifications.desktop,
            quiet_from: config.notifications.quiet_from.clone(),
            quiet_to: config.notifications.quiet_to.clone(),
        },
        channels: channels(config),
        backup: BackupSettings {
            daily: config.backup.daily,
            at: config.backup.at.clone(),
            keep: config.backup.keep,
            folder: config.backup.folder.clone().unwrap_or_default(),
        },
        limits: LimitSettings {
            enabled: config.limits.enabled,
            visitor_per_s: config.limits.visitor_per_s,
            visitors_per_s: config.limits.visitors_per_s,
            refused_per_s: config.limits.refused_per_s,
            key_per_s: config.limits.key_per_s,
            connections: config.limits.connections,
        },
        access: AccessSettings {
            allowed_hosts: config.public.allowed_hosts.clone(),
            client_ip_header: config.public.client_ip_header.clone(),
            allowed_ips: config.sepay.allowed_ips.clone(),
        },
        secrets,
        secret_store: secret_store.to_owned(),
    }
}

fn channels(config: &Config) -> ChannelSettings {
    let told = &config.notifications;
    ChannelSettings {
        desktop_about: told.desktop_about.as_str().to_owned(),
        telegram_chat: told.telegram_chat.clone(),
        telegram_about: told.telegram_about.as_str().to_owned(),
        webhook_url: told.webhook_url.clone().unwrap_or_default(),
        webhook_about: told.webhook_about.as_str().to_owned(),
        webhook_private: told.webhook_private,
        mail_to: told.mail_to.clone(),
        mail_about: told.mail_about.as_str().to_owned(),
    }
}

/// Whether a secret is set; never the value.
pub(crate) fn secret_row(listed: Listed) -> SecretRow {
    SecretRow { name: listed.name.as_str().to_owned(), set: listed.set, hint: listed.hint }
}

/// A bank account.
fn bank_account(account: &AccountRecord) -> BankAccount {
    BankAccount {
        id: Some(account.id),
        bank: account.bank.clone(),
        bin: Some(account.bin.clone()),
        account: account.account.clone(),
        holder: account.holder.clone(),
        virtual_account: account.virtual_account.clone(),
        memo_prefix: account.memo_prefix.clone(),
        preferred: account.preferred,
    }
}
