//! What is counted of a trial: a comparison of a model's candidate with its baseline. The control plane judges it.
//!
//! A [`Trial`] outlives publishes. Whenever its split changes, a new [`Epoch`] begins, so that every count belongs to
//! one split; a request adds to the epoch in which it was assigned, however long it takes.

use crate::{
    error::Code,
    traffic::{Arm, Reason, Stage, TrafficSettings},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Epochs whose counts are kept; of a trial with more, the oldest are forgotten. The control plane keeps the sums.
const EPOCHS_MAX: usize = 64;

/// The trials under way, at most one of a model.
#[derive(Debug, Default)]
pub struct Trials(Mutex<BTreeMap<Arc<str>, Arc<Trial>>>);

impl Trials {
    /// Where requests of `model` are counted under these settings: the same place while they say the same trial and
    /// epoch. Another trial of the model ends.
    pub(crate) fn open(&self, model: &Arc<str>, settings: &TrafficSettings) -> Arc<Epoch> {
        let mut trials = self.lock();
        let trial = match trials.get(model).filter(|trial| *trial.name == *settings.trial) {
            Some(trial) => Arc::clone(trial),
            None => Arc::new(Trial::new(&settings.trial)),
        };
        let epoch = trial.epoch(settings);
        trials.insert(Arc::clone(model), trial);
        epoch
    }

    /// Ends the model's trial, if there is one.
    pub(crate) fn close(&self, model: &str) {
        self.lock().remove(model);
    }

    /// The trials under way, by model.
    #[must_use]
    pub fn all(&self) -> Vec<(Arc<str>, Arc<Trial>)> {
        self.lock().iter().map(|(model, trial)| (Arc::clone(model), Arc::clone(trial))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Trial>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One trial.
#[derive(Debug)]
pub struct Trial {
    name: Box<str>,
    epochs: Mutex<Vec<Arc<Epoch>>>,
}

impl Trial {
    fn new(name: &str) -> Self {
        Self { name: name.into(), epochs: Mutex::default() }
    }

    /// What the control plane calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its epochs, in order.
    #[must_use]
    pub fn epochs(&self) -> Vec<Arc<Epoch>> {
        self.lock().clone()
    }

    fn epoch(&self, settings: &TrafficSettings) -> Arc<Epoch> {
        let mut epochs = self.lock();
        if let Some(last) = epochs.last().filter(|last| last.number == settings.epoch) {
            return Arc::clone(last);
        }
        let epoch = Arc::new(Epoch::new(settings));
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

/// The time during which a trial's split stays as it is, and what is counted in it.
#[derive(Debug)]
pub struct Epoch {
    number: u64,
    baseline: Counts,
    candidate: Counts,
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
    /// How far it came.
    pub stage: Stage,
    /// What it was answered with.
    pub code: Code,
    /// From its arrival to its answer.
    pub took: Duration,
}

/// One version's part of an epoch, as it grows. On cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counts {
    requests: AtomicU64,
    errors: AtomicU64,
    callers_mistakes: AtomicU64,
    refused: AtomicU64,
    fallbacks: AtomicU64,
}

/// One version's part of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmCounts {
    /// That it answered, however.
    pub requests: u64,
    /// Of those, runs that failed and answers that came too late.
    pub errors: u64,
    /// That could not be asked of any version as they were.
    pub callers_mistakes: u64,
    /// That the server had no room for, and those whose caller went away.
    pub refused: u64,
    /// That another version answered, because this one could not.
    pub fallbacks: u64,
}

impl Epoch {
    fn new(settings: &TrafficSettings) -> Self {
        Self { number: settings.epoch, baseline: Counts::default(), candidate: Counts::default() }
    }

    /// Its number within the trial.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What was counted of an arm; nothing of one that is not compared.
    #[must_use]
    pub fn counts(&self, arm: Arm) -> ArmCounts {
        self.of(arm).map(Counts::read).unwrap_or_default()
    }

    /// Counts a request. Who asked for its version is no evidence: it was not drawn.
    pub(crate) fn record(&self, ended: &Ended) {
        let Some(counts) = self.of(ended.assigned).filter(|_| ended.reason != Reason::Override) else {
            return;
        };
        let add = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
        if ended.reason == Reason::Fallback {
            add(&counts.fallbacks);
            return;
        }
        match Class::of(ended) {
            Class::Answered => {
                add(&counts.requests);
            }
            Class::Error => {
                add(&counts.requests);
                add(&counts.errors);
            }
            Class::CallersMistake => {
                add(&counts.callers_mistakes);
            }
            Class::Refused => {
                add(&counts.refused);
            }
        }
    }

    fn of(&self, arm: Arm) -> Option<&Counts> {
        match arm {
            Arm::Baseline => Some(&self.baseline),
            Arm::Candidate => Some(&self.candidate),
            Arm::Other => None,
        }
    }
}

/// Whose doing the end of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Answered,
    /// The version's.
    Error,
    CallersMistake,
    /// The server's, or its caller's who went away.
    Refused,
}

impl Class {
    fn of(ended: &Ended) -> Self {
        match (ended.code, ended.stage) {
            (Code::Ok, _) => Self::Answered,
            (Code::Cancelled, _) | (Code::ResourceExhausted | Code::Unavailable, Stage::Chosen) => {
                Self::Refused
            }
            (Code::DeadlineExceeded, _) | (_, Stage::Running | Stage::Ran) => Self::Error,
            (_, Stage::Chosen) => Self::CallersMistake,
        }
    }
}

impl Counts {
    fn read(&self) -> ArmCounts {
        let Self { requests, errors, callers_mistakes, refused, fallbacks } = self;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ArmCounts {
            requests: read(requests),
            errors: read(errors),
            callers_mistakes: read(callers_mistakes),
            refused: read(refused),
            fallbacks: read(fallbacks),
        }
    }
}

#[cfg(test)]
mod tests;
