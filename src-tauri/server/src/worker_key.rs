//! `worker-key …`: who may work for the shop from another machine, beside a running shop.

use secrecy::ExposeSecret;

use crate::cli::WorkerKeyAction;
use crate::end::End;
use crate::place::Place;
use crate::running;
use crate::secret::print_line;
use crate::shop_data::ShopData;

pub(crate) async fn run(place: &Place, action: WorkerKeyAction) -> Result<(), End> {
    if matches!(action, WorkerKeyAction::List) {
        return list(place).await;
    }
    // The keys lie in the secret store, because a signature is checked with the key itself.
    let credentials = place.credentials().await?;
    let data = match &action {
        WorkerKeyAction::Create { .. } => ShopData::open_or_create(place).await?,
        _ => ShopData::open(place).await?,
    };
    let keys = data.worker_keys(&credentials);
    let key = match &action {
        WorkerKeyAction::Create { name } => Some(keys.create(name).await?),
        WorkerKeyAction::Rotate { name } => Some(keys.rotate(name).await?),
        WorkerKeyAction::Revoke { name } => {
            keys.revoke(name).await?;
            None
        }
        WorkerKeyAction::List => None,
    };
    data.close().await;
    running::poke(place).await;
    if matches!(action, WorkerKeyAction::Rotate { .. }) {
        eprintln!("chotdon-server: the key before stays good for 24 hours");
    }
    key.map_or(Ok(()), |key| print_line(key.expose_secret()))
}

async fn list(place: &Place) -> Result<(), End> {
    let data = ShopData::open(place).await?;
    for worker in data.workers().await? {
        let state = match (worker.revoked_at, worker.previous_until) {
            (Some(at), _) => format!("revoked {}", time(at)),
            (None, Some(until)) => format!("valid, the key before until {}", time(until)),
            (None, None) => "valid".to_owned(),
        };
        let seen = worker.seen_at.map_or_else(|| "never".to_owned(), time);
        print_line(&format!(
            "{:<24}{:<18}created {}  seen {seen}  {state}",
            worker.name,
            worker.key_id,
            time(worker.created_at)
        ))?;
    }
    data.close().await;
    Ok(())
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| format!("{at:.0}"))
}
