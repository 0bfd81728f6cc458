//! Everything that is counted while a run goes on; in bounded memory however long it goes on.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    answers::{Answer, Failure, FailureKind},
    latencies::Latencies,
    options::Plan,
    timeline::Timeline,
};

/// Rows of --record; the rest is counted as left out.
const RECORDS_MAX: u64 = 5_000_000;

/// One request from when it was due to when its answer was whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    pub(crate) due: Instant,
    pub(crate) sent: Instant,
    pub(crate) done: Instant,
}

/// How often a kind of failure came, and what the first one said.
#[derive(Debug)]
pub(crate) struct Failures {
    pub(crate) count: u64,
    pub(crate) first_text: String,
}

/// What one version answered: how often, and when first and last (since the start).
#[derive(Debug)]
pub(crate) struct VersionSpan {
    pub(crate) count: u64,
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

/// The counts of a run.
#[derive(Debug)]
pub(crate) struct Tally {
    start: Instant,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) mixed: u64,
    pub(crate) elapsed: Duration,
    pub(crate) failures: BTreeMap<FailureKind, Failures>,
    pub(crate) versions: BTreeMap<i64, VersionSpan>,
    /// Of good answers, from when they were due.
    pub(crate) latencies: Latencies,
    /// From due to sent: what the generator, or a lack of free workers, added.
    pub(crate) lags: Latencies,
    pub(crate) timeline: Timeline,
    record: Option<BufWriter<File>>,
    pub(crate) records_left_out: u64,
}

impl Tally {
    /// Nothing counted yet.
    pub(crate) fn new(plan: &Plan, start: Instant) -> Result<Self, String> {
        Ok(Self {
            start,
            ok: 0,
            failed: 0,
            mixed: 0,
            elapsed: Duration::ZERO,
            failures: BTreeMap::new(),
            versions: BTreeMap::new(),
            latencies: Latencies::new()?,
            lags: Latencies::new()?,
            timeline: Timeline::new(plan.timeline_bucket),
            record: plan.record.as_deref().map(open_record).transpose()?,
            records_left_out: 0,
        })
    }

    /// Counts one request.
    pub(crate) fn add(&mut self, moments: Moments, outcome: &Result<Answer, Failure>) -> Result<(), String> {
        let at = moments.done.saturating_duration_since(self.start);
        let latency = moments.done.saturating_duration_since(moments.due);
        self.elapsed = self.elapsed.max(at);
        self.lags.add(moments.sent.saturating_duration_since(moments.due));
        self.timeline.add(at, latency, outcome);
        match outcome {
            Ok(answer) => self.add_answer(*answer, at, latency),
            Err(failure) => self.add_failure(failure),
        }
        self.write_record(moments, latency, outcome)
    }

    /// Flushes the record.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        self.record.as_mut().map_or(Ok(()), |file| file.flush().map_err(|error| cannot_record(&error)))
    }

    fn add_answer(&mut self, answer: Answer, at: Duration, latency: Duration) {
        self.ok += 1;
        self.mixed += u64::from(answer.mixed);
        self.latencies.add(latency);
        if let Some(version) = answer.version {
            let span = self.versions.entry(version).or_insert(VersionSpan { count: 0, first: at, last: at });
            span.count += 1;
            span.last = at;
        }
    }

    fn add_failure(&mut self, failure: &Failure) {
        self.failed += 1;
        let first = || Failures { count: 0, first_text: failure.text.clone() };
        self.failures.entry(failure.kind).or_insert_with(first).count += 1;
    }

    fn write_record(
        &mut self,
        moments: Moments,
        latency: Duration,
        outcome: &Result<Answer, Failure>,
    ) -> Result<(), String> {
        let Some(file) = self.record.as_mut() else { return Ok(()) };
        if self.ok + self.failed > RECORDS_MAX {
            self.records_left_out += 1;
            return Ok(());
        }
        let due_us = moments.due.saturating_duration_since(self.start).as_micros();
        let latency_us = latency.as_micros();
        let written = match outcome {
            Ok(Answer { version: Some(version), mixed }) => {
                writeln!(file, "{due_us},{latency_us},ok,{version},{}", u8::from(*mixed))
            }
            Ok(Answer { version: None, mixed }) => {
                writeln!(file, "{due_us},{latency_us},ok,,{}", u8::from(*mixed))
            }
            Err(failure) => writeln!(file, "{due_us},{latency_us},{},,", failure.kind),
        };
        written.map_err(|error| cannot_record(&error))
    }
}

fn open_record(path: &Path) -> Result<BufWriter<File>, String> {
    let mut file = File::create(path).map(BufWriter::new).map_err(|error| cannot_record(&error))?;
    writeln!(file, "due_us,latency_us,outcome,version,mixed").map_err(|error| cannot_record(&error))?;
    Ok(file)
}

fn cannot_record(error: &std::io::Error) -> String {
    format!("cannot write the file of --record: {error}")
}
