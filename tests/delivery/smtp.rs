//! Mail to a real server: what arrives, and whose fault it is when it does not.

use chotdon_core::delivery::mail::{Message, SmtpSettings, TlsMode, Transport};
use chotdon_core::workers::{ErrorClass, StageError};
use chotdon_tests::smtp::SmtpServer;
use secrecy::SecretString;

use crate::stage::NOW_MS;

const USER: &str = "an@shop.example";
const PASSWORD: &str = "mat-khau-cua-shop";

fn settings(server: &SmtpServer, tls: TlsMode) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".into(),
        port: server.port,
        tls,
        user: USER.into(),
        from: "Khoá học An <an@shop.example>".into(),
        ca_file: Some(server.ca_file()),
    }
}

fn transport(settings: &SmtpSettings) -> Transport {
    Transport::smtp(settings, Some(&SecretString::from(PASSWORD))).unwrap()
}

fn message(to: &str) -> Message {
    Message {
        message_id: "dh123456.delivery.1@shop.example".into(),
        to: to.into(),
        to_name: "Trần Thị Lan".into(),
        subject: "Khoá học của bạn đã sẵn sàng (đơn DH123456)".into(),
        text: "Chào Lan".into(),
        html: "<p>Chào Lan</p>".into(),
    }
}

async fn fails(transport: &Transport, to: &str) -> (ErrorClass, &'static str) {
    let error = transport.send(NOW_MS, &message(to)).await.unwrap_err();
    assert!(!format!("{error:?}").contains(PASSWORD), "{error:?}");
    (error.class, error.code)
}

const AUTH: (ErrorClass, &str) = (ErrorClass::Permanent, "mail_auth");
const REFUSED: (ErrorClass, &str) = (ErrorClass::Permanent, "mail_refused");
const TEMPORARY: (ErrorClass, &str) = (ErrorClass::Transient, "mail_temporary");
const UNREACHABLE: (ErrorClass, &str) = (ErrorClass::Transient, "mail_unreachable");
const NOT_SET_UP: (ErrorClass, &str) = (ErrorClass::Permanent, "mail_not_set_up");

#[tokio::test]
async fn a_mail_arrives_as_it_was_written_over_starttls_and_tls() {
    for (name, tls) in [("starttls", TlsMode::Starttls), ("tls", TlsMode::Tls)] {
        let mut server = SmtpServer::start(name, Some((USER, PASSWORD))).await.unwrap();
        let transport = transport(&settings(&server, tls));
        transport.check().await.unwrap();
        let answer = transport.send(NOW_MS, &message("lan@example.com")).await.unwrap();
        assert_eq!(answer, "2.0.0 Ok: queued as 4F2A1C");
        let mail = server.mail().await.unwrap();
        assert_eq!((mail.from.as_str(), mail.to.as_slice()), (USER, &["lan@example.com".to_owned()][..]));
        assert!(mail.raw.contains("Message-ID: <dh123456.delivery.1@shop.example>\r\n"), "{}", mail.raw);
        assert!(mail.raw.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"), "{}", mail.raw);
        assert!(mail.raw.contains("text/plain") && mail.raw.contains("text/html"), "{}", mail.raw);

        transport.send(NOW_MS, &message("lan@example.com")).await.unwrap();
        let again = server.mail().await.unwrap();
        let id = |raw: &str| raw.lines().find(|l| l.starts_with("Message-ID")).map(str::to_owned);
        assert_eq!(id(&mail.raw), id(&again.raw), "a retry is the same mail");
    }
}

#[tokio::test]
async fn our_wrong_login_is_not_the_buyers_fault() {
    let server = SmtpServer::start("starttls", Some((USER, "another-password"))).await.unwrap();
    let wrong = transport(&settings(&server, TlsMode::Starttls));
    assert_eq!(fails(&wrong, "lan@example.com").await, AUTH);
    assert_eq!(wrong.check().await.unwrap_err().code, "mail_auth");

    let nobody = SmtpSettings { user: String::new(), ..settings(&server, TlsMode::Starttls) };
    let nobody = Transport::smtp(&nobody, None).unwrap();
    assert_eq!(fails(&nobody, "lan@example.com").await, AUTH, "530: the server wants a login");

    let plain = transport(&settings(&server, TlsMode::None));
    assert_eq!(fails(&plain, "lan@example.com").await, AUTH, "no login is offered without TLS");

    let down = SmtpSettings { user: "backend-down".into(), ..settings(&server, TlsMode::Starttls) };
    assert_eq!(fails(&transport(&down), "lan@example.com").await, TEMPORARY, "454");
}

#[tokio::test]
async fn what_the_server_says_of_an_address_decides_about_that_mail() {
    let mut server = SmtpServer::start("starttls", Some((USER, PASSWORD))).await.unwrap();
    let transport = transport(&settings(&server, TlsMode::Starttls));
    for (to, expected) in [
        ("nobody@example.com", REFUSED),
        ("moved@example.com", REFUSED),
        ("full@example.com", REFUSED),
        ("odd@example.com", REFUSED),
        ("spam@example.com", REFUSED),
        ("not an address", REFUSED),
        ("greylisted@example.com", TEMPORARY),
        ("busy@example.com", TEMPORARY),
        ("cut@example.com", UNREACHABLE),
    ] {
        assert_eq!(fails(&transport, to).await, expected, "{to}");
    }
    transport.send(NOW_MS, &message("lan@example.com")).await.unwrap();
    assert_eq!(server.mail().await.unwrap().to, ["lan@example.com"], "nothing but the accepted one");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_or_trusted_is_tried_again() {
    let server = SmtpServer::start("starttls", Some((USER, PASSWORD))).await.unwrap();
    let untrusted = SmtpSettings { ca_file: None, ..settings(&server, TlsMode::Starttls) };
    assert_eq!(fails(&transport(&untrusted), "lan@example.com").await, UNREACHABLE);

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = SmtpSettings { port: closed, ..settings(&server, TlsMode::Starttls) };
    assert_eq!(fails(&transport(&closed), "lan@example.com").await, UNREACHABLE);

    let plain = SmtpServer::start("none", None).await.unwrap();
    assert_eq!(fails(&transport(&settings(&plain, TlsMode::Starttls)), "lan@example.com").await, UNREACHABLE);
}

#[tokio::test]
async fn what_is_not_set_up_is_said_before_anything_is_sent() {
    let code = |result: Result<Transport, StageError>| result.map_err(|e| (e.class, e.code)).unwrap_err();
    let settings = SmtpSettings {
        host: "localhost".into(),
        port: 587,
        tls: TlsMode::Starttls,
        user: USER.into(),
        from: USER.into(),
        ca_file: None,
    };
    let password = SecretString::from(PASSWORD);
    assert!(Transport::smtp(&settings, Some(&password)).is_ok());
    assert_eq!(code(Transport::smtp(&settings, None)), NOT_SET_UP);
    for wrong in [
        SmtpSettings { host: " ".into(), ..settings.clone() },
        SmtpSettings { from: String::new(), ..settings.clone() },
        SmtpSettings { ca_file: Some("/nowhere/ca.pem".into()), ..settings.clone() },
    ] {
        assert_eq!(code(Transport::smtp(&wrong, Some(&password))), NOT_SET_UP);
    }
    assert_eq!(fails(&Transport::None, "lan@example.com").await, NOT_SET_UP);
}
