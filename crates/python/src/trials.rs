//! What is counted of trials, and the predictions that wait for their truth, for Python.

use crate::shadows::ShadowStatistics;
use dataplane::{
    error::{CODE_COUNT, Error},
    traffic::Arm,
    trial::{self, ArmSnapshot, Class, CountSnapshot, Found, TrialSnapshot, Values},
};
use pyo3::{
    IntoPyObjectExt,
    prelude::*,
    types::{PyBytes, PyInt},
};
use std::collections::BTreeMap;

/// The shares of answers whose latency is told, and those of numbers in outputs.
const LATENCY_QUANTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];
const OUTPUT_QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// How often one thing was, in the units in which things are judged.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
#[derive(Clone)]
pub(crate) struct CountStatistics {
    events: u64,
    keys: u64,
    keyless: u64,
}

impl From<CountSnapshot> for CountStatistics {
    fn from(count: CountSnapshot) -> Self {
        let CountSnapshot { events, keys, keyless } = count;
        Self { events, keys, keyless }
    }
}

/// One version's part of one epoch.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
#[derive(Clone)]
pub(crate) struct ArmStatistics {
    assigned: CountStatistics,
    requests: CountStatistics,
    callers_mistakes: u64,
    refused: u64,
    fallbacks: u64,
    errors: CountStatistics,
    invalid_outputs: CountStatistics,
    slow: Vec<(String, CountStatistics)>,
    truths: CountStatistics,
    wrong: CountStatistics,
    scores: BTreeMap<String, (u64, f64, f64)>,
    counts_by_code: Vec<u64>,
}

impl From<ArmSnapshot> for ArmStatistics {
    fn from(arm: ArmSnapshot) -> Self {
        let slow = arm.slow.iter().map(|(name, count)| (name.as_ref().to_owned(), (*count).into()));
        let moments = |(measure, moments): (String, trial::Moments)| {
            (measure, (moments.count, moments.total, moments.total_of_squares))
        };
        Self {
            assigned: arm.assigned.into(),
            requests: arm.requests.into(),
            callers_mistakes: arm.callers_mistakes,
            refused: arm.refused,
            fallbacks: arm.fallbacks,
            errors: arm.errors.into(),
            invalid_outputs: arm.invalid_outputs.into(),
            slow: slow.collect(),
            truths: arm.truths.into(),
            wrong: arm.wrong.into(),
            scores: arm.scores.into_iter().map(moments).collect(),
            counts_by_code: arm.by_code.to_vec(),
        }
    }
}

/// One epoch of a trial.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
#[derive(Clone)]
pub(crate) struct EpochStatistics {
    epoch: u64,
    weight: u16,
    baseline: ArmStatistics,
    candidate: ArmStatistics,
}

/// What one output of one version looks like.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct OutputStatistics {
    name: String,
    count: u64,
    not_finite: u64,
    mean: Option<f64>,
    quantiles: Vec<(f64, f64)>,
    classes: Vec<(Py<PyAny>, u64)>,
    other_classes: u64,
}

/// One version's part of a trial, all epochs together: what is for people.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct ProfileStatistics {
    requests: u64,
    latency_quantiles_s: Vec<(f64, f64)>,
    counts_by_code: Vec<u64>,
    outputs: Vec<Py<OutputStatistics>>,
}

/// Predictions that wait for their truth, and what became of others.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct PredictionStatistics {
    kept: u64,
    bytes: u64,
    forgotten: u64,
    replaced: u64,
    left_out: u64,
    unfit: u64,
}

/// What became of truths that were told.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct TruthStatistics {
    counted: u64,
    again: u64,
    late: u64,
    left_out: u64,
    unknown: u64,
}

/// One trial.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct TrialStatistics {
    model: String,
    trial: String,
    epochs: Vec<EpochStatistics>,
    baseline: Py<ProfileStatistics>,
    candidate: Py<ProfileStatistics>,
    predictions: Py<PredictionStatistics>,
    truths: Py<TruthStatistics>,
    key_share: f64,
    shadow: Py<ShadowStatistics>,
}

impl TrialStatistics {
    pub(crate) fn build(py: Python<'_>, model: &str, seen: TrialSnapshot) -> PyResult<Self> {
        let [baseline, candidate] = [(Arm::Baseline, &seen.baseline), (Arm::Candidate, &seen.candidate)]
            .map(|(arm, profile)| profile_statistics(py, &seen, arm, profile));
        let trial::PredictionCounts { kept, bytes, forgotten, replaced, left_out } = seen.predictions;
        let unfit = seen.unfit;
        let predictions = PredictionStatistics { kept, bytes, forgotten, replaced, left_out, unfit };
        let trial::TruthCounts { counted, again, late, left_out, unknown } = seen.truths;
        let epoch = |epoch: trial::EpochSnapshot| EpochStatistics {
            epoch: epoch.number,
            weight: epoch.weight,
            baseline: epoch.baseline.into(),
            candidate: epoch.candidate.into(),
        };
        Ok(Self {
            model: model.to_owned(),
            shadow: Py::new(py, ShadowStatistics::build(py, &seen.name, seen.shadow)?)?,
            trial: seen.name.into(),
            baseline: baseline?,
            candidate: candidate?,
            epochs: seen.epochs.into_iter().map(epoch).collect(),
            predictions: Py::new(py, predictions)?,
            truths: Py::new(py, TruthStatistics { counted, again, late, left_out, unknown })?,
            key_share: seen.key_share,
        })
    }
}

fn profile_statistics(
    py: Python<'_>,
    seen: &TrialSnapshot,
    arm: Arm,
    profile: &trial::VersionProfile,
) -> PyResult<Py<ProfileStatistics>> {
    let mut counts_by_code = vec![0; CODE_COUNT];
    for (sum, count) in seen.arms(arm).flat_map(counts_by_code_of) {
        if let Some(total) = counts_by_code.get_mut(sum) {
            *total += count;
        }
    }
    let statistics = ProfileStatistics {
        requests: seen.arms(arm).map(|arm| arm.requests.events).sum(),
        latency_quantiles_s: profile.latency.quantiles_s(&LATENCY_QUANTILES),
        counts_by_code,
        outputs: profile
            .outputs
            .iter()
            .map(|output| output_statistics(py, output))
            .collect::<PyResult<_>>()?,
    };
    Py::new(py, statistics)
}

fn counts_by_code_of(arm: &ArmSnapshot) -> impl Iterator<Item = (usize, u64)> {
    arm.by_code.iter().copied().enumerate()
}

fn output_statistics(py: Python<'_>, output: &trial::OutputProfile) -> PyResult<Py<OutputStatistics>> {
    let class = |(class, count): &(Class, u64)| -> (Py<PyAny>, u64) {
        match class {
            Class::Number(number) => (PyInt::new(py, *number).into_any().unbind(), *count),
            Class::Text(text) => (PyBytes::new(py, text).into_any().unbind(), *count),
        }
    };
    let quantile = |share: &f64| Some((*share, output.values.quantile(*share)?));
    let statistics = OutputStatistics {
        name: output.name.clone(),
        count: output.values.count(),
        not_finite: output.values.not_finite(),
        mean: output.values.mean(),
        quantiles: OUTPUT_QUANTILES.iter().filter_map(quantile).collect(),
        classes: output.classes.iter().map(class).collect(),
        other_classes: output.other,
    };
    Py::new(py, statistics)
}

/// What is known of a request id: `kept`, `judged`, `late`, `left_out` or `unknown`.
pub(crate) fn state_of(found: &Found) -> &'static str {
    match found {
        Found::Kept(_) => "kept",
        Found::Judged => "judged",
        Found::Late => "late",
        Found::LeftOut => "left_out",
        Found::Unknown => "unknown",
    }
}

/// What is known of a request, and what was predicted, where its truth is awaited.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct Prediction {
    state: &'static str,
    version: Option<i64>,
    shape: Vec<i64>,
    values: Vec<Py<PyAny>>,
    labels: Vec<Py<PyAny>>,
}

impl Prediction {
    pub(crate) fn build(py: Python<'_>, found: &Found) -> PyResult<Self> {
        let state = state_of(found);
        let Found::Kept(kept) = found else {
            return Ok(Self {
                state,
                version: None,
                shape: Vec::new(),
                values: Vec::new(),
                labels: Vec::new(),
            });
        };
        Ok(Self {
            state,
            version: Some(kept.version),
            shape: kept.shape.to_vec(),
            values: elements(py, &kept.values)?,
            labels: elements(py, &kept.labels)?,
        })
    }
}

fn elements(py: Python<'_>, values: &Values) -> PyResult<Vec<Py<PyAny>>> {
    match values {
        Values::Floats(floats) => floats.iter().map(|float| float.into_py_any(py)).collect(),
        Values::Integers(integers) => integers.iter().map(|integer| integer.into_py_any(py)).collect(),
        Values::Strings(strings) => {
            Ok(strings.iter().map(|string| PyBytes::new(py, string).into_any().unbind()).collect())
        }
    }
}

/// `ToldTruth` of src/understudy/dataplane/options.py, field by field.
#[derive(FromPyObject)]
pub(crate) struct ToldTruth {
    request_id: String,
    is_wrong: Option<bool>,
    measure: String,
    score: Option<f64>,
}

impl ToldTruth {
    pub(crate) fn split(self) -> (String, trial::Truth) {
        let Self { request_id, is_wrong, measure, score } = self;
        (request_id, trial::Truth { is_wrong, score: score.map(|score| (measure, score)) })
    }
}

/// `NOT_FOUND` of a model without a trial.
pub(crate) fn no_trial(model: &str) -> Error {
    Error::not_found(format!(
        "no trial of {model} is under way: its predictions are remembered only while a rollout that asks for truths lasts"
    ))
}
