//! Latencies of many requests in bounded memory: quantiles within 0.8 %, mean and maximum exact.

use std::time::Duration;

use histogram::Histogram;
use serde_json::{Value, json};

/// 2^7 buckets to a doubling: every reported quantile is within 1/128 of the truth.
const GROUPING_POWER: u8 = 7;
/// Nanoseconds up to 2^40, 18 minutes: more than the longest timeout that the command line takes.
const VALUE_POWER_MAX: u8 = 40;

/// One distribution.
#[derive(Debug)]
pub(crate) struct Latencies {
    histogram: Histogram,
    count: u64,
    sum: Duration,
    max: Duration,
}

impl Latencies {
    /// Nothing measured yet.
    pub(crate) fn new() -> Result<Self, String> {
        let histogram = Histogram::new(GROUPING_POWER, VALUE_POWER_MAX).map_err(|error| error.to_string())?;
        Ok(Self { histogram, count: 0, sum: Duration::ZERO, max: Duration::ZERO })
    }

    /// Counts one; a value past the last bucket goes into the last bucket.
    pub(crate) fn add(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let _in_range = self.histogram.increment(nanoseconds.min((1 << VALUE_POWER_MAX) - 1));
        self.count += 1;
        self.sum += latency;
        self.max = self.max.max(latency);
    }

    /// Mean, quantiles and maximum in microseconds; null when nothing was measured.
    pub(crate) fn report(&self) -> Value {
        let mean =
            if self.count == 0 { None } else { Some(self.sum.as_secs_f64() * 1e6 / lossy(self.count)) };
        json!({
            "mean": mean.map(rounded),
            "p50": self.quantile_us(0.5),
            "p90": self.quantile_us(0.9),
            "p99": self.quantile_us(0.99),
            "p99.9": self.quantile_us(0.999),
            "max": mean.map(|_| rounded(self.max.as_secs_f64() * 1e6)),
        })
    }

    /// Every bucket that counted something: its upper bound in microseconds, and its count.
    pub(crate) fn buckets(&self) -> Value {
        let filled = (&self.histogram).into_iter().filter(|bucket| bucket.count() > 0);
        filled.map(|bucket| json!([lossy(bucket.end()) / 1e3, bucket.count()])).collect()
    }

    fn quantile_us(&self, quantile: f64) -> Option<f64> {
        let found = self.histogram.quantile(quantile).ok().flatten()?;
        found.entries().values().next().map(|bucket| rounded(lossy(bucket.end()) / 1e3))
    }
}

/// Microseconds to a tenth: more would be noise.
pub(crate) fn rounded(microseconds: f64) -> f64 {
    (microseconds * 10.0).round() / 10.0
}

/// A count as a float; a count past 2^53 would lose its last digits and nothing else.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn lossy(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may fail by panicking

    use super::*;

    #[test]
    fn quantiles_are_within_a_percent_and_mean_and_maximum_exact() {
        let mut latencies = Latencies::new().unwrap();
        for microseconds in 1..=1000 {
            latencies.add(Duration::from_micros(microseconds));
        }
        let report = latencies.report();
        assert_eq!(report["mean"], 500.5);
        assert_eq!(report["max"], 1000.0);
        for (name, truth) in [("p50", 500.0), ("p90", 900.0), ("p99", 990.0), ("p99.9", 999.0)] {
            let error = (report[name].as_f64().unwrap() - truth).abs() / truth;
            assert!(error < 0.01, "{name}: {}", report[name]);
        }
    }

    #[test]
    fn nothing_measured_reports_nothing() {
        let report = Latencies::new().unwrap().report();
        assert!(report.as_object().unwrap().values().all(Value::is_null));
    }

    #[test]
    fn a_latency_past_the_last_bucket_is_still_counted() {
        let mut latencies = Latencies::new().unwrap();
        latencies.add(Duration::from_hours(2));
        assert_eq!(latencies.report()["max"], 7.2e9);
        assert_eq!(latencies.buckets()[0][1], 1);
    }
}
