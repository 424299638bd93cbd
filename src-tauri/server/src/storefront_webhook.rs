//! `storefront-webhook …`: where storefronts are told what happens, beside a running shop.

use anyhow::anyhow;
use chotdon_core::outgoing::{check_url, new_secret};
use chotdon_core::secrets::{OVERLAP, SecretName};
use secrecy::ExposeSecret;

use crate::cli::WebhookAction;
use crate::end::End;
use crate::place::{Place, now_ms};
use crate::running;
use crate::secret::print_line;
use crate::shop_data::ShopData;

pub(crate) async fn run(place: &Place, action: WebhookAction) -> Result<(), End> {
    match action {
        WebhookAction::Add { name, url, events } => add(place, &name, &url, &events).await?,
        WebhookAction::List => list(place).await?,
        WebhookAction::Remove { name } => {
            let data = ShopData::open(place).await?;
            data.remove_endpoint(&name).await?;
            let credentials = place.credentials().await?;
            data.changes(&credentials).delete(&secret_of(&name)?).await?;
            data.close().await;
        }
        WebhookAction::Rotate { name } => {
            let data = ShopData::open(place).await?;
            let known = data.endpoints().await?.iter().any(|endpoint| endpoint.name == name);
            if !known {
                return Err(End::failed(anyhow!("there is no webhook endpoint `{name}`")));
            }
            let secret = new_secret();
            let credentials = place.credentials().await?;
            data.changes(&credentials).rotate(&secret_of(&name)?, secret.clone(), OVERLAP).await?;
            data.close().await;
            eprintln!("chotdon-server: for 24 hours every webhook is signed with both secrets");
            print_line(secret.expose_secret())?;
        }
        WebhookAction::Test { name } => {
            let data = ShopData::open(place).await?;
            let id = data.test_endpoint(&name).await?;
            data.close().await;
            eprintln!("chotdon-server: a webhook.test is queued; the running shop sends it");
            print_line(&id)?;
        }
    }
    running::poke(place).await;
    Ok(())
}

/// Prints the endpoint's secret, when it is a new one.
async fn add(place: &Place, name: &str, url: &str, events: &[String]) -> Result<(), End> {
    let secret_name = secret_of(name)?;
    let url = check_url(url, true).map_err(End::usage)?;
    if check_url(url.as_str(), false).is_err() && !place.config(false)?.storefront.private_webhooks {
        eprintln!(
            "chotdon-server: {url} is on this machine or in the local network: outside of a demo it is called only with storefront.private_webhooks = true"
        );
    }
    let data = ShopData::open_or_create(place).await?;
    data.save_endpoint(name, url.as_str(), events).await?;
    let credentials = place.credentials().await?;
    if credentials.get(&secret_name, now_ms()).await?.is_some() {
        eprintln!("chotdon-server: the endpoint keeps its secret; `rotate` makes a new one");
        return Ok(());
    }
    let secret = new_secret();
    data.changes(&credentials).set(&secret_name, secret.clone()).await?;
    data.close().await;
    print_line(secret.expose_secret())
}

async fn list(place: &Place) -> Result<(), End> {
    let data = ShopData::open(place).await?;
    for endpoint in data.endpoints().await? {
        let state = match endpoint.disabled_reason.as_deref() {
            Some("gone") => "off: it answered 410",
            Some(_) => "off",
            None => "on",
        };
        print_line(&format!(
            "{:<20}{:<24}{}  {state}, {} waiting, {} failed",
            endpoint.name, endpoint.events, endpoint.url, endpoint.waiting, endpoint.failed
        ))?;
    }
    data.close().await;
    Ok(())
}

fn secret_of(name: &str) -> Result<SecretName, End> {
    SecretName::webhook(name)
        .map_err(|_| End::usage("names are made of letters, digits, `-` and `_`, at most 64"))
}
