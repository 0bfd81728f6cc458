//! What is counted of one version while a trial's split stays as it is. Requests only add to atomics.
//!
//! A bad event is added after the request that it is part of, and read before it: no snapshot has more bad requests
//! than requests. Each thing is counted in three units: events, keys (each once), and events without a key; what was
//! drawn for an arm is one of the last two, and that is what a test counts.

use super::{
    keys::{Keys, Marks, Visit},
    outcome::Outcome,
};
use crate::{
    error::{CODE_COUNT, Code},
    striped::Striped,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Latency thresholds of one epoch.
pub(crate) const THRESHOLDS_MAX: usize = 8;
/// Names of latency thresholds in one trial; keys that are slow by a further one are not counted.
pub(super) const THRESHOLD_NAMES_MAX: usize = 11;

/// Measures of one epoch's predictions.
const MEASURES_MAX: usize = 8;

const ERROR: Marks = Marks::of(0);
const INVALID: Marks = Marks::of(1);
const WRONG: Marks = Marks::of(2);
const TRUTH: Marks = Marks::of(3);
/// The numbers from here on, 4 being [`Marks::ASSIGNED`]'s, are those of latency thresholds, by the place of their name
/// in the trial.
const SLOW: u32 = 5;

/// A latency beyond which an answer counts as slow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Threshold {
    /// How it is called.
    pub(super) name: Arc<str>,
    /// The latency.
    pub(super) after: Duration,
    /// What a key that is slow by it is marked with.
    pub(super) mark: Marks,
}

impl Threshold {
    /// The mark of the threshold name with this number.
    pub(super) fn mark(number: usize) -> Marks {
        let number = u32::try_from(number).ok().filter(|_| number < THRESHOLD_NAMES_MAX);
        number.map_or(Marks::NONE, |number| Marks::of(SLOW + number))
    }
}

/// One thing, counted in the three units in which things are judged. Each event is one addition.
#[derive(Debug, Default)]
struct Count {
    /// The first of its key.
    keys: AtomicU64,
    /// Of a key that had one before.
    again: AtomicU64,
    /// Of a request without a key.
    keyless: AtomicU64,
}

/// Of whom one event is.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// Of a key; whether it is that key's first.
    Key { is_first: bool },
    /// Of a request without a key.
    Nobody,
}

impl Count {
    fn add(&self, of: Of) {
        bump(match of {
            Of::Key { is_first: true } => &self.keys,
            Of::Key { is_first: false } => &self.again,
            Of::Nobody => &self.keyless,
        });
    }

    fn read(&self) -> CountSnapshot {
        let (keys, again, keyless) = (read(&self.keys), read(&self.again), read(&self.keyless));
        CountSnapshot { events: keys + again + keyless, keys, keyless }
    }

    fn read_all<'a>(counts: impl Iterator<Item = &'a Self>) -> CountSnapshot {
        counts.map(Self::read).fold(CountSnapshot::default(), CountSnapshot::with)
    }
}

/// How often one thing was, in the units in which things are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountSnapshot {
    /// Times.
    pub events: u64,
    /// Keys, each once.
    pub keys: u64,
    /// Times that it was of a request without a key.
    pub keyless: u64,
}

impl CountSnapshot {
    fn with(self, other: Self) -> Self {
        let Self { events, keys, keyless } = other;
        Self { events: self.events + events, keys: self.keys + keys, keyless: self.keyless + keyless }
    }
}

/// Sums of a number, enough for its mean and variance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// How many numbers.
    pub count: u64,
    /// Their sum.
    pub total: f64,
    /// The sum of their squares.
    pub total_of_squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.total += value;
        self.total_of_squares += value * value;
    }
}

/// How one request went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) code: Code,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
    /// An output was not a number, or infinite.
    pub(super) is_invalid: bool,
    /// When it came, a request of its key had ended in the epoch.
    pub(super) is_key_known: bool,
}

/// What became of a prediction when its truth was known.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// It was wrong; none: right and wrong are not told apart.
    pub is_wrong: Option<bool>,
    /// What it was worth, by this measure.
    pub score: Option<(String, f64)>,
}

/// What every request adds to.
#[derive(Debug, Default)]
struct Common {
    assigned: Count,
    requests: Count,
}

/// One version's part of one epoch. On cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct ArmCounts {
    common: Striped<Common>,
    /// Of [`Code::Ok`] none: what is left of the requests was answered so.
    by_code: [AtomicU64; CODE_COUNT],
    callers_mistakes: AtomicU64,
    refused: AtomicU64,
    fallbacks: AtomicU64,
    errors: Count,
    invalid_outputs: Count,
    slow: [Count; THRESHOLDS_MAX],
    truths: Count,
    wrong: Count,
    scores: Mutex<BTreeMap<String, Moments>>,
}

/// Whose key a request was: where it is looked up, and in which epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor<'a> {
    pub(super) keys: &'a Keys,
    pub(super) key: u64,
    pub(super) epoch: u64,
}

impl ArmCounts {
    /// Counts a request that the split gives this version, as it comes; whether one of its key has ended in the epoch.
    pub(super) fn assign(&self, visitor: Option<Visitor<'_>>) -> bool {
        let found = visitor.map(|Visitor { keys, key, epoch }| keys.assign(key, epoch));
        self.common.mine().assigned.add(of(found.map(|found| found.is_first)));
        found.is_some_and(|found| found.has_ended)
    }

    /// Counts a request that the baseline answers for it.
    pub(super) fn fall_back(&self) {
        bump(&self.fallbacks);
    }

    /// Counts one request of its own that has course.
    pub(super) fn record(&self, course: Course, visitor: Option<Visitor<'_>>, thresholds: &[Threshold]) {
        match course.outcome {
            Outcome::CallersMistake => bump(&self.callers_mistakes),
            Outcome::Refused => bump(&self.refused),
            Outcome::Answered | Outcome::Failed => self.record_answer(course, visitor, thresholds),
        }
    }

    fn record_answer(&self, course: Course, visitor: Option<Visitor<'_>>, thresholds: &[Threshold]) {
        let kinds = || self.kinds_of(course, thresholds);
        let visit = visitor.map(|Visitor { keys, key, epoch }| {
            let marks = kinds().fold(Marks::NONE, |marks, (mark, _)| marks.with(mark));
            // Nothing is new of a key that was here and is met by nothing bad: most requests need no second look.
            let is_old = course.is_key_known && marks == Marks::NONE;
            if is_old { Visit::default() } else { keys.visit(key, epoch, marks) }
        });
        self.common.mine().requests.add(of(visit.map(|visit| visit.is_first_in_epoch)));
        if course.code != Code::Ok
            && let Some(count) = self.by_code.get(usize::from(course.code as u8))
        {
            bump(count);
        }
        for (mark, count) in kinds() {
            count.add(of(visit.map(|visit| visit.first.has(mark))));
        }
    }

    /// In which ways a request was bad: the mark of each, and its count.
    fn kinds_of(&self, course: Course, thresholds: &[Threshold]) -> impl Iterator<Item = (Marks, &Count)> {
        let failed = (course.outcome == Outcome::Failed).then_some((ERROR, &self.errors));
        let invalid = course.is_invalid.then_some((INVALID, &self.invalid_outputs));
        let slow =
            thresholds.iter().zip(&self.slow).filter(move |(threshold, _)| course.took > threshold.after);
        failed.into_iter().chain(invalid).chain(slow.map(|(threshold, count)| (threshold.mark, count)))
    }

    /// Counts what became of one of its predictions.
    pub(super) fn record_truth(&self, truth: &Truth, keyed: Option<(&Keys, u64)>) {
        let is_wrong = truth.is_wrong == Some(true);
        let marks = if is_wrong { TRUTH.with(WRONG) } else { TRUTH };
        let first = keyed.map(|(keys, key)| keys.mark(key, marks));
        self.truths.add(of(first.map(|first| first.has(TRUTH))));
        if is_wrong {
            self.wrong.add(of(first.map(|first| first.has(WRONG))));
        }
        if let Some((measure, score)) = truth.score.as_ref().filter(|(_, score)| score.is_finite()) {
            let mut scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
            if scores.len() < MEASURES_MAX || scores.contains_key(measure) {
                scores.entry(measure.clone()).or_default().add(*score);
            }
        }
    }

    /// All counts, now.
    pub(super) fn read(&self, thresholds: &[Threshold]) -> ArmSnapshot {
        let slow = thresholds.iter().zip(&self.slow);
        let scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut snapshot = ArmSnapshot {
            slow: slow.map(|(threshold, bad)| (Arc::clone(&threshold.name), bad.read())).collect(),
            errors: self.errors.read(),
            invalid_outputs: self.invalid_outputs.read(),
            wrong: self.wrong.read(),
            truths: self.truths.read(),
            scores,
            fallbacks: read(&self.fallbacks),
            callers_mistakes: read(&self.callers_mistakes),
            refused: read(&self.refused),
            by_code: self.by_code.each_ref().map(read),
            requests: Count::read_all(self.common.all().map(|common| &common.requests)),
            assigned: Count::read_all(self.common.all().map(|common| &common.assigned)),
        };
        let [ok, others @ ..] = &mut snapshot.by_code;
        *ok = snapshot.requests.events - others.iter().sum::<u64>();
        snapshot
    }
}

fn bump(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Release);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Acquire)
}

fn of(is_first: Option<bool>) -> Of {
    is_first.map_or(Of::Nobody, |is_first| Of::Key { is_first })
}

/// One version's part of one epoch at one moment. What each number means is told in `understudy/evidence.py`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ArmSnapshot {
    pub assigned: CountSnapshot,
    pub requests: CountSnapshot,
    pub callers_mistakes: u64,
    pub refused: u64,
    pub fallbacks: u64,
    pub errors: CountSnapshot,
    pub invalid_outputs: CountSnapshot,
    pub slow: Vec<(Arc<str>, CountSnapshot)>,
    pub by_code: [u64; CODE_COUNT],
    pub truths: CountSnapshot,
    pub wrong: CountSnapshot,
    pub scores: BTreeMap<String, Moments>,
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
