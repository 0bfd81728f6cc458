//! The metrics by name: TensorFlow Serving's names, kinds and labels, and all their values at one moment.

use super::{CountedApi, Entry, ModelCounts, Models, WarmUps, warm_ups::WarmUpSeries};
use crate::{
    batching::BatchingSnapshot, error::Code, histogram::HistogramSnapshot, request_log::LogStatistics,
};
use std::sync::Arc;

/// How a metric's values behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Counts values by size.
    Histogram,
}

/// One metric and what it is now.
#[derive(Clone, Debug)]
pub struct Family {
    /// As TensorFlow Serving registers it: `/tensorflow/serving/request_count`.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Ordered by the labels' values; only those that were counted in.
    pub series: Vec<Series>,
}

/// One value and whose it is.
#[derive(Clone, Debug)]
pub struct Series {
    /// In the order of the family's labels.
    pub labels: Vec<String>,
    /// Now.
    pub value: Value,
}

/// A value of either kind.
#[derive(Clone, Debug)]
pub enum Value {
    /// Of a counter.
    Count(u64),
    /// Of a histogram.
    Histogram(HistogramSnapshot),
}

/// The label `runtime`: the only one that there is.
const RUNTIME: &str = "TF1";

/// Where the values are.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) models: &'a Models,
    pub(crate) warm_ups: &'a WarmUps,
    /// Of all models together.
    pub(crate) batches: BatchingSnapshot,
    /// Of models whose requests are logged.
    pub(crate) logged: Vec<LogStatistics>,
}

/// All metrics, by name.
pub(crate) fn read(sources: Sources<'_>) -> Vec<Family> {
    let models = sources.models.all();
    let (warm_up_latencies, warm_up_records) = read_warm_ups(sources.warm_ups);
    let mut families = read_batches(sources.batches);
    families.extend([
        histograms("/tensorflow/serving/model_warmup_latency", &["model_path", "status"], warm_up_latencies),
        counters("/tensorflow/serving/model_warmup_records_read", &["model_path", "status"], warm_up_records),
        counters(
            "/tensorflow/serving/request_count",
            &["model_name", "status"],
            of_each(&models, request_counts),
        ),
        counters(
            "/tensorflow/serving/request_example_count_total",
            &["model"],
            of_each(&models, example_totals),
        ),
        histograms(
            "/tensorflow/serving/request_example_counts",
            &["model"],
            of_each(&models, example_counts),
        ),
        histograms(
            "/tensorflow/serving/request_latency",
            &["model_name", "API", "entrypoint"],
            of_each(&models, request_latencies),
        ),
        counters(
            "/tensorflow/serving/request_log_count",
            &["model_name", "status_code"],
            log_counts(&sources.logged),
        ),
        histograms(
            "/tensorflow/serving/runtime_latency",
            &["model_name", "API", "runtime"],
            of_each(&models, run_latencies),
        ),
    ]);
    families
}

/// A status says what became of the record.
fn log_counts(logged: &[LogStatistics]) -> Vec<Series> {
    let of_model = |log: &LogStatistics| {
        let counts =
            [(Code::Ok, log.written), (Code::ResourceExhausted, log.dropped), (Code::Internal, log.failed)];
        let counted = counts.into_iter().filter(|(_, count)| *count > 0);
        counted
            .map(|(code, count)| series([&log.model, code.name()], Value::Count(count)))
            .collect::<Vec<_>>()
    };
    logged.iter().flat_map(of_model).collect()
}

/// The thread pool has no name there, as in TensorFlow Serving. What was never counted in is left out.
fn read_batches(batches: BatchingSnapshot) -> Vec<Family> {
    let used = |histogram: &HistogramSnapshot| histogram.count() > 0;
    let one =
        |histogram| Some(histogram).filter(used).map(|histogram| series([], Value::Histogram(histogram)));
    let filled =
        |(size, rows): (usize, HistogramSnapshot)| series([&size.to_string()], Value::Histogram(rows));
    let queuing = Some(batches.queue_us).filter(used);
    let queuing = queuing.map(|waits| series([""], Value::Histogram(waits)));
    let runs = (batches.runs > 0).then(|| series([], Value::Count(batches.runs)));
    let padding = batches.filled_rows.into_iter().map(filled).collect();
    let (input, processed) = (one(batches.input_rows), one(batches.executed_rows));
    vec![
        histograms("/tensorflow/serving/batching_session/input_batch_size", &[], Vec::from_iter(input)),
        histograms("/tensorflow/serving/batching_session/padding_size", &["execution_batch_size"], padding),
        histograms(
            "/tensorflow/serving/batching_session/processed_batch_size",
            &[],
            Vec::from_iter(processed),
        ),
        histograms(
            "/tensorflow/serving/batching_session/queuing_latency",
            &["thread_pool_name"],
            Vec::from_iter(queuing),
        ),
        counters("/tensorflow/serving/batching_session/wrapped_run_count", &[], Vec::from_iter(runs)),
    ]
}

fn counters(name: &'static str, labels: &'static [&'static str], series: Vec<Series>) -> Family {
    family(name, Kind::Counter, labels, series)
}

fn histograms(name: &'static str, labels: &'static [&'static str], series: Vec<Series>) -> Family {
    family(name, Kind::Histogram, labels, series)
}

fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    mut series: Vec<Series>,
) -> Family {
    series.sort_by(|one, other| one.labels.cmp(&other.labels));
    Family { name, kind, labels, series }
}

fn of_each<I: IntoIterator<Item = Series>>(
    models: &[Arc<ModelCounts>],
    read: impl Fn(&ModelCounts) -> I,
) -> Vec<Series> {
    models.iter().flat_map(|counts| read(counts)).collect()
}

fn series<const N: usize>(labels: [&str; N], value: Value) -> Series {
    Series { labels: labels.map(str::to_owned).into(), value }
}

fn request_counts(counts: &ModelCounts) -> Vec<Series> {
    let one = |(code, count): (Code, u64)| series([counts.model(), code.name()], Value::Count(count));
    counts.requests().map(one).collect()
}

fn request_latencies(counts: &ModelCounts) -> Vec<Series> {
    let one = |(entry, histogram): (Entry, HistogramSnapshot)| {
        let [api, entrypoint] = entry.labels();
        series([counts.model(), api, entrypoint], Value::Histogram(histogram))
    };
    counts.request_latencies().map(one).collect()
}

fn run_latencies(counts: &ModelCounts) -> Vec<Series> {
    let one = |(api, histogram): (CountedApi, HistogramSnapshot)| {
        series([counts.model(), api.label(), RUNTIME], Value::Histogram(histogram))
    };
    counts.run_latencies().map(one).collect()
}

fn example_counts(counts: &ModelCounts) -> Option<Series> {
    counts.examples().map(|histogram| series([counts.model()], Value::Histogram(histogram)))
}

/// The sum of the other metric's values.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a whole number, and not negative
fn example_totals(counts: &ModelCounts) -> Option<Series> {
    counts.examples().map(|histogram| series([counts.model()], Value::Count(histogram.sum as u64)))
}

fn read_warm_ups(warm_ups: &WarmUps) -> (Vec<Series>, Vec<Series>) {
    let both = |one: WarmUpSeries| {
        let labels = Vec::from(one.labels);
        let latency = Series { labels: labels.clone(), value: Value::Histogram(one.latency) };
        (latency, Series { labels, value: Value::Count(one.records) })
    };
    warm_ups.read().into_iter().map(both).unzip()
}

impl Family {
    /// A counter's values together; none of a histogram.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        let count = |series: &Series| match series.value {
            Value::Count(count) => Some(count),
            Value::Histogram(_) => None,
        };
        (self.kind == Kind::Counter).then(|| self.series.iter().filter_map(count).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::ExponentialHistogram;

    fn names_are_in_order(families: &[Family]) -> bool {
        families.is_sorted_by_key(|family| family.name)
    }

    #[test]
    fn metrics_are_told_by_name_with_those_of_batches_and_logs_where_there_are_any() {
        let (models, warm_ups) = (Models::default(), WarmUps::default());
        let batches = BatchingSnapshot::default();
        let quiet = read(Sources { models: &models, warm_ups: &warm_ups, batches, logged: Vec::new() });
        assert!(names_are_in_order(&quiet) && quiet.iter().all(|family| family.series.is_empty()));
        let rows = ExponentialHistogram::new(1.0, 2.0, 14);
        rows.record(7.0);
        let rows = rows.snapshot();
        let batches = BatchingSnapshot {
            queue_us: rows.clone(),
            runs: 3,
            filled_rows: vec![(8, rows.clone()), (16, rows.clone())],
            executed_rows: rows.clone(),
            input_rows: rows,
        };
        let logged = vec![LogStatistics { model: Arc::from("m"), written: 2, dropped: 0, failed: 3 }];
        let busy = read(Sources { models: &models, warm_ups: &warm_ups, batches, logged });
        assert!(names_are_in_order(&busy));
        let told: Vec<_> = busy.iter().filter(|family| !family.series.is_empty()).collect();
        let told: Vec<_> = told.iter().map(|family| (family.series.len(), family.total())).collect();
        assert_eq!(told, [(1, None), (2, None), (1, None), (1, None), (1, Some(3)), (2, Some(5))]);
    }
}
