//! How much memory requests in flight may take for what their bodies unfold to.
//!
//! The listener counts bytes as they come off the wire. A body may unfold beyond that: by decompression, and as the
//! tape of its document. Each request reserves that here before it takes it, and is refused at once when there is
//! no room.

use crate::error::Error;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What all requests in flight may take together, unless the server says otherwise.
pub const MEMORY_BYTES_DEFAULT: usize = 1 << 30;

/// The memory that may be taken, and how much of it is.
#[derive(Debug)]
pub struct MemoryBudget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of so many bytes, none of them taken.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { limit_bytes, used_bytes: AtomicUsize::new(0) })
    }

    /// How much is taken now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// A reservation of nothing, to be grown.
    #[must_use]
    pub fn reservation(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }

    fn take(&self, bytes: usize) -> Result<(), Error> {
        let fits = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= self.limit_bytes);
        match self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(used) => Err(Error::resource_exhausted(format!(
                "this request needs {bytes} bytes of memory for its JSON document; {used} of {} are in use",
                self.limit_bytes
            ))),
        }
    }
}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self { limit_bytes: MEMORY_BYTES_DEFAULT, used_bytes: AtomicUsize::new(0) }
    }
}

/// One request's share; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Reservation {
    /// Takes so many bytes more; `RESOURCE_EXHAUSTED` when there is no room.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives so many bytes back before the request ends.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test says what it expects

    use super::*;
    use crate::error::Code;

    #[test]
    fn what_does_not_fit_is_refused_and_what_is_dropped_is_given_back() {
        let budget = MemoryBudget::new(100);
        let mut first = budget.reservation();
        first.grow(60).unwrap();
        let mut second = budget.reservation();
        assert_eq!(second.grow(41).unwrap_err().code, Code::ResourceExhausted);
        assert_eq!(second.grow(usize::MAX).unwrap_err().code, Code::ResourceExhausted);
        second.grow(40).unwrap();
        drop(first);
        assert_eq!(budget.used_bytes(), 40);
        second.shrink(30);
        assert_eq!(budget.used_bytes(), 10);
        drop(second);
        assert_eq!(budget.used_bytes(), 0);
    }
}
