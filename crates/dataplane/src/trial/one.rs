//! One trial: its epochs, and what they share: keys, output profiles, predictions that wait for their truth.

use super::{
    counts::{ArmSnapshot, THRESHOLD_NAMES_MAX, Threshold, Truth},
    epoch::{Answerer, Epoch, EpochSnapshot},
    keys::{KeyPool, Keys, Marks},
    predictions::{Found, Prediction, PredictionCounts, PredictionPool, Predictions},
    profile::{Observed, Profiles, VersionProfile},
    remembered,
};
use crate::{
    shadow::{ShadowReport, Tally},
    traffic::{Arm, Remembering, TrafficSettings},
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Epochs whose counts are kept; of a trial with more, the oldest are forgotten. The control plane keeps the sums.
pub(super) const EPOCHS_MAX: usize = 64;

/// What all trials draw from.
#[derive(Clone, Debug, Default)]
pub(super) struct Pools {
    keys: KeyPool,
    predictions: PredictionPool,
}

/// One trial.
#[derive(Debug)]
pub struct Trial {
    name: Box<str>,
    candidate: Option<i64>,
    epochs: Mutex<Vec<Arc<Epoch>>>,
    shared: Arc<Shared>,
    shadow: Arc<Tally>,
}

/// What its epochs share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) keys: Keys,
    predictions: Predictions,
    /// Of the baseline and the candidate.
    profiles: [Profiles; 2],
    /// The names of latency thresholds that the trial has had: a key is slow by each of them once.
    thresholds: Mutex<Vec<Arc<str>>>,
    truths: Truths,
    /// Answers that lacked the output that is to be remembered, or whose output is too large for that.
    unfit: AtomicU64,
}

/// What became of truths that were told.
#[derive(Debug, Default)]
struct Truths {
    counted: AtomicU64,
    again: AtomicU64,
    late: AtomicU64,
    left_out: AtomicU64,
    unknown: AtomicU64,
}

/// What became of truths that were told, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TruthCounts {
    /// They count.
    pub counted: u64,
    /// Their request's truth was told before.
    pub again: u64,
    /// The window was over.
    pub late: u64,
    /// Their prediction was not among those that are kept.
    pub left_out: u64,
    /// No request of this id is known.
    pub unknown: u64,
}

/// One trial at one moment.
#[derive(Clone, Debug)]
pub struct TrialSnapshot {
    /// What the control plane calls it.
    pub name: Box<str>,
    /// In order.
    pub epochs: Vec<EpochSnapshot>,
    /// The answers of the default version.
    pub baseline: VersionProfile,
    /// Those of the version that is compared with it.
    pub candidate: VersionProfile,
    /// What came of its shadow traffic.
    pub shadow: ShadowReport,
    /// Predictions that wait for their truth.
    pub predictions: PredictionCounts,
    /// Of those, which could not be kept: the output is missing, or too large.
    pub unfit: u64,
    /// Truths that were told.
    pub truths: TruthCounts,
    /// Which share of routing keys is counted, at the least.
    pub key_share: f64,
}

impl TrialSnapshot {
    /// An arm's parts of all epochs.
    pub fn arms(&self, arm: Arm) -> impl Iterator<Item = &ArmSnapshot> {
        self.epochs.iter().filter_map(move |epoch| match arm {
            Arm::Baseline => Some(&epoch.baseline),
            Arm::Candidate => Some(&epoch.candidate),
            Arm::Other => None,
        })
    }
}

impl Trial {
    pub(super) fn new(settings: &TrafficSettings, pools: &Pools) -> Self {
        let shared = Shared {
            keys: Keys::new(&pools.keys),
            predictions: Predictions::new(&pools.predictions),
            profiles: Default::default(),
            thresholds: Mutex::default(),
            truths: Truths::default(),
            unfit: AtomicU64::default(),
        };
        let (name, candidate) = (settings.trial.as_str().into(), settings.candidate);
        Self { name, candidate, epochs: Mutex::default(), shared: Arc::new(shared), shadow: Arc::default() }
    }

    /// What the control plane calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that is compared; none: nothing is.
    #[must_use]
    pub fn candidate(&self) -> Option<i64> {
        self.candidate
    }

    /// Where its shadow traffic is counted.
    #[must_use]
    pub fn shadow(&self) -> &Arc<Tally> {
        &self.shadow
    }

    /// Its epochs, in order.
    #[must_use]
    pub fn epochs(&self) -> Vec<Arc<Epoch>> {
        self.lock().clone()
    }

    /// All that is counted, now.
    #[must_use]
    pub fn read(&self) -> TrialSnapshot {
        let [baseline, candidate] = self.shared.profiles.each_ref().map(Profiles::read);
        TrialSnapshot {
            name: self.name.clone(),
            epochs: self.epochs().iter().map(|epoch| epoch.read()).collect(),
            baseline,
            candidate,
            shadow: self.shadow.report(),
            predictions: self.shared.predictions.read(),
            unfit: self.shared.unfit.load(Ordering::Relaxed),
            truths: self.shared.truths.read(),
            key_share: self.shared.keys.share(),
        }
    }

    /// The prediction of this request, if its truth is awaited.
    #[must_use]
    pub fn find_prediction(&self, request_id: &str) -> Found {
        self.shared.predictions.find(request_id.as_bytes())
    }

    /// Counts the truth of this request's prediction, once; what was known of the request before.
    pub fn tell_truth(&self, request_id: &str, truth: &Truth) -> Found {
        let found = self.shared.predictions.take(request_id.as_bytes());
        self.shared.truths.count(&found);
        if let Found::Kept(prediction) = &found
            && let Some(epoch) = self.lock().iter().find(|epoch| epoch.number() == prediction.epoch)
        {
            epoch.record_truth(prediction.arm, truth, prediction.key);
        }
        found
    }

    /// Frees what is large in this thread: a request that still runs may be the last to hold the trial, and must not
    /// be the one who does.
    pub(super) fn end(&self) {
        self.shared.keys.clear();
        self.shared.predictions.clear();
    }

    pub(super) fn epoch(&self, settings: &TrafficSettings) -> Arc<Epoch> {
        let mut epochs = self.lock();
        if let Some(last) = epochs.last().filter(|last| last.number() == settings.epoch) {
            return Arc::clone(last);
        }
        let epoch = Arc::new(Epoch::new(settings, Arc::clone(&self.shared)));
        if epochs.len() == EPOCHS_MAX {
            epochs.remove(0);
        }
        epochs.push(Arc::clone(&epoch));
        epoch
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Epoch>>> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The threshold's name, and what a key that is slow by it is marked with.
    pub(super) fn threshold(&self, name: &str) -> (Arc<str>, Marks) {
        let mut names = self.thresholds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = names.iter().position(|known| **known == *name) {
            return (names.get(number).cloned().unwrap_or_default(), Threshold::mark(number));
        }
        let (number, name) = (names.len(), Arc::<str>::from(name));
        if number < THRESHOLD_NAMES_MAX {
            names.push(Arc::clone(&name));
        }
        (name, Threshold::mark(number))
    }

    /// What an arm's answers look like; none of one that is not compared.
    pub(super) fn profiles(&self, arm: Arm) -> Option<&Profiles> {
        self.profiles.get(arm as usize)
    }

    pub(super) fn remember(
        &self,
        (epoch, request_id): (u64, &str),
        answerer: Answerer<'_>,
        observed: Observed<'_>,
        (remembering, window): (&Remembering, Duration),
    ) {
        let Some((values, shape, labels)) = remembered::find(remembering, observed) else {
            self.unfit.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let Answerer { arm, key, version, .. } = answerer;
        let prediction = Prediction { version, arm, epoch, key, shape, values, labels };
        self.predictions.remember(request_id.as_bytes(), prediction, window);
    }
}

impl Truths {
    fn count(&self, found: &Found) {
        let count = match found {
            Found::Kept(_) => &self.counted,
            Found::Judged => &self.again,
            Found::Late => &self.late,
            Found::LeftOut => &self.left_out,
            Found::Unknown => &self.unknown,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> TruthCounts {
        let Self { counted, again, late, left_out, unknown } = self;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        TruthCounts {
            counted: read(counted),
            again: read(again),
            late: read(late),
            left_out: read(left_out),
            unknown: read(unknown),
        }
    }
}
