//! A histogram with exponential bounds, to which any thread adds without a lock: TensorFlow's `Exponential` buckets.
//!
//! What it counts and under which name it is told is not known here.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts of values by size. The finite bounds are `scale * growth^i`; what reaches the last one is counted beyond
/// it. As in TensorFlow, a value that equals a bound is counted above it.
#[derive(Debug)]
pub struct ExponentialHistogram {
    bounds: Arc<[f64]>,
    /// One for each bound, then one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSnapshot {
    /// Ascending, finite.
    pub bounds: Arc<[f64]>,
    /// Values below each bound and not below the one before, then those beyond the last.
    pub counts: Vec<u64>,
    /// Of all values; of values that come at this moment it may lack some that are counted.
    pub sum: f64,
}

impl ExponentialHistogram {
    /// An empty one with so many finite bounds: `scale`, then each `growth` times the one before.
    #[must_use]
    pub fn new(scale: f64, growth: f64, buckets: usize) -> Self {
        // Multiplied step by step, as TensorFlow does: other ways of rounding would make other bounds.
        let bounds: Arc<[f64]> =
            std::iter::successors(Some(scale), |bound| Some(bound * growth)).take(buckets).collect();
        let counts = (0..=buckets).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0.0_f64.to_bits()) }
    }

    /// Counts one value; one that is infinite or no number is left out.
    pub fn record(&self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let index = self.bounds.partition_point(|bound| *bound <= value);
        if let Some(count) = self.counts.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add); // never refuses
    }

    /// All counts, now.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            bounds: Arc::clone(&self.bounds),
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
        }
    }
}

impl HistogramSnapshot {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each bound and how many values are below it; the last bound is infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().scan(0, |below, count| {
            *below += count;
            Some(*below)
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)] // a test may panic, and expects these very numbers
mod tests {
    use super::*;

    #[test]
    fn bounds_grow_by_multiplication_and_the_last_is_infinite() {
        let bounds: Vec<f64> = ExponentialHistogram::new(10.0, 1.8, 33)
            .snapshot()
            .cumulative()
            .map(|(bound, _)| bound)
            .collect();
        assert_eq!(bounds.len(), 34);
        assert_eq!(bounds.first_chunk(), Some(&[10.0, 18.0, 18.0 * 1.8]));
        let largest = bounds.iter().rev().nth(1).unwrap();
        assert!((largest / (10.0 * 1.8_f64.powi(32)) - 1.0).abs() < 1e-12, "{largest}");
        assert_eq!(bounds.last(), Some(&f64::INFINITY));
    }

    /// TensorFlow Serving's own expectation of what its page says of 2, 20 and 200.
    #[test]
    fn a_value_that_equals_a_bound_is_counted_above_it() {
        let histogram = ExponentialHistogram::new(1.0, 2.0, 10);
        for value in [2.0, 20.0, 200.0] {
            histogram.record(value);
        }
        let snapshot = histogram.snapshot();
        let below: Vec<u64> = snapshot.cumulative().map(|(_, count)| count).collect();
        assert_eq!(below, [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
        assert_eq!((snapshot.count(), snapshot.sum), (3, 222.0));
    }

    #[test]
    fn every_finite_value_is_counted_somewhere_and_no_other() {
        let histogram = ExponentialHistogram::new(1.0, 2.0, 2);
        for value in [-1.0, 0.0, 1e300, f64::INFINITY, f64::NAN] {
            histogram.record(value);
        }
        assert_eq!(histogram.snapshot().counts, [2, 0, 1]);
    }

    #[test]
    fn nothing_is_lost_when_several_threads_add() {
        let histogram = ExponentialHistogram::new(1.0, 2.0, 4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| histogram.record(3.0)));
            }
        });
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.counts, snapshot.sum), (vec![0, 0, 4_000, 0, 0], 12_000.0));
    }
}
