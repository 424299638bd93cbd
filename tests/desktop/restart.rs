//! A copy is staged in the window, and the window starts the app anew: the shop closes in good order, the copy takes
//! its place, and the window is back.

use std::path::{Path, PathBuf};

use anyhow::Result;
use chotdon_tests::machine::look_until;
use serde_json::json;

use crate::app::{MAIN, PATIENCE, desk, picture, wait_for_window};
use crate::page::Page;

/// The folder of the shop that was there before.
fn aside(data: &Path) -> Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("before-restore-") {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// How often the logs say this.
fn said(data: &Path, text: &str) -> Result<usize> {
    let mut times = 0;
    for entry in std::fs::read_dir(data.join("logs"))? {
        times += std::fs::read_to_string(entry?.path())?.matches(text).count();
    }
    Ok(times)
}

#[tokio::test]
async fn a_staged_copy_is_restored_by_the_restart_that_the_window_offers() {
    let machine = desk();
    let data = machine.home().join("data/ChotDon-demo");
    let page = Page::open(&machine, Some("vi_VN.UTF-8")).await.unwrap();
    page.part("nav-settings").await.unwrap().click().await.unwrap();
    page.part("backup-now").await.unwrap().click().await.unwrap();
    page.part("backup-restore").await.unwrap().click().await.unwrap();
    page.part("confirm").await.unwrap().click().await.unwrap();
    // Not before the question is gone, which lies over everything.
    page.wait("body:not(:has([data-testid=confirm]))", "").await.unwrap();
    page.wait("[data-testid=backup-restart]:not([disabled])", "").await.unwrap();
    picture(&machine, "staged");
    // The control: until then nothing has changed.
    assert_eq!(aside(&data).unwrap(), None);
    assert_eq!(said(&data, "the shop is open").unwrap(), 1);
    // By script: the page's own messages lie over the button for some seconds. The window may be gone before the
    // driver has its answer.
    let click = "document.querySelector('[data-testid=backup-restart]').click()";
    let _ = page.run(click, json!([])).await;

    let looked = data.clone();
    let kept = tokio::task::spawn_blocking(move || look_until(PATIENCE, || aside(&looked)));
    let kept = kept.await.unwrap().unwrap().expect("the copy took the shop's place");
    let looked = data.clone();
    let again = move || look_until(PATIENCE, || Ok((said(&looked, "the shop is open")? == 2).then_some(())));
    tokio::task::spawn_blocking(again).await.unwrap().unwrap().expect("it is open again");
    wait_for_window(&machine, MAIN).unwrap();
    picture(&machine, "restarted");
    // Only now: the folder for the shop before is made first, the files follow one by one.
    assert!(kept.join("shop.db").exists() && !data.join("restore-pending").exists());
    assert_eq!(said(&data, "the shop is closed").unwrap(), 1, "in good order");
}
