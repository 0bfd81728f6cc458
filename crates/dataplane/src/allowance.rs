//! A counted resource with a fixed maximum: take one or be told no; never wait.

use std::{
    ops::Deref,
    sync::atomic::{AtomicUsize, Ordering},
};

/// How many of something may be in use at once.
#[derive(Debug)]
pub struct Allowance {
    used: AtomicUsize,
    max: usize,
}

/// One unit in use; dropping it gives it back. Holds the allowance by reference or by `Arc`.
#[derive(Debug)]
pub struct Taken<A: Deref<Target = Allowance>>(A);

impl Allowance {
    /// An allowance of `max` units, none in use.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    /// Takes one unit; none when all are in use.
    pub fn take<A: Deref<Target = Self>>(allowance: A) -> Option<Taken<A>> {
        allowance
            .used
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, |used| {
                (used < allowance.max).then_some(used + 1)
            })
            .is_ok()
            .then(|| Taken(allowance))
    }

    /// Units in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }

    /// Units that could be taken now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.max.saturating_sub(self.used())
    }

    /// Units in all.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }
}

impl<A: Deref<Target = Allowance>> Drop for Taken<A> {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_beyond_the_maximum_is_refused_until_one_is_given_back() {
        let allowance = Allowance::new(2);
        let first = Allowance::take(&allowance);
        let second = Allowance::take(&allowance);
        assert!(first.is_some() && second.is_some());
        assert!(Allowance::take(&allowance).is_none());
        drop(first);
        assert_eq!(allowance.free(), 1);
        assert!(Allowance::take(&allowance).is_some());
        assert_eq!(allowance.used(), 1);
    }

    #[test]
    fn an_allowance_of_nothing_refuses_everything() {
        assert!(Allowance::take(&Allowance::new(0)).is_none());
    }
}
