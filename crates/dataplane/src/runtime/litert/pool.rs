//! What only one run at a time may use, lent to as many runs as there are pieces. Knows nothing of LiteRT.

use crate::error::Error;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a run without a deadline waits for a piece. The executor starts no more runs than there are pieces, so
/// that only something beside it (a warm-up) can wait here at all.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Pieces of which some are lent.
#[derive(Debug)]
pub(super) struct Pool<T> {
    free: Mutex<Vec<T>>,
    returned: Condvar,
    size: usize,
}

/// A piece that goes back when this is dropped, also when the run that had it panics.
struct Lent<'a, T> {
    pool: &'a Pool<T>,
    piece: Option<T>,
}

impl<T> Pool<T> {
    /// All of these are free.
    pub(super) fn new(pieces: Vec<T>) -> Self {
        Self { size: pieces.len(), free: Mutex::new(pieces), returned: Condvar::new() }
    }

    /// How many there are, lent ones included.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Does `work` with a free piece; `DEADLINE_EXCEEDED` when there is none before the time is up,
    /// `RESOURCE_EXHAUSTED` when there was time enough and still none.
    pub(super) fn lend<R>(
        &self,
        timeout: Option<Duration>,
        work: impl FnOnce(&mut T) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut lent = Lent { pool: self, piece: Some(self.take(timeout)?) };
        lent.piece.as_mut().map_or_else(|| Err(Error::internal("what was lent is gone")), work)
    }

    fn take(&self, timeout: Option<Duration>) -> Result<T, Error> {
        let deadline = Instant::now() + timeout.map_or(WAIT_MAX, |timeout| timeout.min(WAIT_MAX));
        let mut free = self.lock();
        loop {
            if let Some(piece) = free.pop() {
                return Ok(piece);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.none_left(timeout));
            }
            free = self.returned.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn none_left(&self, timeout: Option<Duration>) -> Error {
        if timeout.is_some_and(|timeout| timeout <= WAIT_MAX) {
            return Error::deadline_exceeded("the deadline passed before an interpreter was free");
        }
        Error::resource_exhausted(format!(
            "all {} interpreters of the model have been busy for {} seconds; try again later",
            self.size,
            WAIT_MAX.as_secs()
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        if let Some(piece) = self.piece.take() {
            self.pool.lock().push(piece);
            self.pool.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)] // a test that panics has failed

    use super::*;
    use crate::error::Code;
    use std::{panic::catch_unwind, sync::mpsc, thread};

    const NONE: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn a_piece_is_lent_to_one_at_a_time_and_comes_back() {
        let pool = Pool::new(vec![1]);
        let second = pool.lend(None, |piece| Ok((*piece, pool.lend(NONE, |piece| Ok(*piece))))).unwrap();
        assert_eq!(second.0, 1);
        assert_eq!(second.1.unwrap_err().code, Code::DeadlineExceeded);
        assert_eq!(pool.lend(NONE, |piece| Ok(*piece)), Ok(1));
    }

    #[test]
    fn who_waits_gets_what_another_returns() {
        let pool = Pool::new(vec![1]);
        let (begun, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let pool = &pool;
            let first = scope.spawn(move || {
                pool.lend(None, |piece| {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                    *piece = 2;
                    Ok(())
                })
            });
            begins.recv().unwrap();
            let second = scope.spawn(move || pool.lend(None, |piece| Ok(*piece)));
            end.send(()).unwrap();
            first.join().unwrap().unwrap();
            assert_eq!(second.join().unwrap(), Ok(2));
        });
    }

    #[test]
    fn a_piece_comes_back_from_a_run_that_panics() {
        let pool = Pool::new(vec![1]);
        let panics = || drop(pool.lend::<()>(NONE, |_| panic!("on purpose")));
        assert!(catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(pool.lend(NONE, |piece| Ok(*piece)), Ok(1));
    }
}
