//! The shop's database as the commands use it: every call of the store is here.
//!
//! A command opens the files beside a running `serve`; SQLite lets both write in turn.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use chotdon_core::backup::{self, Made};
use chotdon_core::config::Config;
use chotdon_core::enrolment::EnrolmentSpec;
use chotdon_core::external::Keys;
use chotdon_core::ports::{SecretStore, SystemClock};
use chotdon_core::reconcile::{self, Trouble};
use chotdon_core::secrets::{self, Changes, Credentials};
use chotdon_core::store::bring_over::{
    AccountRow, Counts, CourseRow, CustomerRow, OrderRow, Set, brought_stage,
};
use chotdon_core::store::read::{AuditQuery, AuditRecord, LONGEST_PAGE, Slice, Window};
use chotdon_core::store::{
    AuditEntry, AuditHead, BundleEdit, BundleRecord, EndpointRecord, Findings, Store, WorkerKeyRecord,
};
use chotdon_core::views::ReconcileRun;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::end::End;
use crate::import_file::{BankAccount, Bundle, Course, Customer, ImportFile, Order, When};
use crate::place::{Place, now_ms};

/// Orders per commit: a running shop waits for one piece, a few hundred milliseconds at most.
const PIECE: usize = 2_000;
const ACTOR: &str = "cli";

/// An open database.
pub(crate) struct ShopData {
    store: Store,
}

/// A storefront key in a list.
pub(crate) struct KeyLine {
    pub(crate) name: String,
    pub(crate) scopes: String,
    pub(crate) created_at: i64,
    pub(crate) revoked_at: Option<i64>,
}

impl ShopData {
    /// Opens the shop's database, and makes one when there is none.
    pub(crate) async fn open_or_create(place: &Place) -> Result<Self, End> {
        Ok(Self { store: Store::open(&place.data_dir).await? })
    }

    /// Opens the database of a shop that exists.
    pub(crate) async fn open(place: &Place) -> Result<Self, End> {
        if !place.data_dir.join("shop.db").exists() {
            return Err(End::failed(anyhow!("there is no shop in {}", place.data_dir.display())));
        }
        Self::open_or_create(place).await
    }

    /// Finishes what is being written.
    pub(crate) async fn close(self) {
        self.store.close().await;
    }

    /// Checks everything; `kept` is the end of the record of human actions that the secret store vouches for.
    pub(crate) async fn verify(&self, kept: Option<&AuditHead>) -> Result<Findings, End> {
        let mut findings = self.store.verify().await?;
        let broken = self.store.verify_audit(kept).await?.broken.map(|broken| broken.to_string());
        findings.problems.extend(broken.filter(|broken| !findings.problems.contains(broken)));
        Ok(findings)
    }

    /// A page of the record of human actions, newest first.
    pub(crate) async fn audit(
        &self,
        query: &AuditQuery,
        below: Option<i64>,
    ) -> Result<Slice<AuditRecord>, End> {
        Ok(self.store.audit(query, Window { below, limit: LONGEST_PAGE }).await?)
    }

    /// Writes down what was done by command.
    pub(crate) async fn record(
        &self,
        action: &str,
        subject: &str,
        data: serde_json::Value,
    ) -> Result<(), End> {
        let entry = AuditEntry {
            actor: ACTOR.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            data,
        };
        Ok(self.store.record_audit(entry, now_ms()).await?)
    }

    /// Takes the record of human actions as a restore has left it for whole.
    pub(crate) async fn accept_record(&self, secrets: Arc<dyn SecretStore>) -> Result<(), End> {
        Ok(chotdon_core::accept_record(&self.store, secrets, ACTOR, now_ms()).await?)
    }

    /// Changes of keys by command.
    pub(crate) fn changes<'a>(&'a self, credentials: &'a Credentials) -> Changes<'a> {
        Changes { store: &self.store, credentials, actor: ACTOR, now: now_ms() }
    }

    /// Since when each key is in use, ms, by name; `false` when it may be older.
    pub(crate) async fn key_ages(&self) -> Result<BTreeMap<String, (i64, bool)>, End> {
        let ages = self.store.secret_ages().await?;
        Ok(ages.into_iter().map(|age| (age.name, (age.changed_at, age.exact))).collect())
    }

    pub(crate) async fn back_up(&self, data_dir: &Path, file: &Path) -> Result<Made, End> {
        Ok(backup::make(&self.store, data_dir, file, "command", now_ms()).await?)
    }

    /// Reads SePay's list and books what is new.
    pub(crate) async fn reconcile(
        &self,
        config: Config,
        credentials: Credentials,
        from: Option<i64>,
    ) -> Result<ReconcileRun, Trouble> {
        reconcile::alone(self.store.clone(), config, credentials, Arc::new(SystemClock), from).await
    }

    /// Makes a storefront key; only its hash is kept.
    pub(crate) async fn create_key(&self, name: &str, scopes: &str) -> Result<SecretString, End> {
        let key = SecretString::from(format!("cd_{}", secrets::generate().expose_secret()));
        let hash = hex::encode(Sha256::digest(key.expose_secret().as_bytes()));
        self.store.add_storefront_key(name, &hash, scopes, ACTOR, now_ms()).await?;
        Ok(key)
    }

    pub(crate) async fn revoke_key(&self, name: &str) -> Result<(), End> {
        Ok(self.store.revoke_storefront_key(name, ACTOR, now_ms()).await?)
    }

    pub(crate) async fn keys(&self) -> Result<Vec<KeyLine>, End> {
        let line = |key: chotdon_core::store::read::KeyRecord| KeyLine {
            name: key.name,
            scopes: key.scopes,
            created_at: key.created_at,
            revoked_at: key.revoked_at,
        };
        Ok(self.store.storefront_keys().await?.into_iter().map(line).collect())
    }

    /// Where workers on other machines are known.
    pub(crate) fn worker_keys<'a>(&'a self, credentials: &'a Credentials) -> Keys<'a> {
        Keys { store: &self.store, credentials, actor: ACTOR, now: now_ms() }
    }

    pub(crate) async fn workers(&self) -> Result<Vec<WorkerKeyRecord>, End> {
        Ok(self.store.worker_keys().await?)
    }

    pub(crate) async fn save_endpoint(&self, name: &str, url: &str, events: &[String]) -> Result<(), End> {
        Ok(self.store.save_endpoint(name, url, events, true, ACTOR, now_ms()).await?)
    }

    pub(crate) async fn remove_endpoint(&self, name: &str) -> Result<(), End> {
        Ok(self.store.remove_endpoint(name, ACTOR, now_ms()).await?)
    }

    /// Queues a test; answers its `webhook-id`.
    pub(crate) async fn test_endpoint(&self, name: &str) -> Result<String, End> {
        Ok(self.store.test_endpoint(name, ACTOR, now_ms()).await?)
    }

    pub(crate) async fn endpoints(&self) -> Result<Vec<EndpointRecord>, End> {
        Ok(self.store.endpoints().await?)
    }

    /// What the order still lacks, or its total when it lacks nothing; whole đồng.
    pub(crate) async fn owed(&self, code: &str) -> Result<i64, End> {
        let order = self
            .store
            .order_story(code)
            .await?
            .ok_or_else(|| End::failed(anyhow!("there is no order {code}")))?
            .order;
        let missing = order.total_vnd.saturating_sub(order.paid_vnd);
        Ok(if missing > 0 { missing } else { order.total_vnd })
    }

    /// Bank and number of the account that new orders show.
    pub(crate) async fn preferred_account(&self) -> Result<Option<(String, String)>, End> {
        Ok(self
            .store
            .bank_accounts()
            .await?
            .into_iter()
            .next()
            .map(|account| (account.bank, account.account)))
    }

    /// Brings a checked file over, `expire_after_min` minutes being what pending orders have left from their start.
    pub(crate) async fn bring_over(&self, file: &ImportFile, expire_after_min: i64) -> Result<Counts, End> {
        let now = now_ms();
        let first = Set {
            accounts: file.bank_account.iter().map(account_row).collect::<Result<_, _>>()?,
            courses: file.course.iter().map(course_row).collect(),
            customers: file.customer.iter().map(customer_row).collect(),
            orders: Vec::new(),
        };
        let orders: Vec<OrderRow> = file
            .order
            .iter()
            .map(|order| order_row(order, now, expire_after_min))
            .collect::<Result<_, _>>()?;
        self.check_courses(file).await?;
        let mut counts = self.store.bring_over(first, ACTOR, now).await?;
        for piece in orders.chunks(PIECE) {
            let set = Set { orders: piece.to_vec(), ..Set::default() };
            counts.add(self.store.bring_over(set, ACTOR, now).await?);
        }
        for bundle in &file.bundle {
            let edit = BundleEdit {
                slug: bundle.slug.clone(),
                title: bundle.title.clone(),
                description: bundle.description.clone(),
                price_vnd: bundle.price_vnd,
                courses: bundle.courses.clone(),
                active: true,
            };
            counts.bundles += u64::from(self.store.save_bundle(edit, ACTOR, now).await?);
        }
        Ok(counts)
    }

    /// The shop as an import file.
    pub(crate) async fn take_along(&self) -> Result<ImportFile, End> {
        let set = self.store.take_along().await?;
        let courses = set.courses.into_iter().map(|row| {
            Ok(Course {
                slug: row.slug,
                title: row.title,
                price_vnd: row.price_vnd,
                source: serde_json::from_str(&row.source)?,
                target: serde_json::from_str(&row.target)?,
                enrolment: row.enrolment.as_deref().map(serde_json::from_str).transpose()?,
                description: row.description.filter(|text| !text.is_empty()),
                access_days: row.access_days.filter(|days| *days > 0),
            })
        });
        Ok(ImportFile {
            shop: None,
            bank_account: set.accounts.into_iter().map(account).collect(),
            course: courses.collect::<Result<_, serde_json::Error>>().map_err(End::failed)?,
            bundle: self.store.bundles().await?.into_iter().map(bundle).collect(),
            customer: set.customers.into_iter().map(customer).collect(),
            order: set.orders.into_iter().map(order).collect(),
        })
    }

    /// Before anything is written: every order's courses must be in the file or in the shop.
    async fn check_courses(&self, file: &ImportFile) -> Result<(), End> {
        let mut known = self.store.course_slugs().await?;
        known.extend(file.course.iter().map(|course| course.slug.clone()));
        let known: std::collections::HashSet<&str> = known.iter().map(String::as_str).collect();
        for bundle in &file.bundle {
            if let Some(slug) = bundle.courses.iter().find(|slug| !known.contains(slug.as_str())) {
                return Err(End::failed(anyhow!("bundle `{}`: there is no course `{slug}`", bundle.slug)));
            }
        }
        for order in &file.order {
            if let Some(slug) = order.courses.iter().find(|slug| !known.contains(slug.as_str())) {
                return Err(End::failed(anyhow!("order {}: there is no course `{slug}`", order.code)));
            }
        }
        Ok(())
    }
}

fn account_row(account: &BankAccount) -> Result<AccountRow, End> {
    let bank = chotdon_core::vietqr::banks::by_name(&account.bank).ok_or_else(|| {
        End::failed(anyhow!("bank account {}: the bank `{}` is not known", account.account, account.bank))
    })?;
    Ok(AccountRow {
        bank: account.bank.clone(),
        bin: bank.bin.to_owned(),
        account: account.account.clone(),
        holder: account.holder.clone(),
        virtual_account: account.virtual_account.clone(),
        memo_prefix: account.memo_prefix.clone(),
    })
}

fn course_row(course: &Course) -> CourseRow {
    CourseRow {
        slug: course.slug.clone(),
        title: course.title.clone(),
        price_vnd: course.price_vnd,
        source: course.source.to_string(),
        target: course.target.to_string(),
        enrolment: course.enrolment.as_ref().and_then(enrolment_text),
        description: course.description.as_deref().map(|text| text.trim().to_owned()),
        access_days: course.access_days,
    }
}

/// Written in one way, as the admin API writes it.
fn enrolment_text(given: &serde_json::Value) -> Option<String> {
    let spec = EnrolmentSpec::parse(given.clone()).ok()?;
    serde_json::to_string(&spec).ok()
}

fn customer_row(customer: &Customer) -> CustomerRow {
    CustomerRow { email: customer.email.clone(), name: customer.name.clone(), phone: customer.phone.clone() }
}

fn order_row(order: &Order, now: i64, expire_after_min: i64) -> Result<OrderRow, End> {
    let code = chotdon_core::domain::code::OrderCode::parse(&order.code)
        .map_err(|error| End::failed(anyhow!("order {}: {error}", order.code)))?;
    let stage = order.stage.as_deref().unwrap_or("pending");
    let stage = brought_stage(stage)
        .ok_or_else(|| End::failed(anyhow!("order {}: `{stage}` is not a stage", order.code)))?;
    let created_at = order.created_at.as_ref().and_then(When::ms).unwrap_or(now);
    Ok(OrderRow {
        code: code.to_string(),
        email: order.email.clone(),
        courses: order.courses.clone(),
        stage,
        created_at,
        expires_at: created_at.saturating_add(expire_after_min.saturating_mul(60_000)),
    })
}

fn account(row: AccountRow) -> BankAccount {
    BankAccount {
        bank: row.bank,
        account: row.account,
        holder: row.holder,
        virtual_account: row.virtual_account,
        memo_prefix: row.memo_prefix,
    }
}

fn bundle(row: BundleRecord) -> Bundle {
    Bundle {
        slug: row.slug,
        title: row.title,
        price_vnd: row.price_vnd,
        courses: row.courses.into_iter().map(|(slug, ..)| slug).collect(),
        description: row.description,
    }
}

fn customer(row: CustomerRow) -> Customer {
    Customer { email: row.email, name: row.name, phone: row.phone }
}

fn order(row: OrderRow) -> Order {
    let created_at = jiff::Timestamp::from_millisecond(row.created_at).ok();
    Order {
        code: row.code,
        email: row.email,
        courses: row.courses,
        created_at: created_at.map(|at| When::Text(at.to_string())),
        stage: Some(row.stage.to_owned()),
    }
}
