//! What is counted of every request: answers by code, and how long the good ones took.
//!
//! The request path only adds to atomics; rows are made when first used. Memory is bounded: rows exist for loaded
//! versions and routed models, never for a name that a client made up, and a bounded number of rows of versions
//! that are gone is kept so that their last counts can still be read.

use crate::{
    error::{CODE_COUNT, Code},
    inference::{Api, Door},
    metrics::{ModelCounts, Models},
};
use histogram::{AtomicHistogram, Histogram};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Latencies are counted in microseconds; buckets are at most 1/32 (3 %) wide, 7 KiB a row.
const GROUPING_POWER: u8 = 5;
/// Longer latencies than 2^32 microseconds (71 minutes) count as that.
const MAX_VALUE_POWER: u8 = 32;
const LATENCY_MAX_US: u64 = (1 << MAX_VALUE_POWER) - 1;

/// How many versions that are gone keep their counts; beyond it the oldest are forgotten.
const RETIRED_MAX: usize = 256;

const DOORS: [Door; 2] = [Door::Grpc, Door::Rest];

const APIS: [Api; 5] = [Api::Predict, Api::Classify, Api::Regress, Api::MultiInference, Api::SessionRun];

/// By which method and door a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Method {
    /// The method.
    pub api: Api,
    /// The door.
    pub door: Door,
}

impl Method {
    /// How many there are.
    const COUNT: usize = APIS.len() * DOORS.len();

    /// `predict:grpc`, for example.
    #[must_use]
    pub fn name(self) -> &'static str {
        match (self.api, self.door) {
            (Api::Predict, Door::Grpc) => "predict:grpc",
            (Api::Predict, Door::Rest) => "predict:rest",
            (Api::Classify, Door::Grpc) => "classify:grpc",
            (Api::Classify, Door::Rest) => "classify:rest",
            (Api::Regress, Door::Grpc) => "regress:grpc",
            (Api::Regress, Door::Rest) => "regress:rest",
            (Api::MultiInference, Door::Grpc) => "multi_inference:grpc",
            (Api::MultiInference, Door::Rest) => "multi_inference:rest",
            (Api::SessionRun, Door::Grpc) => "session_run:grpc",
            (Api::SessionRun, Door::Rest) => "session_run:rest",
        }
    }

    /// Below [`Self::COUNT`], and its own.
    fn index(self) -> usize {
        self.api as usize * DOORS.len() + self.door as usize
    }

    fn from_index(index: usize) -> Option<Self> {
        let (api, door) = (APIS.get(index / DOORS.len())?, DOORS.get(index % DOORS.len())?);
        Some(Self { api: *api, door: *door })
    }
}

/// The counts of one method of one version, by one door.
#[derive(Debug)]
struct Row {
    by_code: [AtomicU64; CODE_COUNT],
    latency_sum_us: AtomicU64,
    /// None only if the histogram's constants were wrong, which a test rules out.
    latency_us: Option<AtomicHistogram>,
}

impl Default for Row {
    fn default() -> Self {
        let latency_us = AtomicHistogram::new(GROUPING_POWER, MAX_VALUE_POWER).ok();
        Self { by_code: Default::default(), latency_sum_us: AtomicU64::default(), latency_us }
    }
}

impl Row {
    fn record(&self, code: Code, latency: Duration) {
        if let Some(count) = self.by_code.get(code as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if code == Code::Ok {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).min(LATENCY_MAX_US);
            self.latency_sum_us.fetch_add(micros, Ordering::Relaxed);
            if let Some(histogram) = &self.latency_us {
                let _ = histogram.increment(micros); // cannot fail: the value is within the range
            }
        }
    }
}

/// The rows of one loaded version, of one routed model (for requests that reached no version of it), or of all
/// requests for models that are not here.
#[derive(Debug)]
pub struct Rows {
    model: Arc<str>,
    version: Option<i64>,
    signatures: Vec<String>,
    /// What is counted of the model as a whole.
    counts: Arc<ModelCounts>,
    /// One for each signature and method, then one for each method for requests that reached no signature.
    cells: Box<[OnceLock<Box<Row>>]>,
}

impl Rows {
    fn new(counts: Arc<ModelCounts>, version: Option<i64>, signatures: Vec<String>) -> Arc<Self> {
        let cells = (0..(signatures.len() + 1) * Method::COUNT).map(|_| OnceLock::new()).collect();
        Arc::new(Self { model: Arc::clone(counts.model()), version, signatures, counts, cells })
    }

    /// What is counted of the model as a whole.
    #[must_use]
    pub fn counts(&self) -> &Arc<ModelCounts> {
        &self.counts
    }

    /// Counts one answer; `signature` is the index of the one that was asked for, if the request came that far.
    pub fn record(&self, signature: Option<usize>, method: Method, code: Code, latency: Duration) {
        let signature = signature.unwrap_or(self.signatures.len());
        if let Some(cell) = self.cells.get(signature * Method::COUNT + method.index()) {
            cell.get_or_init(Box::default).record(code, latency);
        }
    }

    fn snapshot(&self) -> impl Iterator<Item = MethodStatistics> {
        let used = |(index, cell): (usize, &OnceLock<Box<Row>>)| {
            let row = cell.get()?;
            let method = Method::from_index(index % Method::COUNT)?;
            Some(self.read(self.signatures.get(index / Method::COUNT), method, row))
        };
        self.cells.iter().enumerate().filter_map(used)
    }

    fn read(&self, signature: Option<&String>, method: Method, row: &Row) -> MethodStatistics {
        MethodStatistics {
            model: Arc::clone(&self.model),
            version: self.version,
            signature: signature.cloned().unwrap_or_default(),
            method,
            by_code: std::array::from_fn(|code| {
                row.by_code.get(code).map_or(0, |count| count.load(Ordering::Relaxed))
            }),
            latency_sum: Duration::from_micros(row.latency_sum_us.load(Ordering::Relaxed)),
            latency_us: row.latency_us.as_ref().map(AtomicHistogram::load),
        }
    }
}

/// The counts of one method of one version at one moment.
#[derive(Clone, Debug)]
pub struct MethodStatistics {
    /// The model; empty for all requests that named a model that is not here.
    pub model: Arc<str>,
    /// The version; none when the request reached none.
    pub version: Option<i64>,
    /// The signature; empty when the request reached none.
    pub signature: String,
    /// The method and the door it came by.
    pub method: Method,
    /// Answers by canonical code.
    pub by_code: [u64; CODE_COUNT],
    /// Of the answers that were OK.
    pub latency_sum: Duration,
    latency_us: Option<Histogram>,
}

impl MethodStatistics {
    /// The latencies, in seconds, below which these shares (0 to 1) of the OK answers stayed, to within 3 %; empty
    /// when there was no OK answer.
    #[must_use]
    pub fn latency_quantiles_s(&self, shares: &[f64]) -> Vec<(f64, f64)> {
        let result =
            self.latency_us.as_ref().and_then(|histogram| histogram.quantiles(shares).ok().flatten());
        let Some(result) = result else { return Vec::new() };
        let pair = |(share, bucket): (&histogram::Quantile, &histogram::Bucket)| {
            (share.as_f64(), seconds(bucket.end()))
        };
        result.entries().iter().map(pair).collect()
    }

    /// How many OK answers took at most as long as each of these bounds, to within 3 %.
    #[must_use]
    pub fn latency_counts(&self, bounds: &[Duration]) -> Vec<u64> {
        let Some(histogram) = &self.latency_us else { return vec![0; bounds.len()] };
        let below = |bound: &Duration| {
            histogram
                .iter()
                .filter(|bucket| u128::from(bucket.end()) <= bound.as_micros())
                .map(|bucket| bucket.count())
                .sum()
        };
        bounds.iter().map(below).collect()
    }

    /// This and another one's counts together; `self`'s names.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.by_code.iter_mut().zip(other.by_code) {
            *mine += theirs;
        }
        self.latency_sum += other.latency_sum;
        if let (Some(mine), Some(theirs)) = (&mut self.latency_us, &other.latency_us) {
            let _ = mine.checked_add_assign(theirs); // cannot fail: all rows have the same buckets
        }
        self
    }
}

#[allow(clippy::cast_precision_loss)] // below 2^32
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Every row there is. Locked only when a version comes or goes and when somebody reads, never by a request.
#[derive(Debug)]
pub struct Ledger {
    models: Models,
    unknown: Arc<Rows>,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    live: Vec<Arc<Rows>>,
    retired: VecDeque<Arc<Rows>>,
}

impl Default for Ledger {
    fn default() -> Self {
        let models = Models::default();
        let unknown = Rows::new(Arc::clone(models.unknown()), None, Vec::new());
        Self { models, unknown, books: Mutex::default() }
    }
}

impl Ledger {
    /// Rows for a version that is loaded.
    pub fn open_version(&self, model: &Arc<str>, version: i64, signatures: Vec<String>) -> Arc<Rows> {
        self.open(Rows::new(self.models.open(model), Some(version), signatures))
    }

    /// Rows for a routed model's requests that reach no version.
    pub fn open_model(&self, model: &Arc<str>) -> Arc<Rows> {
        self.open(Rows::new(self.models.open(model), None, Vec::new()))
    }

    fn open(&self, rows: Arc<Rows>) -> Arc<Rows> {
        self.books().live.push(Arc::clone(&rows));
        rows
    }

    /// The version was unloaded, or the model is routed no more: its counts are kept for a while.
    pub fn retire(&self, rows: &Arc<Rows>) {
        let mut books = self.books();
        let Some(index) = books.live.iter().position(|live| Arc::ptr_eq(live, rows)) else { return };
        let rows = books.live.swap_remove(index);
        self.models.close(rows.counts());
        books.retired.push_back(rows);
        if books.retired.len() > RETIRED_MAX {
            books.retired.pop_front();
        }
    }

    /// The row of all requests that named a model that is not here.
    #[must_use]
    pub fn unknown(&self) -> &Arc<Rows> {
        &self.unknown
    }

    /// What is counted of models as wholes.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Every row that was ever counted in and is not forgotten.
    #[must_use]
    pub fn snapshot(&self) -> Vec<MethodStatistics> {
        let books = self.books();
        let rows: Vec<Arc<Rows>> = books.retired.iter().chain(&books.live).cloned().collect();
        drop(books);
        rows.iter().chain([&self.unknown]).flat_map(|rows| rows.snapshot()).collect()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the doors keep up to date, for everybody to read.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Open connections of gRPC, TCP and UNIX socket together.
    pub grpc_connections: AtomicUsize,
    /// Open connections of REST.
    pub rest_connections: AtomicUsize,
    /// Bytes of request bodies held.
    pub buffered_bytes: AtomicUsize,
    /// Requests refused because something was full, by doors and path together.
    pub refused_overload: AtomicU64,
}

impl Gauges {
    /// The open connections of one door.
    #[must_use]
    pub fn connections(&self, door: Door) -> &AtomicUsize {
        match door {
            Door::Grpc => &self.grpc_connections,
            Door::Rest => &self.rest_connections,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic
mod tests {
    use super::*;

    const GRPC: Method = Method { api: Api::Predict, door: Door::Grpc };
    const REST: Method = Method { api: Api::Regress, door: Door::Rest };

    fn model() -> Arc<str> {
        Arc::from("m")
    }

    #[test]
    fn every_method_has_a_place_of_its_own() {
        let methods = (0..Method::COUNT).map(|index| Method::from_index(index).unwrap());
        assert!(methods.enumerate().all(|(index, method)| method.index() == index));
        assert_eq!(Method::from_index(Method::COUNT), None);
    }

    #[test]
    fn only_rows_that_were_counted_in_are_reported_with_their_names() {
        let ledger = Ledger::default();
        let rows = ledger.open_version(&model(), 3, vec!["a".into(), "b".into()]);
        assert!(ledger.snapshot().is_empty());
        rows.record(Some(1), REST, Code::Ok, Duration::from_millis(2));
        rows.record(None, GRPC, Code::FailedPrecondition, Duration::from_millis(1));
        let found: Vec<_> =
            ledger.snapshot().iter().map(|row| (row.signature.clone(), row.method.name())).collect();
        assert_eq!(found, [("b".to_owned(), "regress:rest"), (String::new(), "predict:grpc")]);
    }

    #[test]
    fn latencies_are_those_of_ok_answers_and_true_to_three_percent() {
        let ledger = Ledger::default();
        let rows = ledger.open_version(&model(), 1, vec!["s".into()]);
        for millis in 1..=100 {
            rows.record(Some(0), GRPC, Code::Ok, Duration::from_millis(millis));
        }
        rows.record(Some(0), GRPC, Code::Internal, Duration::from_secs(9));
        rows.record(Some(0), GRPC, Code::Ok, Duration::MAX);
        let row = ledger.snapshot().remove(0);
        assert_eq!((row.by_code[0], row.by_code[13]), (101, 1));
        let quantiles = row.latency_quantiles_s(&[0.5, 0.9]);
        assert!((quantiles[0].1 / 0.051 - 1.0).abs() < 0.04, "{quantiles:?}");
        let counts = row.latency_counts(&[Duration::ZERO, Duration::from_millis(52), Duration::MAX]);
        assert!(counts[0] == 0 && (50..=52).contains(&counts[1]) && counts[2] == 101, "{counts:?}");
    }

    #[test]
    fn rows_of_two_versions_merge() {
        let ledger = Ledger::default();
        for version in [1, 2] {
            let rows = ledger.open_version(&model(), version, vec!["s".into()]);
            rows.record(Some(0), GRPC, Code::Ok, Duration::from_millis(5));
        }
        let rows = ledger.snapshot();
        let merged = rows[0].clone().merged(&rows[1]);
        assert_eq!(merged.by_code[0], 2);
        assert_eq!(merged.latency_counts(&[Duration::from_secs(1)]), [2]);
    }

    #[test]
    fn the_counts_of_versions_that_are_gone_are_kept_in_bounded_number() {
        let ledger = Ledger::default();
        for version in 0..i64::try_from(RETIRED_MAX).unwrap() + 10 {
            let rows = ledger.open_version(&model(), version, vec!["s".into()]);
            rows.record(Some(0), GRPC, Code::Ok, Duration::ZERO);
            ledger.retire(&rows);
        }
        let rows = ledger.snapshot();
        assert_eq!(rows.len(), RETIRED_MAX);
        assert_eq!(rows[0].version, Some(10));
    }
}
