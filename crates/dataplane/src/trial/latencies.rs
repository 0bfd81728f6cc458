//! How long a version's answers took, all epochs together: for people. A test counts what is slower than a threshold.

use crate::striped::Striped;
use histogram::{AtomicHistogram, Histogram};
use std::{sync::OnceLock, time::Duration};

/// Counted in microseconds; buckets are at most 1/32 (3 %) wide, as in stats.rs, and take 7 KiB together.
const GROUPING_POWER: u8 = 5;
/// Longer than 2^32 microseconds (71 minutes) counts as that.
const MAX_VALUE_POWER: u8 = 32;
const LATENCY_MAX_US: u64 = (1 << MAX_VALUE_POWER) - 1;

/// What requests add to. Most take about the same time and so meet in one bucket: each few threads have their own,
/// from the first request that one of them counts.
#[derive(Debug, Default)]
pub(super) struct Latencies(Striped<OnceLock<Option<AtomicHistogram>>>);

/// The latencies of a version's answers at one moment; none before the first.
#[derive(Clone, Debug, Default)]
pub struct Latency(Option<Histogram>);

impl Latencies {
    /// Counts one answer.
    pub(super) fn record(&self, took: Duration) {
        // None only if the constants were wrong, which a test rules out.
        let histogram = || AtomicHistogram::new(GROUPING_POWER, MAX_VALUE_POWER).ok();
        if let Some(histogram) = self.0.mine().get_or_init(histogram) {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(LATENCY_MAX_US);
            let _ = histogram.increment(micros); // cannot fail: the value is within the range
        }
    }

    /// All answers, now.
    pub(super) fn read(&self) -> Latency {
        let parts = self.0.all().filter_map(|part| part.get()?.as_ref()).map(AtomicHistogram::load);
        Latency(parts.reduce(|mut together, part| {
            let _ = together.checked_add_assign(&part); // cannot fail: all have the same buckets
            together
        }))
    }
}

impl Latency {
    /// The latencies, in seconds, below which these shares (0 to 1) of the answers stayed, to within 3 %; empty when
    /// there was none.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // below 2^32
    pub fn quantiles_s(&self, shares: &[f64]) -> Vec<(f64, f64)> {
        let quantiles = self.0.as_ref().and_then(|histogram| histogram.quantiles(shares).ok().flatten());
        let Some(quantiles) = quantiles else { return Vec::new() };
        let entries = quantiles.entries().iter();
        entries.map(|(share, bucket)| (share.as_f64(), bucket.end() as f64 / 1e6)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)] // a test may panic

    use super::*;
    use std::thread;

    #[test]
    fn quantiles_are_those_of_what_all_threads_counted() {
        let latencies = Latencies::default();
        assert!(latencies.read().quantiles_s(&[0.5]).is_empty());
        thread::scope(|scope| {
            for thread in 0..20 {
                let latencies = &latencies;
                scope.spawn(move || (1..=50).for_each(|each| latencies.record(ms(50 * (thread % 2) + each))));
            }
        });
        let quantiles = latencies.read().quantiles_s(&[0.5, 0.99]);
        for ((_, found), truth) in quantiles.iter().zip([0.050, 0.099]) {
            assert!((found / truth - 1.0).abs() < 0.04, "{quantiles:?}");
        }
    }

    #[test]
    fn no_time_is_too_long_to_count() {
        let latencies = Latencies::default();
        latencies.record(Duration::MAX);
        assert!(latencies.read().quantiles_s(&[1.0])[0].1 > 4_000.0);
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }
}
