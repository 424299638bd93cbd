//! The commands that read or change the shop's database.

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use chotdon_core::backup;
use chotdon_core::config::Config;
use chotdon_core::diagnostics;
use chotdon_core::http::storefront::SCOPES;
use chotdon_core::private_file;
use chotdon_core::store::{AuditHead, Contents};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::cli::KeyAction;
use crate::end::End;
use crate::import_file::{ImportFile, Shop};
use crate::place::{Place, now_ms};
use crate::running;
use crate::secret::print_line;
use crate::shop_data::ShopData;

pub(crate) async fn storefront_key(place: &Place, action: KeyAction) -> Result<(), End> {
    match action {
        KeyAction::Create { name, scopes } => {
            let good = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if name.is_empty() || name.len() > 64 || !good(&name) {
                return Err(End::usage("names are made of letters, digits, `-`, `_` and `.`, at most 64"));
            }
            if let Some(odd) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
                return Err(End::usage(format!(
                    "there is no scope `{odd}`; known are {}",
                    SCOPES.join(", ")
                )));
            }
            let scopes = if scopes.is_empty() { "*".to_owned() } else { scopes.join(" ") };
            let data = ShopData::open_or_create(place).await?;
            let key = data.create_key(&name, &scopes).await?;
            data.close().await;
            print_line(key.expose_secret())
        }
        KeyAction::List => {
            let data = ShopData::open(place).await?;
            for key in data.keys().await? {
                let end = key
                    .revoked_at
                    .map(|at| format!("revoked {}", day(at)))
                    .unwrap_or_else(|| "valid".to_owned());
                print_line(&format!(
                    "{:<24}{:<16}created {}  {end}",
                    key.name,
                    key.scopes,
                    day(key.created_at)
                ))?;
            }
            data.close().await;
            Ok(())
        }
        KeyAction::Revoke { name } => {
            let data = ShopData::open(place).await?;
            data.revoke_key(&name).await?;
            data.close().await;
            running::poke(place).await;
            Ok(())
        }
    }
}

/// Prints what was brought over as one line of JSON.
pub(crate) async fn import(place: &Place, file: &Path) -> Result<(), End> {
    let text =
        std::fs::read_to_string(file).map_err(|error| End::failed(anyhow!("{}: {error}", file.display())))?;
    let file_name = file.display().to_string();
    let file = ImportFile::parse(&text).map_err(|error| End::failed(anyhow!("{file_name}: {error}")))?;
    let config = place.config(false)?;
    let data = ShopData::open_or_create(place).await?;
    let counts = data.bring_over(&file, config.orders.expire_after_min).await?;
    data.close().await;
    if let Some(shop) = &file.shop {
        name_shop(place, &config, shop)?;
    }
    running::poke(place).await;
    print_line(&json!(counts).to_string())
}

/// The shop's name goes into `config.toml`, unless it is there already.
fn name_shop(place: &Place, config: &Config, shop: &Shop) -> Result<(), End> {
    let mut changes = serde_json::Map::new();
    if let Some(name) = shop.name.as_ref().filter(|name| **name != config.shop.name) {
        changes.insert("name".to_owned(), json!(name));
    }
    if let Some(language) =
        shop.language.as_ref().filter(|language| *language != config.shop.language.as_str())
    {
        changes.insert("language".to_owned(), json!(language));
    }
    if changes.is_empty() {
        return Ok(());
    }
    Config::save_section(&place.data_dir, "shop", &changes).map_err(End::failed)
}

pub(crate) async fn export(place: &Place) -> Result<(), End> {
    let data = ShopData::open(place).await?;
    let mut file = data.take_along().await?;
    data.record("export", "shop", json!({ "orders": file.order.len() })).await?;
    data.close().await;
    let config = place.config(false)?;
    file.shop = Some(Shop {
        name: Some(config.shop.name).filter(|name| !name.is_empty()),
        language: Some(config.shop.language.as_str().to_owned()),
    });
    print_line(toml::to_string(&file).map_err(End::failed)?.trim_end())
}

pub(crate) async fn backup(place: &Place, file: &Path) -> Result<(), End> {
    let data = ShopData::open(place).await?;
    data.record("backup", &file.display().to_string(), json!({})).await?;
    let made = data.back_up(&place.data_dir, file).await;
    data.close().await;
    let made = made?;
    let Contents { counts, .. } = &made.contents;
    print_line(
        &json!({
            "file": made.file, "bytes": made.bytes, "orders": counts.orders, "customers": counts.customers,
            "transfers": counts.transfers, "in_vnd": counts.in_vnd,
        })
        .to_string(),
    )
}

/// Prints what is in the copy, and what became of the shop before it, as one line of JSON.
pub(crate) async fn restore(place: &Place, file: &Path, dry_run: bool) -> Result<(), End> {
    let (contents, aside) = if dry_run {
        (backup::check(file).await?, None)
    } else {
        let restored = backup::restore_now(&place.data_dir, file, "cli", now_ms()).await?;
        accept_record(place).await;
        (restored.contents, Some(restored.aside))
    };
    let counts = &contents.counts;
    let made_at = contents.made_at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    print_line(
        &json!({
            "restored": !dry_run, "made_at": made_at.map(|at| at.to_string()), "version": contents.version,
            "orders": counts.orders, "customers": counts.customers, "courses": counts.courses,
            "transfers": counts.transfers, "in_vnd": counts.in_vnd, "open_tasks": counts.open_tasks,
            "kept_aside": aside, "paused": !dry_run,
        })
        .to_string(),
    )?;
    if !dry_run {
        eprintln!(
            "chotdon-server: deliveries are paused. Start the shop, let it reconcile with SePay, look at the queue, then resume. \
             Secrets are not in a backup: on a new machine set them again with `secret set`."
        );
    }
    Ok(())
}

/// Prints the names of the files in the bundle.
pub(crate) fn diagnostics(place: &Place, file: &Path) -> Result<(), End> {
    let named = |error: std::io::Error| End::failed(anyhow!("{}: {error}", file.display()));
    let files = diagnostics::files(&place.data_dir, &place.config(false)?).map_err(named)?;
    let zip = diagnostics::bundle(&files).map_err(named)?;
    private_file::create_new(file).and_then(|mut out| out.write_all(&zip)).map_err(named)?;
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    print_line(&json!({ "file": file, "bytes": zip.len(), "files": names }).to_string())
}

/// Prints what was found as one line of JSON; each problem on standard error too.
pub(crate) async fn verify(place: &Place) -> Result<(), End> {
    let data = ShopData::open(place).await?;
    let findings = data.verify(kept_head(place).await.as_ref()).await?;
    data.close().await;
    print_line(
        &json!({
            "ok": findings.problems.is_empty(),
            "transfers": findings.transfers,
            "ledger_rows": findings.ledger_rows,
            "problems": findings.problems,
        })
        .to_string(),
    )?;
    match findings.problems.len() {
        0 => Ok(()),
        1 => Err(End::failed(anyhow!("{}", findings.problems[0]))),
        n => Err(End::failed(anyhow!("{n} problems; the first: {}", findings.problems[0]))),
    }
}

/// The record goes back with the shop. Where the secret store cannot be opened now, the running shop tells the owner.
async fn accept_record(place: &Place) {
    let accepted = async {
        let secrets = place.secret_store(place.has_demo_key()).await?;
        let data = ShopData::open(place).await?;
        let accepted = data.accept_record(secrets).await;
        data.close().await;
        accepted
    };
    if let Err(end) = accepted.await {
        eprintln!("chotdon-server: the record of actions will be shown as cut until you accept it: {end}");
    }
}

/// The end of the record that the secret store vouches for. A store that cannot be opened only leaves it out.
async fn kept_head(place: &Place) -> Option<AuditHead> {
    let kept = match place.secret_store(place.has_demo_key()).await {
        Ok(store) => chotdon_core::kept_head(&*store).await.map_err(End::from),
        Err(end) => Err(end),
    };
    kept.unwrap_or_else(|end| {
        eprintln!("chotdon-server: the end of the record of actions is not checked: {end}");
        None
    })
}

fn day(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}
