//! Customers' wallets as people handle them: adjustments with a reason, and taking a movement back.

use serde_json::json;
use sqlx::Row;

use crate::ledger::{Account, Movement};
use crate::order_money;
use crate::orders::{audit, tell};
use crate::posting::post;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// Movements that can be taken back from the ledger; what a transfer did is undone on the transfer.
pub(crate) const REVERSIBLE: [&str; 3] = ["adjust", "surplus", "refund"];

impl Store {
    /// Adds `amount` whole đồng to a customer's wallet, or takes it out when below 0. The other side is the shop's own
    /// account. Returns the ledger row's id.
    ///
    /// # Errors
    /// [`Error::Refused`] `insufficient_funds` when the wallet holds less; [`Error::Invalid`] for 0.
    pub async fn adjust_wallet(
        &self,
        customer: i64,
        amount: i64,
        reason: &str,
        actor: &str,
        now: i64,
    ) -> Result<i64> {
        let (reason, actor) = (reason.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (reason, actor) = (reason.clone(), actor.clone());
                Box::pin(async move {
                    let wallet = Account::Wallet(customer);
                    let (from, to) =
                        if amount > 0 { (Account::Shop, wallet) } else { (wallet, Account::Shop) };
                    let size = amount.checked_abs().unwrap_or_default();
                    let row =
                        post(tx, &[Movement::new(now, from, to, size, "adjust").by(&actor, &reason)]).await?;
                    let data = json!({ "amount_vnd": amount, "reason": reason });
                    audit(tx, now, &actor, "wallet.adjust", &customer.to_string(), &data).await?;
                    Ok(row.first().copied().unwrap_or_default())
                })
            })
            .await
    }

    /// Takes a movement back by one in the other direction. Returns the new row's id.
    ///
    /// # Errors
    /// [`Error::Refused`] `not_reversible` for a movement of another kind, `already_reversed`, or
    /// `insufficient_funds` when the money is not there any more.
    pub async fn reverse(&self, row: i64, reason: &str, actor: &str, now: i64) -> Result<i64> {
        let (reason, actor) = (reason.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (reason, actor) = (reason.clone(), actor.clone());
                Box::pin(async move { reverse(tx, row, &reason, &actor, now).await })
            })
            .await
    }
}

async fn reverse(tx: &mut Tx, row: i64, reason: &str, actor: &str, now: i64) -> Result<i64> {
    let found = sqlx::query("SELECT debit, credit, amount_vnd, reason, reverses FROM ledger WHERE id = $1")
        .bind(row)
        .fetch_optional(&mut tx.conn)
        .await?
        .ok_or_else(|| Error::NotFound(format!("ledger row {row}")))?;
    let account = |column: &str| -> Result<Account> {
        let name: &str = found.try_get(column)?;
        Account::parse(name).ok_or_else(|| Error::Unusable(format!("unknown account {name}")))
    };
    let (debit, credit) = (account("debit")?, account("credit")?);
    let (amount, kind): (i64, String) = (found.try_get("amount_vnd")?, found.try_get("reason")?);
    let is_reversal = found.try_get::<Option<i64>, _>("reverses")?.is_some();
    if is_reversal || !REVERSIBLE.contains(&kind.as_str()) {
        return Err(Error::refused(
            "not_reversible",
            format!(
                "ledger row {row} ({kind}) cannot be taken back here; a transfer is undone on the transfer"
            ),
        ));
    }
    let back = Movement::new(now, credit, debit, amount, "reverse").by(actor, reason).reversing(row);
    let made = post(tx, &[back]).await?.first().copied().unwrap_or_default();
    if let Account::Order(order) = debit {
        put_back(tx, order, amount, &kind, reason, now).await?;
    }
    let data = json!({ "amount_vnd": amount, "reason": reason });
    audit(tx, now, actor, "ledger.reverse", &row.to_string(), &data).await?;
    Ok(made)
}

/// The order that has its money again. One that was refunded as a whole has lost its access and stays refunded.
async fn put_back(tx: &mut Tx, order: i64, amount: i64, kind: &str, reason: &str, now: i64) -> Result<()> {
    let code: String = sqlx::query_scalar("SELECT code FROM orders WHERE id = $1")
        .bind(order)
        .fetch_one(&mut tx.conn)
        .await?;
    let mut order = order_money::load(tx, &code).await?;
    // The ledger was written before; what the order holds is already the sum.
    order.money.paid = order.money.paid.checked_sub(amount).unwrap_or_default();
    order.money = order.money.put_back(amount).map_err(|error| Error::Invalid(error.to_string()))?;
    order_money::save(tx, &order, now).await?;
    let data = json!({ "amount_vnd": amount, "what": kind, "reason": reason });
    tell(tx, order.id, now, "reversed", &data, "owner").await
}
