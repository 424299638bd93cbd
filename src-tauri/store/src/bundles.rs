//! Bundles: several courses sold as one thing at a price of its own. An order keeps the courses, each with its share
//! of the price.

use serde_json::json;
use sqlx::Row;

use chotdon_domain::shares::shares;

use crate::orders::audit;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// What a bundle is to be; found by its slug.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)]
pub struct BundleEdit {
    pub slug: String,
    pub title: String,
    pub description: String,
    pub price_vnd: i64,
    /// Slugs of its courses, in the order they are shown, each once.
    pub courses: Vec<String>,
    pub active: bool,
}

/// A bundle as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct BundleRecord {
    pub slug: String,
    pub title: String,
    pub description: String,
    pub price_vnd: i64,
    pub active: bool,
    pub updated_at: i64,
    /// Slug, title and price of each course, in order.
    pub courses: Vec<(String, String, i64)>,
    /// Settled orders that have it.
    pub sold: i64,
}

impl Store {
    /// Adds a bundle or changes it. Orders that exist keep what they bought. False when it was so already.
    ///
    /// # Errors
    /// [`Error::Invalid`] for fewer than two courses, an empty title or a price that is not positive;
    /// [`Error::NotFound`] for an unknown course; [`Error::Refused`] `slug_taken` when a course has the slug.
    pub async fn save_bundle(&self, edit: BundleEdit, actor: &str, now: i64) -> Result<bool> {
        let actor = actor.to_owned();
        self.writer
            .run(move |tx| {
                let (edit, actor) = (edit.clone(), actor.clone());
                Box::pin(async move {
                    let changed = save(tx, &edit, now).await?;
                    if changed {
                        let data = json!({ "title": edit.title, "price_vnd": edit.price_vnd, "courses": edit.courses, "active": edit.active });
                        audit(tx, now, &actor, "bundle.save", &edit.slug, &data).await?;
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Every bundle, by title.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn bundles(&self) -> Result<Vec<BundleRecord>> {
        let rows = sqlx::query(
            "SELECT b.slug, b.title, b.description, b.price_vnd, b.active, b.updated_at, \
                    (SELECT count(DISTINCT i.order_id) FROM bundle_course AS f JOIN order_item AS i \
                        ON i.course_id = f.course_id AND i.bundle_id = b.id AND i.delivery = 'delivered' WHERE f.bundle_id = b.id) AS sold, \
                    (SELECT json_group_array(json_array(slug, title, price_vnd)) FROM \
                       (SELECT c.slug, c.title, c.price_vnd FROM bundle_course AS m JOIN course AS c ON c.id = m.course_id \
                         WHERE m.bundle_id = b.id ORDER BY m.place)) AS courses \
               FROM bundle AS b ORDER BY b.title, b.id",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(BundleRecord {
                    slug: row.try_get("slug")?,
                    title: row.try_get("title")?,
                    description: row.try_get("description")?,
                    price_vnd: row.try_get("price_vnd")?,
                    active: row.try_get("active")?,
                    updated_at: row.try_get("updated_at")?,
                    courses: serde_json::from_str(row.try_get("courses")?)?,
                    sold: row.try_get("sold")?,
                })
            })
            .collect()
    }
}

/// Writes the bundle. False when it was so already.
pub(crate) async fn save(tx: &mut Tx, edit: &BundleEdit, now: i64) -> Result<bool> {
    if edit.courses.len() < 2 || edit.price_vnd <= 0 || edit.title.trim().is_empty() || edit.slug.is_empty() {
        return Err(Error::Invalid(format!(
            "the bundle \"{}\" needs a slug, a title, a positive price and at least two courses",
            edit.slug
        )));
    }
    let courses: Vec<(i64, String)> = sqlx::query_as(
        "SELECT c.id, c.slug FROM json_each($1) AS j JOIN course AS c ON c.slug = j.value ORDER BY j.key",
    )
    .bind(serde_json::to_string(&edit.courses)?)
    .fetch_all(&mut tx.conn)
    .await?;
    if let Some(missing) = edit.courses.iter().find(|slug| !courses.iter().any(|(_, known)| known == *slug)) {
        return Err(Error::NotFound(format!("course \"{missing}\" of the bundle \"{}\"", edit.slug)));
    }
    let twice = edit.courses.iter().enumerate().find(|(at, slug)| edit.courses[..*at].contains(slug));
    if let Some((_, twice)) = twice {
        return Err(Error::Invalid(format!("the bundle \"{}\" has the course \"{twice}\" twice", edit.slug)));
    }
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO bundle (slug, title, description, price_vnd, active, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6) \
         ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug RETURNING id",
    )
    .bind(&edit.slug)
    .bind(edit.title.trim())
    .bind(edit.description.trim())
    .bind(edit.price_vnd)
    .bind(edit.active)
    .bind(now)
    .fetch_one(&mut tx.conn)
    .await
    .map_err(|error| match Error::from(error) {
        Error::Conflict(_) => Error::refused("slug_taken", format!("a course is named \"{}\" already", edit.slug)),
        other => other,
    })?;
    let members: Vec<i64> = courses.iter().map(|(id, _)| *id).collect();
    let before: (String, String, i64, bool, String) = sqlx::query_as(
        "SELECT title, description, price_vnd, active, (SELECT json_group_array(course_id) FROM \
           (SELECT course_id FROM bundle_course WHERE bundle_id = bundle.id ORDER BY place)) FROM bundle WHERE id = $1",
    )
    .bind(id)
    .fetch_one(&mut tx.conn)
    .await?;
    let members = serde_json::to_string(&members)?;
    let wanted = (
        edit.title.trim().to_owned(),
        edit.description.trim().to_owned(),
        edit.price_vnd,
        edit.active,
        members,
    );
    if before == wanted {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE bundle SET title = $2, description = $3, price_vnd = $4, active = $5, updated_at = $6 WHERE id = $1; \
         DELETE FROM bundle_course WHERE bundle_id = $1; \
         INSERT INTO bundle_course (bundle_id, course_id, place) SELECT $1, value, key FROM json_each($7)",
    )
    .bind(id)
    .bind(wanted.0)
    .bind(wanted.1)
    .bind(wanted.2)
    .bind(wanted.3)
    .bind(now)
    .bind(wanted.4)
    .execute(&mut tx.conn)
    .await?;
    tx.touched.topic("courses");
    Ok(true)
}

/// One line of a new order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bought {
    pub(crate) course: i64,
    pub(crate) price: i64,
    pub(crate) bundle: Option<i64>,
}

/// What an order for these slugs has: total, title of each slug, the courses, and more words to find it by.
pub(crate) struct Basket {
    pub(crate) total: i64,
    pub(crate) titles: Vec<String>,
    pub(crate) items: Vec<Bought>,
    pub(crate) words: String,
}

/// Looks courses and bundles up by their slugs.
///
/// # Errors
/// [`Error::NotFound`] for what is not on sale; [`Error::Refused`] `course_twice` when a course comes twice, alone and in
/// a bundle or in two bundles.
pub(crate) async fn fill(tx: &mut Tx, slugs: &[String]) -> Result<Basket> {
    let mut basket = Basket { total: 0, titles: Vec::new(), items: Vec::new(), words: String::new() };
    for slug in slugs {
        let row = sqlx::query("SELECT id, title, price_vnd FROM course WHERE slug = $1 AND active = 1")
            .bind(slug)
            .fetch_optional(&mut tx.conn)
            .await?;
        let price = match row {
            Some(row) => {
                let price: i64 = row.try_get("price_vnd")?;
                basket.titles.push(row.try_get("title")?);
                basket.items.push(Bought { course: row.try_get("id")?, price, bundle: None });
                price
            }
            None => fill_bundle(tx, slug, &mut basket).await?,
        };
        basket.total = basket
            .total
            .checked_add(price)
            .ok_or_else(|| Error::Invalid("the total is too large".to_owned()))?;
    }
    let twice = basket
        .items
        .iter()
        .enumerate()
        .any(|(at, item)| basket.items[..at].iter().any(|before| before.course == item.course));
    if twice {
        return Err(Error::refused(
            "course_twice",
            "items: a course is there twice, alone or in a bundle".to_owned(),
        ));
    }
    Ok(basket)
}

async fn fill_bundle(tx: &mut Tx, slug: &str, basket: &mut Basket) -> Result<i64> {
    let bundle = sqlx::query("SELECT id, title, price_vnd FROM bundle WHERE slug = $1 AND active = 1")
        .bind(slug)
        .fetch_optional(&mut tx.conn)
        .await?
        .ok_or_else(|| Error::NotFound(format!("course \"{slug}\"")))?;
    let (id, price): (i64, i64) = (bundle.try_get("id")?, bundle.try_get("price_vnd")?);
    let courses: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT c.id, c.title, c.price_vnd FROM bundle_course AS m JOIN course AS c ON c.id = m.course_id \
          WHERE m.bundle_id = $1 ORDER BY m.place",
    )
    .bind(id)
    .fetch_all(&mut tx.conn)
    .await?;
    let parts = shares(price, &courses.iter().map(|(_, _, price)| *price).collect::<Vec<_>>());
    for ((course, title, _), price) in courses.into_iter().zip(parts) {
        basket.items.push(Bought { course, price, bundle: Some(id) });
        basket.words.push_str(&title);
        basket.words.push(' ');
    }
    basket.titles.push(bundle.try_get("title")?);
    Ok(price)
}
