//! The numbers that a health check sends through the public address, and whether our own listener saw them.
//!
//! Only numbers that were made here are kept, so a stranger's request costs no memory and learns nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Checks that may be under way at once; more than that forget the oldest.
const MOST: usize = 16;

/// Numbers that are on their way. Cheap.
#[derive(Debug, Default)]
pub(crate) struct Nonces(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    made: u64,
    /// Number → when it was made, counted, and whether it came back.
    open: HashMap<String, (u64, bool)>,
}

impl Nonces {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fresh number, 128 bits in hex.
    pub(crate) fn make(&self) -> String {
        let nonce = format!("{:032x}", rand::random::<u128>());
        let mut nonces = self.lock();
        nonces.made += 1;
        let made = nonces.made;
        nonces.open.insert(nonce.clone(), (made, false));
        if nonces.open.len() > MOST {
            let oldest = nonces.open.iter().min_by_key(|(_, (made, _))| *made).map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                nonces.open.remove(&oldest);
            }
        }
        nonce
    }

    /// The public listener was asked with this number.
    pub(crate) fn seen(&self, nonce: &str) {
        if let Some((_, seen)) = self.lock().open.get_mut(nonce) {
            *seen = true;
        }
    }

    /// Whether the listener saw it; asked once.
    pub(crate) fn came(&self, nonce: &str) -> bool {
        self.lock().open.remove(nonce).is_some_and(|(_, seen)| seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_made_here_count_and_once() {
        let nonces = Nonces::default();
        let nonce = nonces.make();
        nonces.seen("0123456789abcdef0123456789abcdef");
        nonces.seen(&nonce);
        assert!(nonces.came(&nonce));
        assert!(!nonces.came(&nonce));
        assert!(!nonces.came("0123456789abcdef0123456789abcdef"));
    }

    #[test]
    fn strangers_do_not_make_it_grow() {
        let nonces = Nonces::default();
        for n in 0..100_000_u128 {
            nonces.seen(&format!("{n:032x}"));
        }
        for _ in 0..1_000 {
            nonces.make();
        }
        assert!(nonces.lock().open.len() <= MOST);
    }
}
