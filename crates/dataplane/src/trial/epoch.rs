//! The time during which a trial's split stays as it is, and what requests do to its counts.

use super::{
    counts::{ArmCounts, ArmSnapshot, Course, THRESHOLDS_MAX, Threshold, Truth, Visitor},
    one::Shared,
    outcome::Outcome,
    profile::Observed,
    values,
};
use crate::{
    error::Code,
    traffic::{Arm, BUCKETS, Reason, Remembering, Stage, TrafficSettings},
};
use std::{sync::Arc, time::Duration};

/// No prediction waits for longer, whatever was asked for.
const WINDOW_MAX: Duration = Duration::from_hours(24 * 30);

/// One epoch of a trial.
#[derive(Debug)]
pub struct Epoch {
    number: u64,
    weight: u16,
    thresholds: Box<[Threshold]>,
    remembering: Option<(Remembering, Duration)>,
    /// Of the baseline and the candidate: by place, since which it is differs from request to request, and no
    /// processor guesses it.
    arms: [ArmCounts; 2],
    shared: Arc<Shared>,
}

/// How an assigned request ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Whose request it was.
    pub assigned: Arm,
    /// Why.
    pub reason: Reason,
    /// The hash of its key; none: it brought none.
    pub key: Option<u64>,
    /// What [`Epoch::assign`] said of it.
    pub is_key_known: bool,
    /// How far it came.
    pub stage: Stage,
    /// Whether an output was not a number, or infinite.
    pub is_invalid: bool,
    /// What it was answered with.
    pub code: Code,
    /// From its arrival to its answer.
    pub took: Duration,
}

/// Whose answer is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answerer<'a> {
    pub(crate) arm: Arm,
    pub(crate) reason: Reason,
    pub(crate) key: Option<u64>,
    /// None: nothing is kept under one.
    pub(crate) request_id: Option<&'a str>,
    pub(crate) version: i64,
}

/// One epoch at one moment.
#[derive(Clone, Debug)]
pub struct EpochSnapshot {
    /// Its number within the trial.
    pub number: u64,
    /// The candidate's share of traffic, in hundredths of a per cent.
    pub weight: u16,
    /// The default version's part.
    pub baseline: ArmSnapshot,
    /// The part of the version that is compared with it.
    pub candidate: ArmSnapshot,
}

impl Epoch {
    pub(super) fn new(settings: &TrafficSettings, shared: Arc<Shared>) -> Self {
        let thresholds = settings.slow_after_s.iter().take(THRESHOLDS_MAX).map(|(name, after_s)| {
            let (name, mark) = shared.threshold(name);
            Threshold { name, after: duration(*after_s), mark }
        });
        let remembering = settings.remembering.clone().map(|remembering| {
            let window = duration(remembering.window_s).min(WINDOW_MAX);
            (remembering, window)
        });
        Self {
            number: settings.epoch,
            weight: weight(settings),
            thresholds: thresholds.collect(),
            remembering,
            arms: Default::default(),
            shared,
        }
    }

    /// Its number within the trial.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What was counted of an arm; nothing of one that is not compared.
    #[must_use]
    pub fn counts(&self, arm: Arm) -> ArmSnapshot {
        self.of(arm).map(|counts| counts.read(&self.thresholds)).unwrap_or_default()
    }

    pub(super) fn read(&self) -> EpochSnapshot {
        let [baseline, candidate] = self.arms.each_ref().map(|counts| counts.read(&self.thresholds));
        EpochSnapshot { number: self.number, weight: self.weight, baseline, candidate }
    }

    /// Whether answers wait for their truth, each under its request's id.
    pub(crate) fn remembers(&self) -> bool {
        self.remembering.is_some()
    }

    /// Counts a request that the split gives to an arm, as it comes; whether one of its key has ended in this epoch.
    /// Who asked for its version is no evidence: it was not drawn.
    pub fn assign(&self, assigned: Arm, reason: Reason, key: Option<u64>) -> bool {
        let counts = self.of(assigned).filter(|_| reason != Reason::Override);
        counts.is_some_and(|counts| counts.assign(self.visitor(key)))
    }

    /// Looks at an answer of an arm's own version; whether an output is no number, or infinite. `observed` is none
    /// where several signatures, or a part of a graph, were run.
    pub(crate) fn observe(&self, answerer: Answerer<'_>, observed: Observed<'_>) -> bool {
        let is_own = !matches!(answerer.reason, Reason::Override | Reason::Fallback);
        let Some(profiles) = self.shared.profiles(answerer.arm).filter(|_| is_own) else { return false };
        profiles.observe(observed);
        if let (Some((remembering, window)), Some(id)) = (&self.remembering, answerer.request_id) {
            self.shared.remember((self.number, id), answerer, observed, (remembering, *window));
        }
        values::has_invalid(observed.outputs)
    }

    /// Counts a request that has ended, once.
    pub fn record(&self, ended: &Ended) {
        let Some(counts) = self.of(ended.assigned) else { return };
        match ended.reason {
            Reason::Override => return,
            Reason::Fallback => return counts.fall_back(),
            Reason::Sticky | Reason::Random => {}
        }
        let &Ended { code, stage, took, is_invalid, is_key_known, .. } = ended;
        let outcome = Outcome::of(code, stage);
        if let Some(profiles) = self.shared.profiles(ended.assigned).filter(|_| outcome.is_the_versions()) {
            profiles.record_latency(took);
        }
        let course = Course { code, outcome, took, is_invalid, is_key_known };
        counts.record(course, self.visitor(ended.key), &self.thresholds);
    }

    pub(super) fn record_truth(&self, arm: Arm, truth: &Truth, key: Option<u64>) {
        if let Some(counts) = self.of(arm) {
            counts.record_truth(truth, key.map(|key| (&self.shared.keys, key)));
        }
    }

    fn visitor(&self, key: Option<u64>) -> Option<Visitor<'_>> {
        key.map(|key| Visitor { keys: &self.shared.keys, key, epoch: self.number })
    }

    fn of(&self, arm: Arm) -> Option<&ArmCounts> {
        self.arms.get(arm as usize)
    }
}

/// The candidate's share of buckets.
fn weight(settings: &TrafficSettings) -> u16 {
    let own = settings.ranges.iter().filter(|range| settings.candidate == Some(range.version));
    own.map(|range| range.stop.saturating_sub(range.start)).sum::<u16>().min(BUCKETS)
}

/// Of seconds that were checked; what does not fit is without end.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
