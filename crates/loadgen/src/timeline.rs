//! What was answered when: one bucket per stretch of time, so that a changeover can be seen.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{answers::Answer, answers::Failure, latencies::rounded};

#[derive(Debug, Default)]
struct Bucket {
    ok: u64,
    failed: u64,
    mixed: u64,
    latency_max: Duration,
    versions: BTreeMap<i64, u64>,
}

/// Buckets of equal width from the first request on; the plan bounds how many there can be.
#[derive(Debug)]
pub(crate) struct Timeline {
    width: Duration,
    buckets: Vec<Bucket>,
}

impl Timeline {
    /// Empty, with buckets of this width.
    pub(crate) fn new(width: Duration) -> Self {
        Self { width, buckets: Vec::new() }
    }

    /// Counts what came back `at` this long after the start.
    pub(crate) fn add(&mut self, at: Duration, latency: Duration, outcome: &Result<Answer, Failure>) {
        let index = usize::try_from(at.as_nanos() / self.width.as_nanos().max(1)).unwrap_or(usize::MAX);
        while self.buckets.len() <= index {
            self.buckets.push(Bucket::default());
        }
        let Some(bucket) = self.buckets.get_mut(index) else { return };
        bucket.latency_max = bucket.latency_max.max(latency);
        match outcome {
            Ok(answer) => {
                bucket.ok += 1;
                bucket.mixed += u64::from(answer.mixed);
                if let Some(version) = answer.version {
                    *bucket.versions.entry(version).or_default() += 1;
                }
            }
            Err(_) => bucket.failed += 1,
        }
    }

    /// Every bucket, the empty ones too: an empty one is a server that stood still.
    pub(crate) fn report(&self) -> Value {
        let width_ms = self.width.as_millis();
        let rows = self.buckets.iter().zip(0_u128..).map(|(bucket, index)| {
            json!({
                "at_ms": u64::try_from(index * width_ms).unwrap_or(u64::MAX),
                "ok": bucket.ok,
                "failed": bucket.failed,
                "mixed": bucket.mixed,
                "latency_max_us": rounded(bucket.latency_max.as_secs_f64() * 1e6),
                "versions": bucket.versions.iter().map(|(version, count)| (version.to_string(), *count))
                    .collect::<BTreeMap<String, u64>>(),
            })
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)] // a test may fail by panicking

    use super::*;
    use crate::answers::FailureKind;

    #[test]
    fn answers_fall_into_the_bucket_of_their_time_and_still_stretches_show() {
        let mut timeline = Timeline::new(Duration::from_millis(100));
        let answer = |version| Ok(Answer { version: Some(version), mixed: false });
        timeline.add(Duration::from_millis(99), Duration::from_micros(5), &answer(1));
        timeline.add(Duration::from_millis(250), Duration::from_micros(7), &answer(2));
        timeline.add(
            Duration::from_millis(299),
            Duration::ZERO,
            &Err(Failure::new(FailureKind::Timeout, "")),
        );
        let report = timeline.report();
        assert_eq!(report[0]["versions"], json!({"1": 1}));
        assert_eq!((&report[1]["ok"], &report[1]["failed"]), (&json!(0), &json!(0)));
        assert_eq!(report[2]["versions"], json!({"2": 1}));
        assert_eq!((&report[2]["at_ms"], &report[2]["failed"]), (&json!(200), &json!(1)));
    }
}
