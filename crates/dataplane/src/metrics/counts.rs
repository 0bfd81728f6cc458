//! One model's counts, of all its versions together. Requests only add to atomics; no name of a metric lives here.

use super::{examples_histogram, latency_histogram};
use crate::{
    error::{CODE_COUNT, Code},
    examples::Task,
    histogram::{ExponentialHistogram, HistogramSnapshot},
    inference::Api,
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A method whose requests and runs are counted here; the others have no such metrics in TensorFlow Serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are the service's own
pub enum CountedApi {
    Predict,
    Classify,
    Regress,
}

/// What a request came in as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A call of this method.
    Grpc(CountedApi),
    /// A POST with this verb.
    Rest(CountedApi),
    /// Any other request of REST: status and metadata, a browser's question, what is malformed.
    RestOther,
}

const APIS: [CountedApi; 3] = [CountedApi::Predict, CountedApi::Classify, CountedApi::Regress];
const ENTRIES: [Entry; 7] = [
    Entry::Grpc(CountedApi::Predict),
    Entry::Grpc(CountedApi::Classify),
    Entry::Grpc(CountedApi::Regress),
    Entry::Rest(CountedApi::Predict),
    Entry::Rest(CountedApi::Classify),
    Entry::Rest(CountedApi::Regress),
    Entry::RestOther,
];

impl CountedApi {
    /// None for a method that is not counted.
    #[must_use]
    pub fn of(api: Api) -> Option<Self> {
        match api {
            Api::Predict => Some(Self::Predict),
            Api::Classify => Some(Self::Classify),
            Api::Regress => Some(Self::Regress),
            Api::MultiInference | Api::SessionRun => None,
        }
    }

    fn index(self) -> usize {
        self as usize
    }

    /// The label `API`, as gRPC and runs have it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Predict => "Predict",
            Self::Classify => "Classify",
            Self::Regress => "Regress",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Classify => "classify",
            Self::Regress => "regress",
        }
    }
}

impl From<Task> for CountedApi {
    fn from(task: Task) -> Self {
        match task {
            Task::Classify => Self::Classify,
            Task::Regress => Self::Regress,
        }
    }
}

impl Entry {
    fn index(self) -> usize {
        match self {
            Self::Grpc(api) => api.index(),
            Self::Rest(api) => APIS.len() + api.index(),
            Self::RestOther => 2 * APIS.len(),
        }
    }

    /// The labels `API` and `entrypoint`.
    pub(super) fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Grpc(api) => [api.label(), "GRPC"],
            Self::Rest(api) => [api.verb(), "REST"],
            Self::RestOther => ["", "REST"],
        }
    }
}

/// Made when the first value comes: most models are asked in one way only.
type Latency = OnceLock<Box<ExponentialHistogram>>;

/// The counts.
#[derive(Debug)]
pub struct ModelCounts {
    model: Arc<str>,
    requests: [AtomicU64; CODE_COUNT],
    request_latency: [Latency; ENTRIES.len()],
    run_latency: [Latency; APIS.len()],
    examples: Latency,
}

impl ModelCounts {
    pub(super) fn new(model: Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            model,
            requests: Default::default(),
            request_latency: Default::default(),
            run_latency: Default::default(),
            examples: OnceLock::new(),
        })
    }

    /// The model; empty for all requests that named none that is here.
    #[must_use]
    pub fn model(&self) -> &Arc<str> {
        &self.model
    }

    /// Counts an answer; its latency only when it is a good one.
    pub fn record_request(&self, entry: Entry, code: Code, latency: Duration) {
        if let Some(count) = self.requests.get(code as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if code == Code::Ok {
            record(self.request_latency.get(entry.index()), latency);
        }
    }

    /// Counts a run of the model that went well.
    pub fn record_run(&self, api: CountedApi, latency: Duration) {
        record(self.run_latency.get(api.index()), latency);
    }

    /// Counts a `MultiInference` request with so many examples.
    #[allow(clippy::cast_precision_loss)] // a request has fewer examples than 2^53
    pub fn record_examples(&self, examples: usize) {
        self.examples.get_or_init(|| Box::new(examples_histogram())).record(examples as f64);
    }

    /// Answers by code; those that never occurred are left out.
    pub(super) fn requests(&self) -> impl Iterator<Item = (Code, u64)> {
        let counts = self.requests.iter().map(|count| count.load(Ordering::Relaxed));
        (0..).map(Code::from_number).zip(counts).filter(|(_, count)| *count > 0)
    }

    /// Latencies by entry, those of entries that never were left out.
    pub(super) fn request_latencies(&self) -> impl Iterator<Item = (Entry, HistogramSnapshot)> {
        ENTRIES.into_iter().zip(&self.request_latency).filter_map(used)
    }

    pub(super) fn run_latencies(&self) -> impl Iterator<Item = (CountedApi, HistogramSnapshot)> {
        APIS.into_iter().zip(&self.run_latency).filter_map(used)
    }

    pub(super) fn examples(&self) -> Option<HistogramSnapshot> {
        self.examples.get().map(|histogram| histogram.snapshot())
    }
}

fn record(cell: Option<&Latency>, latency: Duration) {
    if let Some(cell) = cell {
        cell.get_or_init(|| Box::new(latency_histogram())).record(whole_micros(latency));
    }
}

/// As TensorFlow Serving counts time.
pub(super) fn whole_micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).trunc()
}

fn used<K>((key, cell): (K, &Latency)) -> Option<(K, HistogramSnapshot)> {
    cell.get().map(|histogram| (key, histogram.snapshot()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use super::*;

    #[test]
    fn every_entry_and_method_has_a_place_of_its_own() {
        for (index, entry) in ENTRIES.into_iter().enumerate() {
            assert_eq!(entry.index(), index);
        }
        for (index, api) in APIS.into_iter().enumerate() {
            assert_eq!(api.index(), index);
        }
    }

    #[test]
    fn only_good_answers_have_a_latency() {
        let counts = ModelCounts::new(Arc::from("m"));
        counts.record_request(Entry::Grpc(CountedApi::Predict), Code::Ok, Duration::from_nanos(12_999));
        counts.record_request(Entry::Grpc(CountedApi::Predict), Code::NotFound, Duration::from_secs(1));
        counts.record_request(Entry::RestOther, Code::NotFound, Duration::from_secs(1));
        assert_eq!(counts.requests().collect::<Vec<_>>(), [(Code::Ok, 1), (Code::NotFound, 2)]);
        let latencies: Vec<_> = counts.request_latencies().collect();
        let (entry, histogram) = latencies.first().unwrap();
        assert_eq!((latencies.len(), *entry), (1, Entry::Grpc(CountedApi::Predict)));
        assert_eq!((histogram.count(), histogram.sum), (1, 12.0));
        assert!(counts.run_latencies().next().is_none() && counts.examples().is_none());
    }
}
