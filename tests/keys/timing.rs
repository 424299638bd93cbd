//! How long a comparison takes tells nothing about where two values differ: Welch's t of many timings, a value that is
//! wrong in its first byte against one that is wrong in its last.
//!
//! `CHOTDON_TIMINGS=1000000` is the long form.

use std::hint::black_box;
use std::time::Instant;

use chotdon_core::secrets::same;
use rand::RngExt;

use crate::asked;

/// Beyond it the two are told apart; few timings are judged less strictly, since they were taken on a busy machine.
fn limit(samples: usize) -> f64 {
    if samples >= 1_000_000 { 4.5 } else { 12.0 }
}
/// As long as a key is.
const KEY: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
/// Comparisons in one timing: a single one is shorter than the clock's tick.
const TIMES: usize = 24;

/// Welch's t between the timings of `compare` for the two wrong values, in random order. Timings that something
/// interrupted (above the 90th percentile of both together) are left out.
#[allow(clippy::disallowed_methods)] // measures real time
fn welch(samples: usize, before: &str, compare: impl Fn(&str, &str) -> bool) -> f64 {
    let right = format!("{before}{KEY}");
    let wrong = [format!("{before}x{}", &KEY[1..]), format!("{before}{}x", &KEY[1..])];
    let mut rng = rand::rng();
    let mut taken: Vec<(usize, f64)> = Vec::with_capacity(samples);
    for n in 0..samples + samples / 10 {
        let class = usize::from(rng.random::<bool>());
        // A fresh copy, so that neither has a place of its own in memory.
        let given = wrong[class].clone();
        let began = Instant::now();
        for _ in 0..TIMES {
            black_box(compare(black_box(&given), black_box(&right)));
        }
        let took = began.elapsed().as_nanos() as f64;
        if n >= samples / 10 {
            taken.push((class, took));
        }
    }
    let mut sorted: Vec<f64> = taken.iter().map(|(_, took)| *took).collect();
    sorted.sort_by(f64::total_cmp);
    let cut = sorted[sorted.len() * 9 / 10];
    let of = |class: usize| -> (f64, f64, f64) {
        let values: Vec<f64> = taken
            .iter()
            .filter(|(known, took)| *known == class && *took <= cut)
            .map(|(_, took)| *took)
            .collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (n, mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0))
    };
    let ((n0, mean0, var0), (n1, mean1, var1)) = (of(0), of(1));
    (mean0 - mean1) / (var0 / n0 + var1 / n1).sqrt()
}

/// Gives up at the first byte that differs, as one must not.
fn naive(left: &str, right: &str) -> bool {
    left.len() == right.len() && left.bytes().zip(right.bytes()).all(|(l, r)| l == r)
}

/// The least of a few tries: an interrupted try is not a leak, and a leak shows in every one.
fn least(samples: usize, before: &str, compare: impl Fn(&str, &str) -> bool) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..4 {
        least = least.min(welch(samples, before, &compare).abs());
        if least < limit(samples) {
            break;
        }
    }
    least
}

#[test]
fn the_comparison_of_secrets_does_not_tell_where_they_differ() {
    let samples = asked("CHOTDON_TIMINGS", 40_000);
    let ours = least(samples, "", same);
    let naives = least(samples, "", naive);
    println!("{samples} timings: |t| = {ours:.2}; one that gives up early: {naives:.2}");
    assert!(ours < limit(samples), "|t| = {ours}");
    assert!(naives > 10.0 * limit(samples), "the control would tell: |t| = {naives}");
}

#[test]
fn the_check_of_a_webhooks_signature_does_not_tell_where_it_differs() {
    let samples = asked("CHOTDON_TIMINGS", 20_000) / 4;
    let keys = sepay::Keys::new().with_api(KEY);
    let body = br#"{"id":1}"#.as_slice();
    let found = least(samples, "Apikey ", |given, _| {
        sepay::verify([("authorization", given.as_bytes())], body, &keys, 0, 300).is_ok()
    });
    println!("{samples} timings of a webhook's key: |t| = {found:.2}");
    assert!(found < limit(samples), "|t| = {found}");
}
