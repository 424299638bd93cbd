//! The record of human actions of a real shop: the end of it is vouched for by the secret store.

use chotdon_tests::served::{Home, Served};
use serde_json::{Value, json};

use crate::serve;

async fn audit(served: &Served) -> Value {
    let (status, health) = served.admin("GET", "/health", None).await.unwrap();
    assert_eq!(status, 200);
    health["components"].as_array().unwrap().iter().find(|one| one["name"] == "audit").unwrap().clone()
}

fn copy(home: &Home, to: &str, back: bool) {
    for name in ["shop.db", "shop.db-wal", "shop.db-shm"] {
        let (here, there) = (home.data().join(name), home.path().join(to).join(name));
        std::fs::create_dir_all(there.parent().unwrap()).unwrap();
        let (from, into) = if back { (&there, &here) } else { (&here, &there) };
        let _ = std::fs::remove_file(into);
        if from.exists() {
            std::fs::copy(from, into).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_put_back_is_noticed_told_and_accepted() {
    let home = Home::new().await.unwrap();
    let served = serve(&home).await;
    served.order("rust-co-ban").await.unwrap();
    assert_eq!(served.stop().await.unwrap(), Some(0));
    home.run(&["verify"], "").await.unwrap();
    copy(&home, "before", false);

    let served = serve(&home).await;
    let (code, _) = served.order("rust-co-ban").await.unwrap();
    let paid = json!({ "reason": "tiền mặt" });
    let marked =
        served.admin("POST", &format!("/admin/api/orders/{code}/mark-paid"), Some(paid)).await.unwrap();
    assert_eq!(marked.0, 200, "{}", marked.1);
    assert_eq!(audit(&served).await["state"], "ok");
    let (_, check) = served.admin("GET", "/admin/api/audit/check", None).await.unwrap();
    assert_eq!(check["broken"], json!(null), "{check}");
    assert_eq!(served.stop().await.unwrap(), Some(0));
    home.run(&["verify"], "").await.unwrap();

    // Somebody puts yesterday's file back. Its own chain is whole.
    copy(&home, "before", true);
    let said = home.run(&["verify"], "").await.unwrap_err().to_string();
    assert!(said.contains("are gone"), "{said}");
    let served = serve(&home).await;
    let component = audit(&served).await;
    assert_eq!(component["state"], "degraded", "{component}");
    let (_, check) = served.admin("GET", "/admin/api/audit/check", None).await.unwrap();
    assert_eq!(check["broken"], "cut", "{check}");
    let (_, notices) = served.admin("GET", "/admin/api/notices", None).await.unwrap();
    let notice =
        notices["rows"].as_array().unwrap().iter().find(|row| row["kind"] == "audit_broken").unwrap().clone();
    assert_eq!((&notice["class"], &notice["route"]), (&json!(1), &json!("/audit")));

    // It was the owner, who says so; that is in the record as well.
    let (status, check) = served.admin("POST", "/admin/api/audit/accept", None).await.unwrap();
    assert_eq!((status, &check["broken"]), (200, &json!(null)), "{check}");
    assert_eq!(audit(&served).await["state"], "ok");
    let (_, rows) = served.admin("GET", "/admin/api/audit?action=audit.accept", None).await.unwrap();
    assert_eq!(rows["rows"][0]["data"]["broken"]["what"], "cut", "{rows}");
    assert_eq!(served.stop().await.unwrap(), Some(0));
    home.run(&["verify"], "").await.unwrap();

    let csv = home.run(&["audit"], "").await.unwrap();
    assert!(csv.starts_with("\u{feff}id,at,actor,action,subject,data"), "{csv}");
    assert!(csv.contains(",cli,secret.show,admin.token,"), "{csv}");
    let lines = home.run(&["audit", "--format", "json", "--action", "order."], "").await.unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["action"], &first["actor"]), (&json!("order.create"), &json!("owner")));
}
