//! How to pay an order: account, exact transfer text, QR.

use chotdon_store::read::AccountRecord;

use crate::views::Payment;

/// Pixels a side of the QR, at least.
const QR_SIZE: u32 = 240;

/// The exact transfer text for `code` on this account, with the account's prefix where the bank needs one.
pub(crate) fn memo(account: &AccountRecord, code: &str) -> String {
    match account.memo_prefix.as_deref().map(str::trim).filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix} {code}"),
        None => code.to_owned(),
    }
}

/// How to pay `amount_vnd` (what is still open) for `code`. The QR is empty when nothing is open or the account
/// cannot be in one. `pay_url` is the hosted page.
pub(crate) fn payment(account: &AccountRecord, code: &str, amount_vnd: i64, pay_url: String) -> Payment {
    let shown = account.virtual_account.as_deref().filter(|number| !number.is_empty());
    let number = shown.unwrap_or(&account.account);
    let memo = memo(account, code);
    let amount = (amount_vnd > 0).then_some(amount_vnd);
    let request = vietqr::Request { bin: &account.bin, account: number, amount, memo: &memo };
    let vietqr = match amount {
        Some(_) => vietqr::build(&request).unwrap_or_default(),
        None => String::new(),
    };
    let qr_svg =
        if vietqr.is_empty() { String::new() } else { vietqr::svg(&vietqr, QR_SIZE).unwrap_or_default() };
    Payment {
        bank: account.bank.clone(),
        bin: account.bin.clone(),
        account: number.to_owned(),
        holder: account.holder.clone(),
        memo,
        amount_vnd: amount_vnd.max(0),
        vietqr,
        pay_url,
        qr_svg,
    }
}

/// The QR of a top-up: account and deposit code, the amount is the customer's to enter.
pub(crate) fn topup_vietqr(account: &AccountRecord, deposit_code: &str) -> Option<String> {
    let shown = account.virtual_account.as_deref().filter(|number| !number.is_empty());
    let number = shown.unwrap_or(&account.account);
    let memo = memo(account, deposit_code);
    vietqr::build(&vietqr::Request { bin: &account.bin, account: number, amount: None, memo: &memo }).ok()
}

/// A QR text as an SVG document.
pub(crate) fn qr_svg(text: &str) -> Option<String> {
    vietqr::svg(text, QR_SIZE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountRecord {
        AccountRecord {
            id: 1,
            bank: "VietinBank".into(),
            bin: "970415".into(),
            account: "101000000001".into(),
            holder: "NGUYEN VAN AN".into(),
            virtual_account: None,
            memo_prefix: Some("SEVQR".into()),
            preferred: true,
        }
    }

    #[test]
    fn the_qr_says_what_the_words_say() {
        let payment = payment(&account(), "DH123456", 499_000, "http://127.0.0.1/pay/DH123456".into());
        assert_eq!(payment.memo, "SEVQR DH123456");
        let read = vietqr::read(&payment.vietqr).unwrap();
        assert_eq!((read.bin.as_str(), read.account.as_str()), ("970415", "101000000001"));
        assert!(payment.qr_svg.contains("<svg"));
    }

    #[test]
    fn nothing_open_means_no_qr_and_a_virtual_account_is_shown_instead() {
        let account = AccountRecord { virtual_account: Some("VQR001".into()), ..account() };
        let payment = payment(&account, "DH123456", -1, String::new());
        assert_eq!(
            (payment.amount_vnd, payment.vietqr.as_str(), payment.account.as_str()),
            (0, "", "VQR001")
        );
    }
}
