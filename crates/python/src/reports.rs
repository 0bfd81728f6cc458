//! What the data plane tells Python, besides statistics.

use dataplane::{
    admin, golden, plane,
    request_log::{CaptureProgress, Incident, OpenCapture, Report},
    warmup::Warmed,
};
use pyo3::{prelude::*, types::PyBytes};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What a load found and did.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct LoadReport {
    pub(crate) signature_names: Vec<String>,
    pub(crate) warmup_records: usize,
    pub(crate) warmup_duration_s: f64,
}

impl From<plane::LoadReport> for LoadReport {
    fn from(report: plane::LoadReport) -> Self {
        let plane::LoadReport { signature_names, warmed: Warmed { records, duration } } = report;
        Self { signature_names, warmup_records: records, warmup_duration_s: duration.as_secs_f64() }
    }
}

/// What a version made of its golden examples.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct ValidationReport {
    pub(crate) examples: usize,
    pub(crate) mismatched: usize,
    pub(crate) worst: Vec<(String, String)>,
    pub(crate) latencies_s: Vec<f64>,
    pub(crate) slowest: String,
}

impl From<golden::ValidationReport> for ValidationReport {
    fn from(report: golden::ValidationReport) -> Self {
        let golden::ValidationReport { examples, mismatched, worst, latencies, slowest } = report;
        Self {
            examples,
            mismatched,
            worst: worst.into_iter().map(|mismatch| (mismatch.example, mismatch.reason)).collect(),
            latencies_s: latencies.iter().map(Duration::as_secs_f64).collect(),
            slowest,
        }
    }
}

/// Requests of a model that are kept with their answers, until this is finished or gone.
#[pyclass(frozen, module = "understudy.dataplane._native")]
pub(crate) struct Capture(Mutex<Option<OpenCapture>>);

impl From<OpenCapture> for Capture {
    fn from(open: OpenCapture) -> Self {
        Self(Mutex::new(Some(open)))
    }
}

#[pymethods]
impl Capture {
    /// How many records there are; 0 once it is finished.
    #[getter]
    fn records(&self) -> usize {
        self.progress().map_or(0, |progress| progress.records)
    }

    /// How many requests could have been kept.
    #[getter]
    fn seen(&self) -> u64 {
        self.progress().map_or(0, |progress| progress.seen)
    }

    /// How many were too long for what was left of the capture's bytes.
    #[getter]
    fn too_long(&self) -> u64 {
        self.progress().map_or(0, |progress| progress.too_long)
    }

    /// Ends it: the records as a `TFRecord` file; empty when it was finished before.
    fn finish<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let open = py.detach(|| self.lock().take());
        PyBytes::new(py, &py.detach(|| open.map(OpenCapture::finish).unwrap_or_default()))
    }
}

impl Capture {
    fn progress(&self) -> Option<CaptureProgress> {
        self.lock().as_ref().map(OpenCapture::progress)
    }

    fn lock(&self) -> MutexGuard<'_, Option<OpenCapture>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an unload went.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct UnloadReport {
    pub(crate) requests_left: u64,
}

/// Where the doors listen; none where one was not asked for.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct BoundAddresses {
    pub(crate) grpc: Option<String>,
    pub(crate) rest: Option<String>,
}

/// What happened to a model's request log.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct RequestLogReport {
    pub(crate) model: String,
    pub(crate) failure: Option<String>,
    pub(crate) records_lost: u64,
}

impl From<Report> for RequestLogReport {
    fn from(report: Report) -> Self {
        let (failure, records_lost) = match report.incident {
            Incident::Failed(reason) => (Some(reason), 0),
            Incident::Recovered(lost) => (None, lost),
        };
        Self { model: report.model.as_ref().to_owned(), failure, records_lost }
    }
}

/// A request that Python must answer, such as `HandleReloadConfigRequest`.
#[pyclass(frozen, module = "understudy.dataplane._native")]
pub(crate) struct AdminRequest(pub(crate) admin::AdminRequest);

#[pymethods]
impl AdminRequest {
    #[getter]
    fn ticket(&self) -> u64 {
        self.0.ticket
    }

    #[getter]
    fn method(&self) -> &'static str {
        self.0.method
    }

    #[getter]
    fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    #[getter]
    fn timeout_s(&self) -> Option<f64> {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now()).as_secs_f64();
        self.0.deadline.map(left)
    }
}
