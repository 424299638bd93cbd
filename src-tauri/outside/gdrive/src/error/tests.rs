//! Bodies as Google sends them, and what each asks for.

use super::*;

fn api(code: u16, reason: &str, message: &str) -> Vec<u8> {
    let domain = if reason.contains("imitExceeded") { "usageLimits" } else { "global" };
    serde_json::json!({ "error": { "code": code, "message": message,
        "errors": [{ "domain": domain, "reason": reason, "message": message }] } })
    .to_string()
    .into_bytes()
}

fn class(status: u16, body: &[u8]) -> Class {
    let status = StatusCode::from_u16(status).unwrap();
    Error::answered("share", status, &HeaderMap::new(), body).class().clone()
}

#[test]
fn every_reason_has_its_class() {
    let busy = Class::Busy { retry_after: None };
    let denied = |reason: &str| Class::Denied(reason.to_owned());
    let notify = "Bad Request. User message: \"You are trying to invite lan@example.com. Since there is no Google \
        account associated with this email address, you must check the \"Notify people\" box to invite this recipient.\"";
    for (status, reason, message, expected) in [
        (401, "authError", "Invalid Credentials", Class::Reconnect),
        (403, "userRateLimitExceeded", "User Rate Limit Exceeded", busy.clone()),
        (403, "rateLimitExceeded", "Rate Limit Exceeded", busy.clone()),
        (429, "rateLimitExceeded", "Rate Limit Exceeded", busy.clone()),
        (500, "backendError", "Backend Error", busy.clone()),
        (403, "sharingRateLimitExceeded", "Rate limit exceeded. User message: …", Class::SharingQuota),
        (
            403,
            "storageQuotaExceeded",
            "The user's Drive storage quota has been exceeded.",
            Class::StorageFull,
        ),
        (403, "quotaExceeded", "The user has exceeded the quota.", Class::StorageFull),
        (403, "teamDriveFileLimitExceeded", "The file limit for this shared drive …", Class::StorageFull),
        (403, "numChildrenInNonRootLimitExceeded", "The limit for this folder's …", Class::StorageFull),
        (403, "insufficientFilePermissions", "…", denied("insufficientFilePermissions")),
        (403, "appNotAuthorizedToFile", "…", denied("appNotAuthorizedToFile")),
        (403, "domainPolicy", "The domain administrators have disabled Drive apps.", denied("domainPolicy")),
        (400, "badRequest", "…", denied("badRequest")),
        (403, "cannotSetExpiration", "Cannot set an expiration date on this item.", Class::CannotExpire),
        (400, "invalidSharingRequest", notify, Class::NeedsNotification),
        (
            400,
            "invalidSharingRequest",
            "Sorry, the items were shared but emails could not be sent.",
            Class::Unclear,
        ),
        (404, "notFound", "File not found: 1a.", Class::NotFound),
        (409, "fileIdInUse", "A file already exists with the provided ID.", Class::AlreadyThere),
    ] {
        assert_eq!(class(status, &api(status, reason, message)), expected, "{status} {reason}");
    }
}

#[test]
fn an_ended_grant_asks_for_consent() {
    let body = br#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
    assert_eq!(class(400, body), Class::Reconnect);
    assert_eq!(class(401, br#"{"error":"invalid_client"}"#), Class::Reconnect);
}

#[test]
fn an_answer_without_a_reason_is_judged_by_its_status() {
    assert_eq!(class(503, b"<html>Service Unavailable</html>"), Class::Busy { retry_after: None });
    assert_eq!(class(418, b""), Class::Denied("418".to_owned()));
    assert_eq!(class(404, b"Not Found"), Class::NotFound);
}

#[test]
fn in_a_session_what_is_unknown_begins_again() {
    let error = |status: u16, reason: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        Error::answered("upload", status, &HeaderMap::new(), &api(status.as_u16(), reason, "…")).in_session()
    };
    assert_eq!(error(404, "notFound").class(), &Class::SessionLost);
    assert_eq!(error(400, "badRequest").class(), &Class::SessionLost);
    assert_eq!(error(403, "storageQuotaExceeded").class(), &Class::StorageFull);
    assert_eq!(error(403, "userRateLimitExceeded").class(), &Class::Busy { retry_after: None });
    assert!(matches!(error(403, "domainPolicy").class(), Class::Denied(_)));
}

#[test]
fn a_wish_is_seconds_or_a_date_and_at_most_a_day() {
    let wish = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        headers.insert(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        retry_after(&headers)
    };
    assert_eq!(wish("120"), Some(Duration::from_secs(120)));
    assert_eq!(wish("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
    assert_eq!(wish("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(wish("99999999"), Some(Duration::from_secs(24 * 3600)));
    assert_eq!(wish("soon"), None);
}
