//! What all trials together may hold of something, and one trial's part of it: never more than is still free besides.
//!
//! So N trials that take all they can end up with a share of 1/(N+1) each, and the same share stays free for a
//! trial that begins later: execute.rs has the same rule for runs.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What there is for all.
#[derive(Debug)]
pub(super) struct Pool {
    max: usize,
    used: AtomicUsize,
}

impl Pool {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicUsize::new(0) })
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// One trial's part; dropped, all of it is given back.
#[derive(Debug)]
pub(super) struct Part {
    pool: Arc<Pool>,
    max: usize,
    used: AtomicUsize,
}

impl Part {
    /// A part of at most `max`, unused.
    pub(super) fn new(pool: &Arc<Pool>, max: usize) -> Self {
        Self { pool: Arc::clone(pool), max, used: AtomicUsize::new(0) }
    }

    /// Takes so much, or says that there is no room. Threads of one trial that take at the same moment may pass its
    /// part by what they take; what all trials have is never passed.
    pub(super) fn take(&self, amount: usize) -> bool {
        let mine = self.used.load(Ordering::Relaxed).saturating_add(amount);
        let fits = |used: usize| {
            let free = self.pool.max.checked_sub(used)?;
            (mine <= self.max && mine <= free).then_some(used + amount)
        };
        let is_taken = self.pool.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if is_taken {
            self.used.fetch_add(amount, Ordering::Relaxed);
        }
        is_taken
    }

    /// Gives back what was taken.
    pub(super) fn give_back(&self, amount: usize) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
        self.pool.used.fetch_sub(amount, Ordering::Relaxed);
    }

    /// What is taken.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.pool.used.fetch_sub(self.used(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_never_more_than_is_free_besides() {
        let pool = Pool::new(9);
        let parts = [(); 2].map(|()| Part::new(&pool, 100));
        while parts[0].take(1) | parts[1].take(1) {}
        assert_eq!((parts[0].used(), parts[1].used(), pool.used()), (3, 3, 6));
    }

    #[test]
    fn a_part_has_a_limit_of_its_own_and_gives_everything_back_at_its_end() {
        let pool = Pool::new(100);
        let part = Part::new(&pool, 5);
        assert!(part.take(5) && !part.take(1));
        part.give_back(2);
        assert!(part.take(2));
        drop(part);
        assert_eq!(pool.used(), 0);
    }
}
