//! What came of a trial's shadow traffic, as it grows. Requests add to atomics only; what a comparison finds is put
//! down by the thread that compared, under a lock that no request takes.

use super::{
    compare::Sides,
    mapping::Incomparable,
    outputs::{OutputTally, Verdict},
    report::{Bad, Failure, OutputReport, ShadowReport},
    room::{Floor, Shed},
};
use histogram::Histogram;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Outputs of all signatures together that are told apart; more differ uncounted, but the request is counted.
const OUTPUTS_MAX: usize = 128;

/// Runs that failed which are kept to be looked at: the last ones.
const FAILURES_MAX: usize = 16;

/// The shares of runs whose length is told.
const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// Runs are measured in microseconds, to within 3 %, up to 71 minutes.
const GROUPING_POWER: u8 = 5;
const MAX_VALUE_POWER: u8 = 32;
const RUN_MAX_US: u64 = (1 << MAX_VALUE_POWER) - 1;

/// The counts of one trial.
#[derive(Debug, Default)]
pub struct Tally {
    mirrored: AtomicU64,
    shed: [AtomicU64; Shed::ALL.len()],
    overdue: AtomicUsize,
    floor: Floor,
    found: Mutex<Found>,
}

/// What comparisons found.
#[derive(Debug, Default)]
struct Found {
    incomparable: [u64; Incomparable::ALL.len()],
    compared: u64,
    disagreed: u64,
    only_candidate: Bad,
    only_baseline: Bad,
    overdue_ever: u64,
    runs_us: Option<Histogram>,
    outputs: BTreeMap<OutputName, OutputTally>,
    failures: VecDeque<Failure>,
}

/// An output by its signature's name and its own.
pub(super) type OutputName = (Box<str>, Box<str>);

/// What one request came to on both versions.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Whose run failed.
    pub(super) failed: Sides,
    /// Who answered with something that is not finite.
    pub(super) invalid: Sides,
    pub(super) outputs: Vec<(OutputName, Verdict)>,
    /// Of a run that failed on the candidate alone.
    pub(super) failure: Option<Failure>,
    pub(super) took: Duration,
}

impl Tally {
    /// A request was drawn.
    pub(super) fn count_mirrored(&self) {
        self.mirrored.fetch_add(1, Ordering::Relaxed);
    }

    /// It was dropped.
    pub(super) fn count_shed(&self, why: Shed) {
        if let Some(count) = self.shed.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Which runs need no room.
    pub(super) fn floor(&self) -> &Floor {
        &self.floor
    }

    /// The candidate cannot be asked it.
    pub(super) fn count_incomparable(&self, why: Incomparable) {
        if let Some(count) = self.found().incomparable.get_mut(why as usize) {
            *count += 1;
        }
    }

    /// Whether a run of the candidate is overdue.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Relaxed) > 0
    }

    /// A run of the candidate is overdue from now on.
    pub(super) fn begin_overdue(&self) {
        self.overdue.fetch_add(1, Ordering::Relaxed);
        self.found().overdue_ever += 1;
    }

    /// It has ended after all.
    pub(super) fn end_overdue(&self) {
        self.overdue.fetch_sub(1, Ordering::Relaxed);
    }

    /// Puts down what one request came to.
    pub(super) fn record(&self, comparison: Comparison) {
        let Comparison { failed, invalid, outputs, failure, took } = comparison;
        let mut found = self.found();
        found.compared += 1;
        found.disagreed += u64::from(outputs.iter().any(|(_, verdict)| !verdict.difference.agrees));
        found.only_candidate.errors += u64::from(failed.candidate && !failed.baseline);
        found.only_baseline.errors += u64::from(failed.baseline && !failed.candidate);
        found.only_candidate.invalid_outputs += u64::from(invalid.candidate && !invalid.baseline);
        found.only_baseline.invalid_outputs += u64::from(invalid.baseline && !invalid.candidate);
        found.record_run(took);
        for (name, verdict) in outputs {
            found.record_output(name, verdict);
        }
        if let Some(failure) = failure {
            if found.failures.len() == FAILURES_MAX {
                found.failures.pop_front();
            }
            found.failures.push_back(failure);
        }
    }

    /// All of it, now.
    #[must_use]
    pub fn report(&self) -> ShadowReport {
        let count = |why: Shed| self.shed.get(why as usize).map_or(0, |count| count.load(Ordering::Relaxed));
        let shed = Shed::ALL.into_iter().map(|why| (why, count(why))).filter(|(_, count)| *count > 0);
        let found = self.found();
        let incomparable = Incomparable::ALL.into_iter().zip(found.incomparable);
        ShadowReport {
            mirrored: self.mirrored.load(Ordering::Relaxed),
            shed: shed.collect(),
            incomparable: incomparable.filter(|(_, count)| *count > 0).collect(),
            compared: found.compared,
            disagreed: found.disagreed,
            only_candidate: found.only_candidate,
            only_baseline: found.only_baseline,
            overdue: self.overdue.load(Ordering::Relaxed),
            overdue_ever: found.overdue_ever,
            run_quantiles: found.run_quantiles(),
            outputs: found
                .outputs
                .iter()
                .map(|(name, output)| output.report(name))
                .collect::<Vec<OutputReport>>(),
            failures: found.failures.iter().cloned().collect(),
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    fn record_run(&mut self, took: Duration) {
        if self.runs_us.is_none() {
            self.runs_us = Histogram::new(GROUPING_POWER, MAX_VALUE_POWER).ok();
        }
        if let Some(runs_us) = &mut self.runs_us {
            let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(RUN_MAX_US);
            let _ = runs_us.increment(took_us); // cannot fail: the value is within the range
        }
    }

    fn record_output(&mut self, name: OutputName, verdict: Verdict) {
        let known = self.outputs.len();
        match self.outputs.get_mut(&name) {
            Some(output) => output.record(verdict),
            None if known < OUTPUTS_MAX => self.outputs.entry(name).or_default().record(verdict),
            None => {}
        }
    }

    fn run_quantiles(&self) -> Vec<(f64, Duration)> {
        let quantiles = self.runs_us.as_ref().and_then(|runs| runs.quantiles(&SHARES).ok().flatten());
        let entries = quantiles.as_ref().map(histogram::QuantilesResult::entries);
        let pair = |(share, bucket): (&histogram::Quantile, &histogram::Bucket)| {
            (share.as_f64(), Duration::from_micros(bucket.end()))
        };
        entries.into_iter().flatten().map(pair).collect()
    }
}
