use std::net::IpAddr;

use super::*;

const NOW: i64 = 1_790_000_000_000;

fn from(ip: &str) -> Client {
    Client::Known(ip.parse::<IpAddr>().unwrap())
}

fn figures() -> LimitsConfig {
    LimitsConfig::default()
}

#[test]
fn one_visitor_who_asks_too_much_leaves_the_others_alone() {
    let (limits, figures) = (Limits::default(), figures());
    let loud = from("203.0.113.9");
    let passed = (0..1_000).filter(|_| limits.visit(loud, &figures, NOW).is_ok()).count();
    assert_eq!(passed, usize::try_from(figures.visitor_per_s * VISITOR_BURST).unwrap());
    assert_eq!(limits.visit(from("203.0.113.10"), &figures, NOW), Ok(()));
    assert_eq!(limits.visit(Client::Shared, &figures, NOW), Ok(()));
    assert_eq!(limits.visit(loud, &figures, NOW + 1_000), Ok(()), "after a second there is more");
}

#[test]
fn all_visitors_together_have_a_rate_too() {
    let (limits, figures) = (Limits::default(), figures());
    let visitors = (0..100_000_u32).map(|n| Client::Known(IpAddr::from(n.to_be_bytes())));
    let passed = visitors.filter(|visitor| limits.visit(*visitor, &figures, NOW).is_ok()).count();
    assert_eq!(passed, usize::try_from(figures.visitors_per_s * SHARED_BURST).unwrap());
}

#[test]
fn keys_are_not_looked_up_for_a_caller_with_many_wrong_ones_but_a_good_one_passes() {
    let (limits, figures) = (Limits::default(), figures());
    let caller = from("203.0.113.9");
    let (good, other) = (HeaderValue::from_static("Bearer good"), HeaderValue::from_static("Bearer x"));
    limits.good_key(&good, NOW);
    while limits.refused(caller, &figures, NOW).is_ok() {}
    assert!(limits.before_key(caller, Some(&other), &figures, NOW).is_err());
    assert!(limits.before_key(caller, None, &figures, NOW).is_err());
    assert_eq!(limits.before_key(caller, Some(&good), &figures, NOW), Ok(()));
    assert_eq!(limits.before_key(from("203.0.113.10"), Some(&other), &figures, NOW), Ok(()));
    assert_eq!(limits.before_key(Client::Shared, Some(&other), &figures, NOW), Ok(()));
    assert!(
        limits.before_key(caller, Some(&good), &figures, NOW + GOOD_MS).is_ok(),
        "its budget is whole again"
    );
}

#[test]
fn a_storefront_that_asks_without_end_is_slowed_down_by_its_key() {
    let (limits, figures) = (Limits::default(), figures());
    let key = HeaderValue::from_static("Bearer good");
    limits.good_key(&key, NOW);
    let passed =
        (0..10_000).filter(|_| limits.before_key(Client::Shared, Some(&key), &figures, NOW).is_ok()).count();
    assert_eq!(passed, usize::try_from(figures.key_per_s * SHARED_BURST).unwrap());
}

#[test]
fn a_caller_has_only_so_many_requests_at_once() {
    let limits = Limits::default();
    let caller = from("203.0.113.9");
    let inside: Vec<_> = (0..3).map(|_| limits.enter(caller, 3).unwrap()).collect();
    assert_eq!(limits.enter(caller, 3).unwrap_err(), TooMuch(1));
    assert!(limits.enter(from("203.0.113.10"), 3).is_ok());
    assert!(limits.enter(Client::Shared, 0).unwrap().is_none());
    drop(inside);
    assert!(limits.enter(caller, 3).is_ok());
    assert_eq!(limits.inside.lock().unwrap().len(), 0, "nobody is remembered who has left");
}
