//! Panics on purpose, for the test that looks for secrets in what a panic says. Debug builds only: what is packaged does
//! not have this file.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chotdon_core::ports::Probe;

use crate::environment::Environment;

/// Names a file of lines `POINT<TAB>WORDS`: the first time that a point is passed, it panics with these words.
const WISH: &str = "CHOTDON_TEST_PANICS";

/// The probe that the environment asks for.
pub(crate) fn wished(environment: &Environment) -> Probe {
    let file = PathBuf::from(environment.get(WISH)?);
    let done = Arc::new(Mutex::new(HashSet::new()));
    Some(Arc::new(move |point: &str| {
        // Read each time: a test writes it when there is something to tell.
        let wishes = std::fs::read_to_string(&file).unwrap_or_default();
        let wish = wishes.lines().filter_map(|line| line.split_once('\t')).find(|(at, _)| *at == point);
        let words = wish.map(|(_, words)| words.to_owned());
        let first =
            words.is_some() && done.lock().unwrap_or_else(PoisonError::into_inner).insert(point.to_owned());
        Box::pin(async move {
            if let Some(words) = words.filter(|_| first) {
                panic!("{words}");
            }
        })
    }))
}
