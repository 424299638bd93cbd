use insta::assert_snapshot;

use super::*;

fn shop(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
    dir
}

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::load(shop(text).path(), false, [])
}

/// The error's text with the folder taken out.
fn error(text: &str) -> String {
    let dir = shop(text);
    let error = Config::load(dir.path(), false, []).unwrap_err().to_string();
    error.replace(&format!("{}/", dir.path().display()), "")
}

fn with_env(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(shop(text).path(), false, env)
}

#[test]
fn without_a_file_the_defaults_hold() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::load(dir.path(), false, []).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.mail.transport, MailTransport::Smtp);
    assert_eq!(config.queue.retry_max, 8);
    assert!(config.workers.count >= 2);
    assert_eq!(Config::load(dir.path(), true, []).unwrap().mail.transport, MailTransport::Mailbox);
}

#[test]
fn every_default_passes_its_own_check() {
    for row in ROWS {
        if let Some(value) = (row.default)() {
            assert!((row.set)(&mut Config::default(), Given::Toml(&value)), "{}.{}", row.section, row.key);
        }
    }
}

#[test]
fn the_file_overrides_defaults_and_the_environment_overrides_the_file() {
    let text = "[queue]\nretry_max = 3\nlease_s = 5\n[shop]\nname = 'An'\n[mail]\ntransport = 'none'";
    let env = [
        ("CHOTDON_QUEUE__RETRY_MAX", "4"),
        ("CHOTDON_SHOP__NAME", "123"),
        ("CHOTDON_LIMITS__ENABLED", "false"),
        ("CHOTDON_SECRETS_PASSPHRASE_FILE", "/x"),
        ("PATH", "/bin"),
    ];
    let config = with_env(text, &env).unwrap();
    assert_eq!((config.queue.retry_max, config.queue.lease_s), (4, 5));
    assert_eq!(config.shop.name, "123");
    assert!(!config.limits.enabled);
    assert_eq!(config.mail.transport, MailTransport::None);
}

#[test]
fn errors_name_the_place_the_key_and_what_is_expected() {
    assert_snapshot!(error("[orders]\n\nexpire_after_minutes = 3"), @r#"config.toml:3: unknown setting `orders.expire_after_minutes`; did you mean `orders.expire_after_min`?"#);
    assert_snapshot!(error("[order]\nexpire_after_min = 3"), @r#"config.toml:1: unknown setting `order`; did you mean `orders`?"#);
    assert_snapshot!(error("[orders]\nretry_max = 3"), @r#"config.toml:2: unknown setting `orders.retry_max`; did you mean `queue.retry_max`?"#);
    assert_snapshot!(error("zzzz = 1"), @r#"config.toml:1: unknown setting `zzzz`"#);
    assert_snapshot!(error("mail = 1"), @r#"config.toml:1: `mail` must be a section, [mail]"#);
    assert_snapshot!(error("[queue]\nlease_s = '30'"), @r#"config.toml:2: `queue.lease_s` must be a whole number (seconds), 1 to 3600"#);
    assert_snapshot!(error("[queue]\nlease_s = 1.5"), @r#"config.toml:2: `queue.lease_s` must be a whole number (seconds), 1 to 3600"#);
    assert_snapshot!(error("[queue]\nlease_s = 0"), @r#"config.toml:2: `queue.lease_s` must be a whole number (seconds), 1 to 3600"#);
    assert_snapshot!(error("[mail]\n# c\ntls = 'ssl'"), @r#"config.toml:3: `mail.tls` must be "starttls" or "tls" or "none""#);
    assert_snapshot!(error("[notifications]\nquiet_from = '25:00'"), @r#"config.toml:2: `notifications.quiet_from` must be a text in quotes, a time of day, HH:MM"#);
    assert_snapshot!(error("[sepay]\napi_base = 'my.sepay.vn'"), @r#"config.toml:2: `sepay.api_base` must be a text in quotes, an http or https address"#);
    assert_snapshot!(error("[shop]\nname = 'An"), @r#"config.toml:2: not valid TOML: invalid literal string, expected `'`"#);
    assert_snapshot!(with_env("", &[("CHOTDON_QUEUE__RETRY_MX", "1")]).unwrap_err(), @r#"environment variable CHOTDON_QUEUE__RETRY_MX: unknown setting `queue.retry_mx`; did you mean `queue.retry_max`?"#);
    assert_snapshot!(with_env("", &[("CHOTDON_MAIL__PORT", "99999")]).unwrap_err(), @r#"environment variable CHOTDON_MAIL__PORT: `mail.port` must be a whole number (port), 1 to 65535"#);
}

#[test]
fn a_secret_put_into_the_file_is_not_repeated_in_the_error() {
    assert!(!error("[mail]\nport = 'canary-secret'").contains("canary"));
}

#[test]
fn saving_a_section_keeps_comments_and_everything_else() {
    let dir = shop("# my shop\n[shop]\nname = \"An\" # short\n\n[orders]\nlink_days = 7\n");
    let values = serde_json::json!({"name": "Khoá học An", "language": "en"});
    Config::save_section(dir.path(), "shop", &values).unwrap();
    Config::save_section(dir.path(), "orders", &serde_json::json!({"link_days": null})).unwrap();
    Config::save_section(dir.path(), "queue", &serde_json::json!({"retry_max": 2})).unwrap();
    let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
    assert_snapshot!(text, @r###"
    # my shop
    [shop]
    name = "Khoá học An" # short
    language = "en"

    [orders]

    [queue]
    retry_max = 2
    "###);
    let config = Config::load(dir.path(), false, []).unwrap();
    assert_eq!(config.shop.language, Language::En);
    assert_eq!((config.orders.link_days, config.queue.retry_max), (30, 2));
}

#[test]
fn nothing_is_saved_when_one_value_is_refused() {
    let dir = shop("[queue]\nlease_s = 30\n");
    let before = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
    for values in [
        serde_json::json!({"retry_max": 3, "lease_s": 0}),
        serde_json::json!({"retry_max": 3, "unknown": 1}),
        serde_json::json!({"retry_max": 1.5}),
        serde_json::json!([1]),
    ] {
        Config::save_section(dir.path(), "queue", &values).unwrap_err();
    }
    Config::save_section(dir.path(), "nowhere", &serde_json::json!({})).unwrap_err();
    assert_eq!(std::fs::read(dir.path().join(FILE_NAME)).unwrap(), before);
}

#[test]
fn a_whole_section_of_the_config_can_be_saved_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.mail.host = "mail.example.com".to_owned();
    config.mail.ca_file = Some("/etc/ca.pem".to_owned());
    config.mail.tls = MailTls::Tls;
    Config::save_section(dir.path(), "mail", &config.mail).unwrap();
    assert_eq!(Config::load(dir.path(), false, []).unwrap(), config);
}

#[test]
fn times_of_day_are_read_strictly() {
    assert_eq!(minute_of_day("07:30"), 450);
    for wrong in ["7:30", "24:00", "12:60", "noon", "+1:00", ""] {
        assert!(load(&format!("[notifications]\nquiet_to = '{wrong}'")).is_err(), "{wrong}");
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // asks whether to write the page anew
fn settings_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, settings_page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, settings_page(), "run: UPDATE_PAGES=1 cargo test -p chotdon-core settings_page");
}
