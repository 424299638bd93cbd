//! What a demo shop has from the start: a bank account, three small courses, and one that fails on purpose.
//!
//! Everything else in demo mode is the real program with local adapters.

mod bank;

use std::path::Path;

use anyhow::Context;
use serde_json::json;

use chotdon_store::{AccountEdit, CourseEdit};

use crate::config::Config;
use crate::shop::Shop;

pub(crate) use bank::DemoBank;

/// A course of the demo: slug, title, price, files.
type Sample = (&'static str, &'static str, i64, &'static [(&'static str, &'static str)]);

const COURSES: &[Sample] = &[
    (
        "rust-co-ban",
        "Rust cơ bản",
        499_000,
        &[
            ("01-bat-dau.md", include_str!("../demo/rust-co-ban/01-bat-dau.md")),
            ("02-so-huu.md", include_str!("../demo/rust-co-ban/02-so-huu.md")),
        ],
    ),
    (
        "thiet-ke-giao-dien",
        "Thiết kế giao diện",
        799_000,
        &[("giao-trinh.html", include_str!("../demo/thiet-ke-giao-dien/giao-trinh.html"))],
    ),
    (
        "tieng-nhat-n3",
        "Tiếng Nhật N3",
        1_290_000,
        &[
            ("bai-01.md", include_str!("../demo/tieng-nhat-n3/bai-01.md")),
            ("tu-vung.csv", include_str!("../demo/tieng-nhat-n3/tu-vung.csv")),
        ],
    ),
];

/// The course whose source is missing until [`mend`] puts it there.
const FAILING: (&str, &str, i64) = ("khoa-hoc-loi", "Khoá học lỗi (để thử nút Thử lại)", 99_000);

/// Written last: a start that was cut off in the middle of furnishing does it again.
const FURNISHED: &str = ".furnished";

/// Furnishes a new demo shop; one that was furnished is left as it is.
pub(crate) async fn furnish(shop: &Shop) -> anyhow::Result<()> {
    let store = shop.store();
    let now = shop.clock().now_ms();
    let sources = shop.data_dir().join("demo-courses");
    if tokio::fs::try_exists(sources.join(FURNISHED)).await? {
        return Ok(());
    }
    if shop.config().shop.name.is_empty() {
        Config::save_section(shop.data_dir(), "shop", &json!({ "name": "Khoá học An" }))?;
        shop.reload().await?;
    }
    store
        .save_bank_account(
            AccountEdit {
                id: None,
                bank: "MBBank".into(),
                bin: "970422".into(),
                account: "0900000699".into(),
                holder: "NGUYEN VAN AN".into(),
                virtual_account: None,
                memo_prefix: None,
                preferred: true,
            },
            "demo",
            now,
        )
        .await?;
    for (slug, title, price_vnd, files) in COURSES {
        let folder = sources.join(slug);
        write(&folder, files).await?;
        save(shop, slug, title, *price_vnd, &folder).await?;
    }
    let (slug, title, price_vnd) = FAILING;
    save(shop, slug, title, price_vnd, &sources.join(slug)).await?;
    write(&sources, &[(FURNISHED, "")]).await
}

/// Puts the failing course's source where it is looked for, so that a retry succeeds.
pub(crate) async fn mend(data_dir: &Path) -> anyhow::Result<()> {
    let folder = data_dir.join("demo-courses").join(FAILING.0);
    write(&folder, &[("bai-hoc.md", "# Đã sửa nguồn\n\nKhoá học này lúc đầu thiếu nguồn. Bây giờ nguồn đã có, bấm **Thử lại** là giao được.\n")]).await
}

async fn save(shop: &Shop, slug: &str, title: &str, price_vnd: i64, folder: &Path) -> anyhow::Result<()> {
    let edit = CourseEdit {
        slug: slug.to_owned(),
        title: title.to_owned(),
        price_vnd,
        source: json!({ "kind": "folder", "path": folder }).to_string(),
        target: json!({ "kind": "folder" }).to_string(),
        enrolment: None,
        active: true,
        description: None,
        access_days: None,
    };
    shop.store().save_course(edit, "demo", shop.clock().now_ms()).await?;
    Ok(())
}

async fn write(folder: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(folder).await.with_context(|| folder.display().to_string())?;
    for (name, text) in files {
        tokio::fs::write(folder.join(name), text)
            .await
            .with_context(|| format!("{}/{name}", folder.display()))?;
    }
    Ok(())
}
