//! What is counted of a trial: a comparison of a model's candidate with its baseline. The control plane judges it.
//!
//! A [`Trial`] outlives publishes. Whenever its split changes, a new [`Epoch`] begins, so that every count belongs to
//! one split; a request adds to the epoch in which it was assigned, however long it takes.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `one`, `epoch` | a trial and its epochs: what a request does to them, all of it at one moment |
//! | `outcome` | whose doing a request's end was |
//! | `counts` | what is counted of one version in one epoch |
//! | `keys` | which routing keys were seen, and which met something bad: each counts once |
//! | `values` | a tensor's first elements; floats that are no numbers |
//! | `profile`, `signed_histogram`, `latencies` | what answers look like, for people |
//! | `remembered`, `predictions` | answers that wait for their truth, by request id |
//! | `share` | what all trials together may hold, and one trial's part of it |
//!
//! Decision 0040 says what is counted and why; 0041 how truths are told.

mod counts;
mod epoch;
mod keys;
mod latencies;
mod one;
mod outcome;
mod predictions;
mod profile;
mod remembered;
mod share;
mod signed_histogram;
mod values;

pub(crate) use counts::THRESHOLDS_MAX;
pub use counts::{ArmSnapshot, CountSnapshot, Moments, Truth};
pub(crate) use epoch::Answerer;
pub use epoch::{Ended, Epoch, EpochSnapshot};
pub use latencies::Latency;
pub use one::{Trial, TrialSnapshot, TruthCounts};
pub use predictions::{Found, Prediction, PredictionCounts};
pub(crate) use profile::Observed;
pub use profile::{Class, OutputProfile, VersionProfile};
pub use signed_histogram::SignedHistogram;
pub use values::Values;

use crate::traffic::TrafficSettings;
use one::Pools;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The trials under way, at most one of a model.
#[derive(Debug, Default)]
pub struct Trials {
    trials: Mutex<BTreeMap<Arc<str>, Arc<Trial>>>,
    pools: Pools,
}

impl Trials {
    /// Where requests of `model` are counted under these settings: the same place while they say the same trial and
    /// epoch. Another trial of the model ends.
    pub fn open(&self, model: &Arc<str>, settings: &TrafficSettings) -> Arc<Epoch> {
        let mut trials = self.lock();
        let trial = match trials.get(model).filter(|trial| *trial.name() == *settings.trial) {
            Some(trial) => Arc::clone(trial),
            None => Arc::new(Trial::new(settings, &self.pools)),
        };
        let epoch = trial.epoch(settings);
        let before = trials.insert(Arc::clone(model), Arc::clone(&trial));
        drop(trials);
        if let Some(ended) = before.filter(|before| !Arc::ptr_eq(before, &trial)) {
            ended.end();
        }
        epoch
    }

    /// Ends the model's trial, if there is one.
    pub(crate) fn close(&self, model: &str) {
        let ended = self.lock().remove(model);
        if let Some(ended) = ended {
            ended.end();
        }
    }

    /// The trials under way, by model.
    #[must_use]
    pub fn all(&self) -> Vec<(Arc<str>, Arc<Trial>)> {
        self.lock().iter().map(|(model, trial)| (Arc::clone(model), Arc::clone(trial))).collect()
    }

    /// The model's trial; none: it has none.
    #[must_use]
    pub fn of(&self, model: &str) -> Option<Arc<Trial>> {
        self.lock().get(model).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Trial>>> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
