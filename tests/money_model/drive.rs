//! One sequence of events, told to the shop's store and to the model, step by step.

use chotdon_core::domain::matching::Direction;
use chotdon_core::domain::money::Vnd;
use chotdon_core::store::read::{LedgerFilter, Window};
use chotdon_core::store::{Credit, Error, Hand, Incoming, Source, Store, SurplusTo};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;

use crate::model::{Model, Spot};

pub(crate) const PRICE: i64 = 499_000;

/// What is broken on purpose, on the way between the test and the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// A transfer that comes again is taken for another.
    Dedupe,
    /// A correction does not reach the balance.
    Balance,
    /// Orders never expire.
    Expiry,
    /// What is taken back stays.
    Reversal,
}

/// A transfer that nobody knew.
#[derive(Clone, Copy)]
struct Stray {
    sepay_id: i64,
    amount: i64,
    at: i64,
    spot: Spot,
}

/// One customer with one order, in the shop and in the model.
pub(crate) struct Sequence {
    pub(crate) code: String,
    pub(crate) order: i64,
    pub(crate) customer: i64,
    pub(crate) deposit_code: String,
    pub(crate) model: Model,
    pub(crate) rng: StdRng,
    pub(crate) said: Vec<String>,
    sent: Vec<Incoming>,
    strays: Vec<Stray>,
    adjusted: Vec<(i64, i64)>,
    next: i64,
}

impl Sequence {
    /// `first` is the first of the SePay ids that this sequence may use.
    pub(crate) fn new(
        order: (i64, String),
        customer: (i64, String),
        model: Model,
        rng: StdRng,
        first: i64,
    ) -> Self {
        let ((order, code), (customer, deposit_code)) = (order, customer);
        Self {
            code,
            order,
            customer,
            deposit_code,
            model,
            rng,
            said: Vec::new(),
            sent: Vec::new(),
            strays: Vec::new(),
            adjusted: Vec::new(),
            next: first,
        }
    }

    /// Does one random thing at `now`; the shop's answer must be the model's.
    pub(crate) async fn step(&mut self, store: &Store, broken: Broken, now: i64) {
        let amount = self.amount();
        let at = if broken == Broken::Expiry { self.model.expires - 1 } else { now };
        match self.rng.random_range(0..20_u8) {
            0..4 => self.transfer(store, self.code.clone(), amount, now, at).await,
            4 | 5 => self.again(store, broken, now).await,
            6 | 7 => self.transfer(store, self.deposit_code.clone(), amount, now, at).await,
            8 | 9 => self.transfer(store, "chuyen khoan".to_owned(), amount, now, at).await,
            10 | 11 => self.place(store, now).await,
            12 => self.undo(store, now).await,
            13 => {
                let told = store.cancel_order(&self.code, "r", "owner", now).await;
                let meant = self.model.cancel();
                self.same("cancel", told, meant);
            }
            14 => {
                let told = store.mark_paid(&self.code, "r", "owner", now).await;
                let meant = self.model.mark_paid();
                self.same("mark_paid", told, meant);
            }
            15 => {
                let part = if self.rng.random() { None } else { Some(amount) };
                let told = store.refund(&self.code, part, "r", "owner", now).await.map(drop);
                let meant = self.model.refund(part);
                self.same("refund", told, meant);
            }
            16 => {
                let to_wallet = self.rng.random();
                let to = if to_wallet { SurplusTo::Wallet } else { SurplusTo::SetAside };
                let told = store.take_surplus(&self.code, to, "", "owner", now).await.map(drop);
                let meant = self.model.surplus(to_wallet);
                self.same("surplus", told, meant);
            }
            17 => {
                let told = store.pay_from_wallet(&self.code, "owner", now).await;
                let meant = self.model.wallet_pay(now);
                self.same("wallet_pay", told, meant);
            }
            18 => self.adjust(store, broken, now).await,
            _ => self.reverse(store, broken, now).await,
        }
    }

    fn amount(&mut self) -> i64 {
        let due = (self.model.total - self.model.held).max(1);
        match self.rng.random_range(0..5_u8) {
            0 | 1 => due,
            2 => due + self.rng.random_range(1..PRICE),
            3 => self.rng.random_range(1..PRICE),
            _ => 1,
        }
    }

    async fn transfer(&mut self, store: &Store, content: String, amount: i64, now: i64, at: i64) {
        let sepay_id = self.next;
        self.next += 1;
        let incoming = Incoming {
            sepay_id,
            source: Source::Webhook,
            received_at: at,
            body: json!({ "id": sepay_id, "amount": amount }).to_string(),
            direction: Direction::In,
            amount: Vnd::new(amount).unwrap(),
            gateway: "MBBank".into(),
            account: String::new(),
            sub_account: String::new(),
            code: String::new(),
            content: content.clone(),
            description: String::new(),
            reference: String::new(),
            booked_at: None,
            accumulated: None,
        };
        let meant = if content == self.code {
            self.model.webhook(amount, now)
        } else if content == self.deposit_code {
            self.model.topup(amount)
        } else {
            self.strays.push(Stray { sepay_id, amount, at, spot: Spot::Nowhere });
            self.model.stray(amount)
        };
        self.sent.push(incoming.clone());
        // Now and then the bank's call and the reconciliation bring it at the same time.
        let outcomes: Vec<&str> = if self.rng.random_range(0..4_u8) == 0 {
            let both = tokio::join!(store.take_in(incoming.clone()), store.take_in(incoming));
            vec![both.0.unwrap().outcome.as_str(), both.1.unwrap().outcome.as_str()]
        } else {
            vec![store.take_in(incoming).await.unwrap().outcome.as_str()]
        };
        self.note(format!("{amount} for {content} at {at}: {outcomes:?}, meant {meant}"));
        // Whichever of the two came first; the other one is the repeat.
        let (repeats, counted): (Vec<_>, Vec<_>) =
            outcomes.iter().partition(|outcome| **outcome == "duplicate");
        assert_eq!((counted, repeats.len()), (vec![meant], outcomes.len() - 1), "{}", self.story());
    }

    /// A transfer comes again: as it was, or with another body under the same id.
    async fn again(&mut self, store: &Store, broken: Broken, now: i64) {
        if self.sent.is_empty() {
            return;
        }
        let which = self.rng.random_range(0..self.sent.len());
        let mut incoming = self.sent[which].clone();
        incoming.received_at = now;
        if self.rng.random() {
            incoming.amount = Vnd::new(incoming.amount.get() + 1).unwrap();
            incoming.body.push(' ');
        }
        if broken == Broken::Dedupe {
            incoming.sepay_id = self.next;
            self.next += 1;
        }
        self.note(format!("#{} again", incoming.sepay_id));
        let answer = store.take_in(incoming).await.unwrap();
        if broken == Broken::Nothing {
            assert_eq!(answer.outcome.as_str(), "duplicate", "{}", self.story());
        }
    }

    async fn place(&mut self, store: &Store, now: i64) {
        let waiting: Vec<usize> =
            (0..self.strays.len()).filter(|at| self.strays[*at].spot == Spot::Nowhere).collect();
        let Some(which) = waiting.first().copied() else { return };
        let spot = [Spot::Order, Spot::Order, Spot::Wallet, Spot::Aside][self.rng.random_range(0..4_usize)];
        let stray = self.strays[which];
        let (id, hand) = (transfer_id(store, stray.sepay_id).await, hand(now));
        let told = match spot {
            Spot::Order => store.match_transfer(id, &self.code, hand).await,
            Spot::Wallet => store.credit_transfer(id, Credit::Customer(self.customer), hand).await,
            _ => store.set_transfer_aside(id, "r", hand).await,
        };
        self.model.place(spot, stray.amount, stray.at);
        self.strays[which].spot = spot;
        self.same(&format!("place {spot:?} {}", stray.amount), told, Ok(()));
    }

    async fn undo(&mut self, store: &Store, now: i64) {
        if self.strays.is_empty() {
            return;
        }
        let which = self.rng.random_range(0..self.strays.len());
        let stray = self.strays[which];
        let told = store.undo_transfer(transfer_id(store, stray.sepay_id).await, hand(now)).await;
        let meant = self.model.undo(stray.spot, stray.amount, now);
        if meant.is_ok() {
            self.strays[which].spot = Spot::Nowhere;
        }
        self.same(&format!("undo {:?} {}", stray.spot, stray.amount), told, meant);
    }

    async fn adjust(&mut self, store: &Store, broken: Broken, now: i64) {
        let by = self.amount() * if self.rng.random() { 1 } else { -1 };
        let meant = self.model.adjust(by);
        if broken == Broken::Balance {
            return;
        }
        let told = store.adjust_wallet(self.customer, by, "r", "owner", now).await;
        if let Ok(row) = told {
            self.adjusted.push((row, by));
        }
        self.same(&format!("adjust {by}"), told.map(drop), meant);
    }

    /// Takes back the last adjustment, or what last left the order by hand.
    async fn reverse(&mut self, store: &Store, broken: Broken, now: i64) {
        let (row, meant, what) = if let Some((row, by)) = self.adjusted.pop().filter(|_| self.rng.random()) {
            (row, self.model.adjust(-by), format!("adjustment of {by}"))
        } else {
            let filter = LedgerFilter { account: Some(format!("order:{}", self.order)), kind: None };
            let rows = store.ledger(&filter, Window::default()).await.unwrap().rows;
            let Some(row) = rows.into_iter().find(|row| row.can_reverse()) else { return };
            let to_wallet = row.credit.starts_with("wallet:");
            let meant = self.model.put_back(&row.kind, to_wallet, row.amount_vnd);
            (row.id, meant, format!("{} of {}", row.kind, row.amount_vnd))
        };
        if broken == Broken::Reversal {
            return;
        }
        let told = store.reverse(row, "r", "owner", now).await.map(drop);
        self.same(&format!("reverse {what}"), told, meant);
    }

    fn same(&mut self, what: &str, told: Result<(), Error>, meant: Result<(), ()>) {
        self.note(format!("{what}: {told:?}, meant {meant:?}"));
        assert_eq!(told.is_ok(), meant.is_ok(), "{}", self.story());
        if let Err(error) = told {
            let refused = matches!(error, Error::Refused { .. } | Error::Conflict(_));
            assert!(refused, "a refusal and not a failure: {error:?}\n{}", self.story());
        }
    }

    fn note(&mut self, what: String) {
        self.said.push(what);
    }

    pub(crate) fn story(&self) -> String {
        format!(
            "{} of customer {}:\n  {}\n  model: {:?}",
            self.code,
            self.customer,
            self.said.join("\n  "),
            self.model
        )
    }
}

fn hand(now: i64) -> Hand {
    Hand { actor: "owner".to_owned(), hold_ms: 10_000, now }
}

async fn transfer_id(store: &Store, sepay_id: i64) -> i64 {
    store.webhook(sepay_id).await.unwrap().unwrap().0.transfer_id
}
