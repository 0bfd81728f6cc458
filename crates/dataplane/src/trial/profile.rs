//! What a version's answers look like, for people: how long they took; means, quantiles and the shares of classes of
//! its outputs, from a sample. Nothing is decided by them.
//!
//! The first [`WHOLE`] answers of a version are looked at, then one in [`THINNED`]. A look is left out rather than waited
//! for: the profile is behind a lock that no request waits for.

use super::{latencies::Latencies, latencies::Latency, signed_histogram::SignedHistogram, values::Values};
use crate::{inference::SignatureRun, signature::Signatures, tensor::Tensor};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// So many answers are looked at at least: a candidate's first, which are few, among them.
const WHOLE: u64 = 1_000;
/// After those, one in so many.
const THINNED: u64 = 64;
/// Outputs of one version.
const OUTPUTS_MAX: usize = 32;
/// Elements of one output that are read of one answer; of floats only so many, evenly spread, are counted.
const ELEMENTS_MAX: usize = 4_096;
const COUNTED_MAX: usize = 256;
/// Classes of one output; those that come later are counted together.
const CLASSES_MAX: usize = 64;
/// A string that is longer is cut.
const CLASS_BYTES_MAX: usize = 64;

/// What one answer's outputs are called, for the profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) signatures: &'a Signatures,
    /// None where several signatures, or a part of a graph, were run: then nothing says which output is which.
    pub(crate) run: Option<&'a SignatureRun>,
    pub(crate) outputs: &'a [Tensor],
}

/// One version's answers.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    latencies: Latencies,
    seen: AtomicU64,
    outputs: Mutex<BTreeMap<Place, Profile>>,
}

/// A signature's index, and its output's.
type Place = (usize, usize);

#[derive(Debug)]
struct Profile {
    name: String,
    values: SignedHistogram,
    classes: BTreeMap<Class, u64>,
    other: u64,
}

/// What a class is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The place of the highest score in the last dimension, or an integer output itself.
    Number(i64),
    /// A string output itself.
    Text(Bytes),
}

/// One version's answers at one moment.
#[derive(Clone, Debug)]
pub struct VersionProfile {
    /// How long they took.
    pub latency: Latency,
    /// What they said, by the signatures' order.
    pub outputs: Vec<OutputProfile>,
}

/// One output at one moment.
#[derive(Clone, Debug)]
pub struct OutputProfile {
    /// Its name; one of another signature than the default one has that before it, as in `classify/scores`.
    pub name: String,
    /// Floats, counted.
    pub values: SignedHistogram,
    /// How often each class was seen.
    pub classes: Vec<(Class, u64)>,
    /// Classes that came when there was no more room.
    pub other: u64,
}

impl Profiles {
    pub(super) fn record_latency(&self, took: Duration) {
        self.latencies.record(took);
    }

    pub(super) fn observe(&self, observed: Observed<'_>) {
        let Observed { signatures, run: Some(run), outputs } = observed else { return };
        // Written only while it matters: every request comes by here.
        if self.seen.load(Ordering::Relaxed) < WHOLE {
            self.seen.fetch_add(1, Ordering::Relaxed);
        } else if fastrand::u64(..THINNED) > 0 {
            return;
        }
        let Ok(mut profiles) = self.outputs.try_lock() else { return };
        for (&index, output) in run.inputs.outputs.iter().zip(outputs) {
            let place = (run.signature, index);
            if profiles.len() >= OUTPUTS_MAX && !profiles.contains_key(&place) {
                continue;
            }
            if let Some(values) = Values::read(output, ELEMENTS_MAX) {
                let profile =
                    profiles.entry(place).or_insert_with(|| Profile::new(name(signatures, run, index)));
                profile.add(&values, output.shape());
            }
        }
    }

    pub(super) fn read(&self) -> VersionProfile {
        let outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        VersionProfile {
            latency: self.latencies.read(),
            outputs: outputs.values().map(Profile::read).collect(),
        }
    }
}

fn name(signatures: &Signatures, run: &SignatureRun, output: usize) -> String {
    let Some(signature) = signatures.get(run.signature) else { return String::new() };
    let alias = signature.outputs.get(output).map_or("", |spec| spec.alias.as_str());
    if signatures.find("").is_some_and(|(default, _)| default == run.signature) {
        alias.to_owned()
    } else {
        format!("{}/{alias}", signature.name)
    }
}

impl Profile {
    fn new(name: String) -> Self {
        Self { name, values: SignedHistogram::default(), classes: BTreeMap::new(), other: 0 }
    }

    fn add(&mut self, values: &Values, shape: &[i64]) {
        match values {
            Values::Floats(floats) => {
                let step = floats.len().div_ceil(COUNTED_MAX).max(1);
                floats.iter().step_by(step).for_each(|float| self.values.record(*float));
                self.add_top(floats, shape);
            }
            Values::Integers(integers) => {
                integers.iter().take(COUNTED_MAX).for_each(|integer| self.add_class(Class::Number(*integer)));
            }
            Values::Strings(strings) => {
                for string in strings.iter().take(COUNTED_MAX) {
                    let end = string.len().min(CLASS_BYTES_MAX);
                    // Copied: the whole answer's bytes would be held for a few of them.
                    self.add_class(Class::Text(Bytes::copy_from_slice(
                        string.get(..end).unwrap_or_default(),
                    )));
                }
            }
        }
    }

    /// The place of the highest score of each row, where a row is several scores.
    fn add_top(&mut self, floats: &[f64], shape: &[i64]) {
        let Some(width) = shape.last().and_then(|width| usize::try_from(*width).ok()) else { return };
        if width < 2 {
            return;
        }
        for row in floats.chunks_exact(width).take(COUNTED_MAX) {
            let top = row.iter().enumerate().max_by(|left, right| left.1.total_cmp(right.1));
            if let Some(class) = top.and_then(|(place, _)| i64::try_from(place).ok()) {
                self.add_class(Class::Number(class));
            }
        }
    }

    fn add_class(&mut self, class: Class) {
        if let Some(count) = self.classes.get_mut(&class) {
            *count += 1;
        } else if self.classes.len() < CLASSES_MAX {
            self.classes.insert(class, 1);
        } else {
            self.other += 1;
        }
    }

    fn read(&self) -> OutputProfile {
        let classes = self.classes.iter().map(|(class, count)| (class.clone(), *count)).collect();
        OutputProfile { name: self.name.clone(), values: self.values.clone(), classes, other: self.other }
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
