//! `secret …` and `admin-token`: values come in by standard input and, but for what we made up, never go out.

use std::io::{IsTerminal, Read, Write};

use anyhow::anyhow;
use chotdon_core::secrets::{self, OVERLAP, SecretName};
use secrecy::{ExposeSecret, SecretString};

use crate::cli::SecretAction;
use crate::end::End;
use crate::place::{Place, now_ms};
use crate::running;

pub(crate) async fn run(place: &Place, action: SecretAction) -> Result<(), End> {
    match action {
        SecretAction::Set { name } => set(place, &parse(&name)?).await,
        SecretAction::List => list(place).await,
        SecretAction::Rotate { name } => rotate(place, &parse(&name)?).await,
        SecretAction::Delete { name } => delete(place, &parse(&name)?).await,
    }
}

/// Prints the token of the private listener; it is made when the shop has none yet.
pub(crate) async fn admin_token(place: &Place) -> Result<(), End> {
    let token = place.credentials().await?.get_or_generate(&SecretName::admin_token()).await?;
    print_line(token.expose_secret())
}

async fn set(place: &Place, name: &SecretName) -> Result<(), End> {
    let value =
        read_value()?.ok_or_else(|| End::usage("no value came in by standard input; nothing was changed"))?;
    place.credentials().await?.set(name, value).await?;
    running::poke(place).await;
    Ok(())
}

async fn rotate(place: &Place, name: &SecretName) -> Result<(), End> {
    let given = read_value()?;
    if given.is_none() && !name.may_be_generated() {
        return Err(End::usage(format!(
            "{name} is given by the other side: send the new value by standard input"
        )));
    }
    let value = given.clone().unwrap_or_else(secrets::generate);
    place.credentials().await?.rotate(name, value.clone(), now_ms(), OVERLAP).await?;
    if given.is_none() {
        print_line(value.expose_secret())?;
    }
    eprintln!("chotdon-server: {name} is rotated; the value before stays good for 24 hours");
    running::poke(place).await;
    Ok(())
}

async fn delete(place: &Place, name: &SecretName) -> Result<(), End> {
    place.credentials().await?.delete(name).await?;
    running::poke(place).await;
    Ok(())
}

async fn list(place: &Place) -> Result<(), End> {
    let credentials = place.credentials().await?;
    let mut text = format!("stored in: {}\n", credentials.kind());
    for row in credentials.list(now_ms()).await? {
        let state = match (row.set, row.hint) {
            (true, Some(hint)) => format!("set (…{hint})"),
            (true, None) => "set".to_owned(),
            (false, _) => "not set".to_owned(),
        };
        let overlap = row.previous_until.and_then(|until| jiff::Timestamp::from_millisecond(until).ok());
        let overlap =
            overlap.map(|until| format!(", previous value good until {until:.0}")).unwrap_or_default();
        text.push_str(&format!("{:<24}{state}{overlap}\n", row.name.as_str()));
    }
    print_line(text.trim_end())
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
    let mut text = String::new();
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
