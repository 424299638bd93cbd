//! What the tunnel is said to be, and what is done about it, in the machine's own time.

use super::{TOKEN, begin, tunnel, until_state};

#[tokio::test(flavor = "multi_thread")]
async fn a_named_tunnel_comes_up_and_the_webhook_url_is_its_own() {
    let (edge, shop, _dir) = begin(Vec::new()).await;
    let up = until_state(&shop, "up").await;
    assert_eq!(up["public_url"], edge.url());
    assert_eq!(up["webhook_url"], format!("{}/api/v1/payment/webhook", edge.url()));
    let said = up["output"].to_string();
    assert!(said.contains("Registered tunnel connection"), "{said}");
    assert!(said.contains("token=‹hidden›") && !said.contains(TOKEN), "{said}");
    let answer = shop.http.get(format!("{}/healthz", edge.url())).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), r#"{"status":"ok"}"#);
    assert_eq!(tunnel(&shop).await["restarts"], 0);
}
