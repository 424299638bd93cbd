//! `simulate-transfer`: a SePay webhook as SePay would send it, signed with the shop's own secret.

use anyhow::anyhow;
use chotdon_core::secrets::SecretName;
use chotdon_core::sepay::{Direction, Notification, sign};
use chotdon_core::views::SimulatedTransfer;
use secrecy::ExposeSecret;

use crate::cli::Simulate;
use crate::end::End;
use crate::environment::Environment;
use crate::place::{Place, now_ms};
use crate::running::{self, Running};
use crate::secret::print_line;
use crate::shop_data::ShopData;

pub(crate) async fn simulate(args: Simulate, environment: &Environment) -> Result<(), End> {
    let place = Place::of(&args.shop, environment)?;
    let running = Running::find(&place.data_dir).ok_or_else(|| {
        End::later(anyhow!("no running shop in {}; start it with serve", place.data_dir.display()))
    })?;
    let transfer = transfer(&place, &args).await?;
    let body = transfer.to_body();
    let credentials = place.credentials().await?;
    let now = now_ms();
    let request = running::client()?
        .post(format!("{}/api/v1/payment/webhook", running.public))
        .header("content-type", "application/json");
    let request = if let Some(secret) = credentials.get(&SecretName::sepay_hmac_secret(), now).await? {
        let timestamp = (now / 1000).to_string();
        let signature = sign(secret.expose_secret().as_bytes(), &timestamp, &body);
        request.header("x-sepay-timestamp", timestamp).header("x-sepay-signature", signature)
    } else if let Some(key) = credentials.get(&SecretName::sepay_api_key(), now).await? {
        request.header("authorization", format!("Apikey {}", key.expose_secret()))
    } else {
        return Err(End::failed(anyhow!(
            "the shop has neither sepay.hmac_secret nor sepay.api_key; set one with `secret set`"
        )));
    };
    let answer =
        request.body(body).send().await.map_err(|error| {
            End::later(anyhow!("the running shop does not answer: {}", error.without_url()))
        })?;
    let status = answer.status();
    let text = answer.text().await.map_err(End::failed)?;
    let shown = SimulatedTransfer {
        sepay_id: transfer.sepay_id,
        http_status: status.as_u16(),
        answer: serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)),
    };
    print_line(&serde_json::to_string(&shown).map_err(End::failed)?)?;
    match status.as_u16() {
        200..=299 => Ok(()),
        429 | 503 => Err(End::later(anyhow!("the shop cannot take the transfer now ({status})"))),
        _ => Err(End::failed(anyhow!("the shop refused the transfer ({status})"))),
    }
}

async fn transfer(place: &Place, args: &Simulate) -> Result<Notification, End> {
    let data = ShopData::open(place).await?;
    let (mut amount, mut content) = (args.amount, args.content.clone());
    if let Some(code) = &args.order {
        let owed = data.owed(code).await?;
        amount = amount.or(Some(owed));
        content = content.or_else(|| Some(code.clone()));
    }
    let amount_vnd = amount.filter(|amount| *amount > 0);
    let amount_vnd = amount_vnd.ok_or_else(|| End::usage("--amount must be whole đồng above 0"))?;
    // An account that is not the shop's would make every transfer an unmatched one.
    let (gateway, account) =
        data.preferred_account().await?.unwrap_or_else(|| ("MBBank".to_owned(), String::new()));
    data.close().await;
    let content = content.unwrap_or_default();
    let now = now_ms();
    // Real ids are below 100 million today; drawn ones stay clear of them.
    let sepay_id = args.id.unwrap_or_else(|| rand::random_range(1_000_000_000_000..9_000_000_000_000));
    Ok(Notification {
        sepay_id,
        gateway,
        booked_at: Some(now),
        account: args.account.clone().unwrap_or(account),
        sub_account: String::new(),
        code: String::new(),
        description: format!("BankAPINotify {content}"),
        content,
        direction: Direction::In,
        amount_vnd,
        accumulated: None,
        reference: format!("SIM{sepay_id}"),
    })
}
