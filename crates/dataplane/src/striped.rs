//! What every request adds to, once for each few threads: cores that add to one place take turns, and each turn costs
//! more than all that is counted there.

use std::{
    cell::Cell,
    ops::Deref,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Copies. Threads share them evenly; on a machine with more cores than this, some take turns.
const STRIPES: usize = 16;

thread_local! {
    /// Which copy is this thread's.
    static MINE: Cell<usize> = Cell::new(next());
}

fn next() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES
}

/// Copies of a `T`, one of which is this thread's; what they hold together is for readers to sum.
#[derive(Debug, Default)]
pub(crate) struct Striped<T>([Padded<T>; STRIPES]);

/// On cache lines of its own: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Striped<T> {
    /// Copies that this makes.
    pub(crate) fn new(make: impl Fn() -> T) -> Self {
        Self(std::array::from_fn(|_| Padded(make())))
    }

    /// This thread's copy.
    pub(crate) fn mine(&self) -> &T {
        let [first, ..] = &self.0;
        &self.0.get(MINE.get()).unwrap_or(first).0
    }

    /// All copies.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|copy| &copy.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::atomic::AtomicU64, thread};

    #[test]
    fn what_threads_add_is_all_there_and_not_in_one_place() {
        let count = Striped::<AtomicU64>::default();
        thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        count.mine().fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let counts = || count.all().map(|copy| copy.load(Ordering::Relaxed));
        assert_eq!(counts().sum::<u64>(), 2_000 * u64::try_from(STRIPES).unwrap_or_default());
        assert!(counts().filter(|count| *count > 0).count() > STRIPES / 2);
    }
}
