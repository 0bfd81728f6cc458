//! What is counted of batches: by TensorFlow Serving's bounds for the server, and for each version.

use crate::histogram::{ExponentialHistogram, HistogramSnapshot};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Sizes at which batches ran whose filling is counted apart; of further ones it is counted under 0.
const EXECUTION_SIZES_MAX: usize = 256;

fn sizes() -> ExponentialHistogram {
    ExponentialHistogram::new(1.0, 2.0, 14)
}

fn queue_times() -> ExponentialHistogram {
    ExponentialHistogram::new(100.0, 1.2, 52)
}

/// What one batch was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    /// Of its requests together.
    pub(super) rows: usize,
    /// Rows that ran.
    pub(super) size: usize,
}

/// The whole server's batches, under the names of TensorFlow Serving's metrics.
#[derive(Debug)]
pub(crate) struct Observed {
    queue_us: ExponentialHistogram,
    runs: AtomicU64,
    input_rows: ExponentialHistogram,
    executed_rows: ExponentialHistogram,
    filled_rows: Mutex<BTreeMap<usize, ExponentialHistogram>>,
}

/// [`Observed`] at one moment.
#[derive(Clone, Debug)]
pub struct BatchingSnapshot {
    /// `queuing_latency`, in microseconds: what each request waited, or each part of one.
    pub queue_us: HistogramSnapshot,
    /// `wrapped_run_count`: batches that ran.
    pub runs: u64,
    /// `input_batch_size`: rows of each input of each request.
    pub input_rows: HistogramSnapshot,
    /// `processed_batch_size`: rows that ran in each batch.
    pub executed_rows: HistogramSnapshot,
    /// `padding_size` by `execution_batch_size`: rows that a batch was filled up with.
    pub filled_rows: Vec<(usize, HistogramSnapshot)>,
}

impl Default for Observed {
    fn default() -> Self {
        Self {
            queue_us: queue_times(),
            runs: AtomicU64::new(0),
            input_rows: sizes(),
            executed_rows: sizes(),
            filled_rows: Mutex::default(),
        }
    }
}

impl Default for BatchingSnapshot {
    /// Of no batches.
    fn default() -> Self {
        Observed::default().snapshot()
    }
}

impl Observed {
    pub(super) fn record_request(&self, rows: usize, inputs: usize) {
        for _ in 0..inputs {
            self.input_rows.record(number(rows));
        }
    }

    pub(super) fn record_wait(&self, waited: Duration) {
        self.queue_us.record(micros(waited));
    }

    pub(super) fn record_batch(&self, batch: Batch) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.executed_rows.record(number(batch.size));
        let mut filled = self.filled_rows.lock().unwrap_or_else(PoisonError::into_inner);
        let is_listed = filled.len() < EXECUTION_SIZES_MAX || filled.contains_key(&batch.size);
        let histogram = filled.entry(if is_listed { batch.size } else { 0 }).or_insert_with(sizes);
        histogram.record(number(batch.size.saturating_sub(batch.rows)));
    }

    pub(crate) fn snapshot(&self) -> BatchingSnapshot {
        let filled = self.filled_rows.lock().unwrap_or_else(PoisonError::into_inner);
        BatchingSnapshot {
            queue_us: self.queue_us.snapshot(),
            runs: self.runs.load(Ordering::Relaxed),
            input_rows: self.input_rows.snapshot(),
            executed_rows: self.executed_rows.snapshot(),
            filled_rows: filled.iter().map(|(size, histogram)| (*size, histogram.snapshot())).collect(),
        }
    }
}

/// How many bounds a version's batch sizes are counted by: 1, 2, 4 and so on.
const VERSION_BOUNDS: usize = 15;

/// One version's batches.
#[derive(Debug)]
pub(crate) struct VersionObserved {
    queue_us: ExponentialHistogram,
    /// By the smallest power of two that is not below their size; the last counts all that are larger, too.
    batches: [AtomicU64; VERSION_BOUNDS],
    rows: AtomicU64,
    filled_rows: AtomicU64,
}

/// [`VersionObserved`] at one moment.
#[derive(Clone, Debug)]
pub struct VersionBatches {
    /// What each request, or each part of one, waited, in microseconds.
    pub queue_us: HistogramSnapshot,
    /// Batches, by size: a power of two, and those that have so many rows or fewer. The last counts all.
    pub batches: Vec<(u64, u64)>,
    /// Rows of requests in all batches together.
    pub rows: u64,
    /// Rows that batches were filled up with.
    pub filled_rows: u64,
}

impl VersionBatches {
    /// Batches that ran or run.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.batches.last().map_or(0, |(_, count)| *count)
    }
}

impl Default for VersionObserved {
    fn default() -> Self {
        let (batches, rows, filled_rows) = Default::default();
        Self { queue_us: queue_times(), batches, rows, filled_rows }
    }
}

impl VersionObserved {
    pub(super) fn record_wait(&self, waited: Duration) {
        self.queue_us.record(micros(waited));
    }

    pub(super) fn record_batch(&self, batch: Batch) {
        let index = batch.rows.checked_next_power_of_two().unwrap_or(usize::MAX).trailing_zeros() as usize;
        if let Some(count) = self.batches.get(index).or(self.batches.last()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.rows.fetch_add(whole(batch.rows), Ordering::Relaxed);
        self.filled_rows.fetch_add(whole(batch.size.saturating_sub(batch.rows)), Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> VersionBatches {
        let counts = self.batches.iter().scan(0, |sum, count| {
            *sum += count.load(Ordering::Relaxed);
            Some(*sum)
        });
        VersionBatches {
            queue_us: self.queue_us.snapshot(),
            batches: (0..).map(|power: u32| 1 << power).zip(counts).collect(),
            rows: self.rows.load(Ordering::Relaxed),
            filled_rows: self.filled_rows.load(Ordering::Relaxed),
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn whole(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss)] // no tensor has 2^52 rows
fn number(rows: usize) -> f64 {
    rows as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_counted_by_the_power_of_two_that_is_not_below_their_size() {
        let observed = VersionObserved::default();
        for rows in [0, 1, 2, 3, 4, 5, 100_000] {
            observed.record_batch(Batch { rows, size: rows + 1 });
        }
        let seen = observed.snapshot();
        assert_eq!(
            seen.batches.iter().take(4).copied().collect::<Vec<_>>(),
            [(1, 2), (2, 3), (4, 5), (8, 6)]
        );
        assert_eq!((seen.count(), seen.rows, seen.filled_rows), (7, 100_015, 7));
        assert_eq!(seen.batches.len(), VERSION_BOUNDS);
    }

    #[test]
    fn a_batch_that_was_filled_up_is_counted_by_the_size_that_ran_and_the_sizes_are_bounded() {
        let observed = Observed::default();
        for size in 1..=EXECUTION_SIZES_MAX + 5 {
            observed.record_batch(Batch { rows: size - 1, size });
        }
        let seen = observed.snapshot();
        assert_eq!(seen.filled_rows.len(), EXECUTION_SIZES_MAX + 1);
        let beyond: Vec<u64> = seen
            .filled_rows
            .iter()
            .filter(|(size, _)| *size == 0)
            .map(|(_, filled)| filled.count())
            .collect();
        assert_eq!((beyond, seen.runs), (vec![5], 261));
    }
}
