//! What came of a trial's shadow traffic, for Python.

use dataplane::{
    error::Code,
    shadow::{self, DIFFERENCE_BOUNDS, ShadowReport},
};
use pyo3::prelude::*;

/// All that is told of one trial.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct ShadowStatistics {
    trial: String,
    mirrored: u64,
    shed: Vec<(&'static str, u64)>,
    incomparable: Vec<(&'static str, u64)>,
    compared: u64,
    disagreed: u64,
    only_candidate: Vec<(&'static str, u64)>,
    only_baseline: Vec<(&'static str, u64)>,
    overdue: usize,
    overdue_ever: u64,
    run_quantiles_s: Vec<(f64, f64)>,
    outputs: Vec<Py<OutputDifferences>>,
    failures: Vec<Py<ShadowFailure>>,
}

/// What came of one output.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct OutputDifferences {
    signature: String,
    output: String,
    compared: u64,
    disagreed: u64,
    unlike: u64,
    top_1_compared: u64,
    top_1_disagreed: u64,
    largest_absolute: f64,
    largest_relative: f64,
    absolute_counts: Vec<u64>,
    relative_counts: Vec<u64>,
    worst: Vec<Py<DifferenceSample>>,
}

/// One request whose answers differ.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct DifferenceSample {
    request_id: String,
    key_hash: Option<u64>,
    element: Option<usize>,
    baseline: String,
    candidate: String,
    severity: f64,
    inputs: String,
}

/// One request that failed on the candidate alone.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct ShadowFailure {
    request_id: String,
    key_hash: Option<u64>,
    code: i32,
    message: String,
    inputs: String,
}

/// Bounds of the sizes by which requests are counted.
pub(crate) fn difference_bounds() -> Vec<f64> {
    DIFFERENCE_BOUNDS.to_vec()
}

impl ShadowStatistics {
    pub(crate) fn build(py: Python<'_>, trial: &str, seen: ShadowReport) -> PyResult<Self> {
        let outputs = seen.outputs.into_iter().map(|output| OutputDifferences::build(py, output));
        let failures = seen.failures.into_iter().map(|failure| Py::new(py, ShadowFailure::from(failure)));
        let quantile = |(share, took): (f64, std::time::Duration)| (share, took.as_secs_f64());
        Ok(Self {
            trial: trial.to_owned(),
            mirrored: seen.mirrored,
            shed: seen.shed.into_iter().map(|(why, count)| (why.name(), count)).collect(),
            incomparable: seen.incomparable.into_iter().map(|(why, count)| (why.name(), count)).collect(),
            compared: seen.compared,
            disagreed: seen.disagreed,
            only_candidate: kinds(seen.only_candidate),
            only_baseline: kinds(seen.only_baseline),
            overdue: seen.overdue,
            overdue_ever: seen.overdue_ever,
            run_quantiles_s: seen.run_quantiles.into_iter().map(quantile).collect(),
            outputs: outputs.collect::<PyResult<_>>()?,
            failures: failures.collect::<PyResult<_>>()?,
        })
    }
}

/// The names are those of src/understudy/evidence.py.
fn kinds(bad: shadow::Bad) -> Vec<(&'static str, u64)> {
    let shadow::Bad { errors, invalid_outputs } = bad;
    vec![("errors", errors), ("invalid_outputs", invalid_outputs)]
}

impl OutputDifferences {
    fn build(py: Python<'_>, seen: shadow::OutputReport) -> PyResult<Py<Self>> {
        let worst = seen.worst.into_iter().map(|sample| Py::new(py, DifferenceSample::from(sample)));
        let (largest_absolute, largest_relative) = seen.largest;
        let output = Self {
            signature: seen.signature,
            output: seen.output,
            compared: seen.compared,
            disagreed: seen.disagreed,
            unlike: seen.unlike,
            top_1_compared: seen.top_1_compared,
            top_1_disagreed: seen.top_1_disagreed,
            largest_absolute,
            largest_relative,
            absolute_counts: seen.absolute,
            relative_counts: seen.relative,
            worst: worst.collect::<PyResult<_>>()?,
        };
        Py::new(py, output)
    }
}

impl From<shadow::Sample> for DifferenceSample {
    fn from(sample: shadow::Sample) -> Self {
        let shadow::Sample { request_id, key, element, baseline, candidate, severity, inputs } = sample;
        Self { request_id, key_hash: key, element, baseline, candidate, severity, inputs }
    }
}

impl From<shadow::Failure> for ShadowFailure {
    fn from(failure: shadow::Failure) -> Self {
        let shadow::Failure { request_id, key, code, message, inputs } = failure;
        Self { request_id, key_hash: key, code: number(code), message, inputs }
    }
}

fn number(code: Code) -> i32 {
    code as i32
}
