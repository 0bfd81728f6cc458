//! What is counted of one version while a trial's split stays as it is. Requests only add to atomics.
//!
//! A bad event is added after the request that it is part of, and read before it: no snapshot has more bad requests
//! than requests. Each thing is counted in three units: events, keys (each once), and events without a key; what was
//! drawn for an arm is one of the last two, and that is what a test counts.

use super::{
    keys::{Keys, Marks},
    outcome::Outcome,
};
use crate::{
    error::{CODE_COUNT, Code},
    striped::Striped,
};
use histogram::{AtomicHistogram, Histogram};
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

/// Latencies are counted in microseconds; buckets are at most 1/32 (3 %) wide, as in stats.rs.
const GROUPING_POWER: u8 = 5;
/// Longer latencies than 2^32 microseconds (71 minutes) count as that.
const MAX_VALUE_POWER: u8 = 32;
const LATENCY_MAX_US: u64 = (1 << MAX_VALUE_POWER) - 1;

const ERROR: Marks = Marks::of(0);
const INVALID: Marks = Marks::of(1);
const WRONG: Marks = Marks::of(2);
const TRUTH: Marks = Marks::of(3);
/// The numbers from here on are those of latency thresholds, by the place of their name in the trial.
const SLOW: u32 = 5;
/// Not a key's misfortune, but that the split gave it to a version: once in the trial.
const ASSIGNED: Marks = Marks::of(4);

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

/// One thing, counted in the three units in which things are judged.
#[derive(Debug, Default)]
struct Count {
    events: AtomicU64,
    keys: AtomicU64,
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
        match of {
            Of::Key { is_first: false } => {}
            Of::Key { is_first: true } => bump(&self.keys),
            Of::Nobody => bump(&self.keyless),
        }
        bump(&self.events);
    }

    fn read(&self) -> CountSnapshot {
        let Self { events, keys, keyless } = self;
        CountSnapshot { events: read(events), keys: read(keys), keyless: read(keyless) }
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
    by_code: [AtomicU64; CODE_COUNT],
}

/// One version's part of one epoch. On cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct ArmCounts {
    common: Striped<Common>,
    callers_mistakes: AtomicU64,
    refused: AtomicU64,
    fallbacks: AtomicU64,
    errors: Count,
    invalid_outputs: Count,
    slow: [Count; THRESHOLDS_MAX],
    /// None only if the histogram's constants were wrong, which a test rules out.
    latency_us: Option<AtomicHistogram>,
    truths: Count,
    wrong: Count,
    scores: Mutex<BTreeMap<String, Moments>>,
}

impl Default for ArmCounts {
    fn default() -> Self {
        Self {
            common: Striped::default(),
            callers_mistakes: AtomicU64::default(),
            refused: AtomicU64::default(),
            fallbacks: AtomicU64::default(),
            errors: Count::default(),
            invalid_outputs: Count::default(),
            slow: Default::default(),
            latency_us: AtomicHistogram::new(GROUPING_POWER, MAX_VALUE_POWER).ok(),
            truths: Count::default(),
            wrong: Count::default(),
            scores: Mutex::default(),
        }
    }
}

/// Whose key a request was: where it is looked up, and in which epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor<'a> {
    pub(super) keys: &'a Keys,
    pub(super) key: u64,
    pub(super) epoch: u64,
}

impl ArmCounts {
    /// Counts a request that the split gives this version, as it comes.
    pub(super) fn assign(&self, keyed: Option<(&Keys, u64)>) {
        self.common.mine().assigned.add(of(keyed.map(|(keys, key)| keys.mark(key, ASSIGNED).has(ASSIGNED))));
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
        let common = self.common.mine();
        if let Some(count) = common.by_code.get(usize::from(course.code as u8)) {
            bump(count);
        }
        if let Some(latency) = &self.latency_us {
            let micros = u64::try_from(course.took.as_micros()).unwrap_or(u64::MAX).min(LATENCY_MAX_US);
            let _ = latency.increment(micros); // cannot fail: the value is within the range
        }
        let kinds = || self.kinds_of(course, thresholds);
        let marks = kinds().fold(Marks::NONE, |marks, (mark, _)| marks.with(mark));
        let visit = visitor.map(|Visitor { keys, key, epoch }| keys.visit(key, epoch, marks));
        common.requests.add(of(visit.map(|visit| visit.is_first_in_epoch)));
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
        ArmSnapshot {
            slow: slow.map(|(threshold, bad)| (Arc::clone(&threshold.name), bad.read())).collect(),
            errors: self.errors.read(),
            invalid_outputs: self.invalid_outputs.read(),
            wrong: self.wrong.read(),
            truths: self.truths.read(),
            scores,
            fallbacks: read(&self.fallbacks),
            by_code: std::array::from_fn(|code| {
                self.common.all().filter_map(|common| common.by_code.get(code)).map(read).sum()
            }),
            latency_us: self.latency_us.as_ref().map(AtomicHistogram::load),
            callers_mistakes: read(&self.callers_mistakes),
            refused: read(&self.refused),
            requests: Count::read_all(self.common.all().map(|common| &common.requests)),
            assigned: Count::read_all(self.common.all().map(|common| &common.assigned)),
        }
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
    latency_us: Option<Histogram>,
}

impl ArmSnapshot {
    /// The latencies, in seconds, below which these shares (0 to 1) of the answers stayed, to within 3 %; empty when
    /// there was none.
    #[must_use]
    pub fn latency_quantiles_s(&self, shares: &[f64]) -> Vec<(f64, f64)> {
        self.latency_us.as_ref().map(|latency| quantiles_s(latency, shares)).unwrap_or_default()
    }

    /// The same of several together.
    #[must_use]
    pub fn latency_quantiles_of_all_s<'a>(
        all: impl IntoIterator<Item = &'a Self>,
        shares: &[f64],
    ) -> Vec<(f64, f64)> {
        let latencies = all.into_iter().filter_map(|each| each.latency_us.clone());
        let together = latencies.reduce(|mut together, latency| {
            let _ = together.checked_add_assign(&latency); // cannot fail: all have the same buckets
            together
        });
        together.map(|latency| quantiles_s(&latency, shares)).unwrap_or_default()
    }
}

#[allow(clippy::cast_precision_loss)] // below 2^32
fn quantiles_s(latency_us: &Histogram, shares: &[f64]) -> Vec<(f64, f64)> {
    let Some(quantiles) = latency_us.quantiles(shares).ok().flatten() else { return Vec::new() };
    let entries = quantiles.entries().iter();
    entries.map(|(share, bucket)| (share.as_f64(), bucket.end() as f64 / 1e6)).collect()
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
