//! `secret …` and `admin-token`: values come in by standard input and, but for what we made up, never go out.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Write};
use std::time::Duration;

use anyhow::anyhow;
use chotdon_core::secrets::{self, SecretName};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::cli::{SecretAction, SecretsIn};
use crate::end::End;
use crate::place::{Place, now_ms};
use crate::running::{self, Running};
use crate::shop_data::ShopData;

pub(crate) async fn run(place: &Place, action: SecretAction) -> Result<(), End> {
    match action {
        SecretAction::Set { name } => set(place, &parse(&name)?).await,
        SecretAction::List => list(place).await,
        SecretAction::Rotate { name, overlap } => rotate(place, &parse(&name)?, overlap).await,
        SecretAction::Revoke { name } => revoke(place, &parse(&name)?).await,
        SecretAction::Delete { name } => delete(place, &parse(&name)?).await,
        SecretAction::Move { to } => move_to(place, to).await,
    }
}

/// Prints the token of the private listener; it is made when the shop has none yet.
pub(crate) async fn admin_token(place: &Place) -> Result<(), End> {
    let token = place.credentials().await?.get_or_generate(&SecretName::admin_token()).await?;
    if let Ok(data) = ShopData::open(place).await {
        data.record("secret.show", SecretName::admin_token().as_str(), serde_json::json!({})).await?;
        data.close().await;
    }
    print_line(token.expose_secret())
}

async fn set(place: &Place, name: &SecretName) -> Result<(), End> {
    let value =
        read_value()?.ok_or_else(|| End::usage("no value came in by standard input; nothing was changed"))?;
    let credentials = place.credentials().await?;
    let data = ShopData::open_or_create(place).await?;
    data.changes(&credentials).set(name, value).await?;
    data.close().await;
    running::poke(place).await;
    Ok(())
}

async fn rotate(place: &Place, name: &SecretName, overlap: Option<Duration>) -> Result<(), End> {
    let given = read_value()?;
    if given.is_none() && !name.may_be_generated() {
        return Err(End::usage(format!(
            "{name} is given by the other side: send the new value by standard input"
        )));
    }
    let overlap = match overlap {
        Some(overlap) => overlap,
        None => Duration::from_secs(u64::from(place.config(false)?.secrets.overlap_h) * 3600),
    };
    let value = given.clone().unwrap_or_else(|| secrets::generate_for(name));
    let credentials = place.credentials().await?;
    let data = ShopData::open_or_create(place).await?;
    let until = data.changes(&credentials).rotate(name, value.clone(), overlap).await?;
    data.close().await;
    if given.is_none() {
        print_line(value.expose_secret())?;
    }
    if overlap.is_zero() {
        eprintln!("chotdon-server: {name} is rotated; the value before is void");
    } else {
        eprintln!("chotdon-server: {name} is rotated; the value before stays good until {}", time(until));
    }
    running::poke(place).await;
    Ok(())
}

async fn revoke(place: &Place, name: &SecretName) -> Result<(), End> {
    let credentials = place.credentials().await?;
    let data = ShopData::open(place).await?;
    data.changes(&credentials).revoke_previous(name).await?;
    data.close().await;
    running::poke(place).await;
    Ok(())
}

async fn delete(place: &Place, name: &SecretName) -> Result<(), End> {
    let credentials = place.credentials().await?;
    let data = ShopData::open_or_create(place).await?;
    data.changes(&credentials).delete(name).await?;
    data.close().await;
    running::poke(place).await;
    Ok(())
}

/// Copies every secret, reads the copies back, and only then removes the originals.
async fn move_to(place: &Place, to: SecretsIn) -> Result<(), End> {
    if Running::find(&place.data_dir).is_some() {
        return Err(End::later(anyhow!("the shop is running; stop it first (serve, or the app)")));
    }
    let from = place.secret_store(false).await?;
    let target = match to {
        SecretsIn::Keyring => "keyring",
        SecretsIn::File => "file",
    };
    if from.kind() == target {
        return Err(End::usage(format!("the secrets are in the {target} already")));
    }
    let moved = secrets::move_all(&*from, &*place.store_in(to).await?).await?;
    if to == SecretsIn::Keyring {
        secrets::FileSecrets::remove_from(&place.data_dir).map_err(|error| {
            End::failed(anyhow!("the secrets are moved, but the file is still there: {error}"))
        })?;
    }
    if let Ok(data) = ShopData::open(place).await {
        let how = serde_json::json!({ "from": from.kind(), "to": target });
        data.record("secret.move", "secrets", how).await?;
        data.close().await;
    }
    eprintln!("chotdon-server: {moved} entries are now in the {target}");
    Ok(())
}

async fn list(place: &Place) -> Result<(), End> {
    let credentials = place.credentials().await?;
    let ages = match ShopData::open(place).await {
        Ok(data) => {
            let ages = data.key_ages().await;
            data.close().await;
            ages?
        }
        Err(_) => BTreeMap::new(),
    };
    let now = now_ms();
    let mut text = format!("stored in: {}\n", credentials.kind());
    for row in credentials.list(now).await? {
        let state = match (row.set, row.hint) {
            (true, Some(hint)) => format!("set (…{hint})"),
            (true, None) => "set".to_owned(),
            (false, _) => "not set".to_owned(),
        };
        let age = ages.get(row.name.as_str()).filter(|_| row.set);
        let age = age.map(|(at, exact)| {
            let days = now.saturating_sub(*at).max(0) / (24 * 3_600_000);
            format!(", {}{days} days old", if *exact { "" } else { "at least " })
        });
        let overlap = row.previous_until.map(|until| format!(", previous value good until {}", time(until)));
        text.push_str(&format!(
            "{:<24}{state}{}{}\n",
            row.name.as_str(),
            age.unwrap_or_default(),
            overlap.unwrap_or_default()
        ));
    }
    print_line(text.trim_end())
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| format!("{at:.0}"))
}

fn parse(name: &str) -> Result<SecretName, End> {
    SecretName::parse(name).map_err(End::usage)
}

/// Standard input without the newline at its end; `None` when it is empty.
pub(crate) fn read_value() -> Result<Option<SecretString>, End> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("chotdon-server: type the value, then Enter and Ctrl-D");
    }
    let mut text = Zeroizing::new(String::new());
    input.read_to_string(&mut text).map_err(|error| End::usage(format!("standard input: {error}")))?;
    let value = SecretString::from(text.trim_end_matches(['\r', '\n']));
    Ok(Some(value).filter(|value| !value.expose_secret().is_empty()))
}

/// One line on standard output; a closed pipe is an error and not a panic.
pub(crate) fn print_line(text: &str) -> Result<(), End> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| End::failed(anyhow!("standard output: {error}")))
}
