//! What TensorFlow has prepared an executor for, so that what clients ask cannot make it grow without end.
//!
//! TensorFlow prepares and keeps an executor for every list of feeds, fetches and targets that it sees, in every
//! order, for as long as the graph is loaded. So whoever lets clients choose among them brings the lists into one
//! order, and asks here first.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// The different lists that were admitted so far, at most a fixed number.
pub(super) struct Prepared<K> {
    max: usize,
    seen: Mutex<BTreeSet<K>>,
}

impl<K: Ord + Clone> Prepared<K> {
    /// Admits this many.
    pub(super) fn at_most(max: usize) -> Self {
        Self { max, seen: Mutex::default() }
    }

    /// Whether this may be run: it was before, or there is room for one more.
    pub(super) fn admits(&self, key: &K) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains(key) || (seen.len() < self.max && seen.insert(key.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_admitted_stays_so_and_what_comes_when_it_is_full_is_not() {
        let prepared = Prepared::at_most(2);
        assert_eq!([1, 2, 1, 3, 2].map(|key| prepared.admits(&key)), [true, true, true, false, true]);
    }
}
