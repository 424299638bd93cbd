//! Chance that can be had again: one seed for everything random in a test, printed, and taken from
//! `CHOTDON_TEST_SEED` when that is set.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A generator for the test `name`; its seed is in the test's output.
#[allow(clippy::disallowed_methods)] // the seed of a run that failed comes by the environment
#[allow(clippy::print_stdout)] // a failing test shows it
pub fn chance(name: &str) -> StdRng {
    let given = std::env::var("CHOTDON_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| rand::rng().next_u64());
    println!("{name}: CHOTDON_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// How much of a long test is to be done: `quick` when `CHOTDON_TEST_QUICK` is set, else `full`.
#[allow(clippy::disallowed_methods)] // how long a test may take is said by the environment
pub fn quick_or_full(quick: usize, full: usize) -> usize {
    if std::env::var_os("CHOTDON_TEST_QUICK").is_some() { quick } else { full }
}
