//! One budget for all bytes that requests and answers hold. What a client promises costs nothing; what arrives
//! is charged as it arrives, and past the limit requests are refused at once.

use crate::{error::Error, stats::Gauges};
use std::sync::{Arc, atomic::Ordering};

/// How many bytes may be held at once; how many are is for everybody to read in the gauges.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
    gauges: Arc<Gauges>,
}

impl Budget {
    /// A budget of `bytes_max`, unused.
    #[must_use]
    pub fn new(bytes_max: usize, gauges: Arc<Gauges>) -> Arc<Self> {
        Arc::new(Self { bytes_max, gauges })
    }

    /// How many bytes are held now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.gauges.buffered_bytes.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, or answers `RESOURCE_EXHAUSTED`.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Result<Charge, Error> {
        self.take(bytes)?;
        Ok(Charge { budget: Arc::clone(self), bytes })
    }

    fn take(&self, bytes: usize) -> Result<(), Error> {
        let fits = |held: usize| held.checked_add(bytes).filter(|&total| total <= self.bytes_max);
        if self.gauges.buffered_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok() {
            return Ok(());
        }
        self.gauges.refused_overload.fetch_add(1, Ordering::Relaxed);
        Err(Error::resource_exhausted(format!(
            "The server holds as many bytes of requests and answers as it may (limit {} bytes); try again later",
            self.bytes_max
        )))
    }

    fn give_back(&self, bytes: usize) {
        self.gauges.buffered_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes taken from a [`Budget`], given back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    /// Holds `bytes` in all from now on. Less always succeeds; more may be `RESOURCE_EXHAUSTED`, and then this
    /// holds what it held.
    pub fn set(&mut self, bytes: usize) -> Result<(), Error> {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            self.budget.take(more)?;
        } else {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Holds `bytes` more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        self.set(self.bytes.saturating_add(bytes))
    }

    /// Holds `bytes` less.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.budget.give_back(bytes);
        self.bytes -= bytes;
    }

    /// How many bytes this holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use crate::error::Code;

    #[test]
    fn what_is_past_the_limit_is_refused_and_counted_and_leaves_the_rest_as_it_was() {
        let budget = Budget::new(100, Arc::default());
        let mut charge = budget.charge(60).unwrap();
        assert_eq!(budget.charge(41).unwrap_err().code, Code::ResourceExhausted);
        assert_eq!(charge.grow(41).unwrap_err().code, Code::ResourceExhausted);
        assert_eq!((budget.bytes(), charge.bytes()), (60, 60));
        assert_eq!(budget.gauges.refused_overload.load(Ordering::Relaxed), 2);
        charge.grow(40).unwrap();
        assert_eq!(budget.bytes(), 100);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let budget = Budget::new(100, Arc::default());
        let mut charge = budget.charge(100).unwrap();
        charge.set(10).unwrap();
        drop(budget.charge(90).unwrap());
        drop(charge);
        assert_eq!(budget.bytes(), 0);
    }

    #[test]
    fn a_size_that_does_not_fit_the_machine_is_refused() {
        let budget = Budget::new(usize::MAX, Arc::default());
        let _held = budget.charge(1).unwrap();
        assert_eq!(budget.charge(usize::MAX).unwrap_err().code, Code::ResourceExhausted);
    }
}
