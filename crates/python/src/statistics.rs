//! What is counted, as one snapshot for Python.

use crate::{batching::BatchStatistics, error::raised};
use dataplane::{error::Error, request_log::LogStatistics, snapshot, stats};
use pyo3::prelude::*;
use std::time::Duration;

/// The shares of answers whose latency every snapshot tells.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// Counts and latencies of one method of one version since it was loaded.
#[pyclass(frozen, module = "understudy.dataplane._native")]
pub(crate) struct MethodStatistics(stats::MethodStatistics);

#[pymethods]
impl MethodStatistics {
    #[getter]
    fn model(&self) -> &str {
        &self.0.model
    }

    #[getter]
    fn version(&self) -> Option<i64> {
        self.0.version
    }

    #[getter]
    fn signature(&self) -> &str {
        &self.0.signature
    }

    #[getter]
    fn method(&self) -> &'static str {
        self.0.method.name()
    }

    #[getter]
    fn counts_by_code(&self) -> Vec<u64> {
        self.0.by_code.to_vec()
    }

    #[getter]
    fn latency_sum_s(&self) -> f64 {
        self.0.latency_sum.as_secs_f64()
    }

    #[getter]
    fn latency_quantiles_s(&self) -> Vec<(f64, f64)> {
        self.0.latency_quantiles_s(&QUANTILES)
    }

    /// How many OK answers took at most as long as each of these bounds, to within 3 %.
    fn latency_counts(&self, bounds_s: Vec<f64>) -> PyResult<Vec<u64>> {
        let bounds: PyResult<Vec<Duration>> = bounds_s.into_iter().map(seconds).collect();
        Ok(self.0.latency_counts(&bounds?))
    }
}

/// One loaded version.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct ServableStatistics {
    model: String,
    version: i64,
    incarnation: u64,
    in_flight: u64,
    runs_inline: u64,
    runs_pooled: u64,
    batches: Option<BatchStatistics>,
}

/// What became of the records of one model.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct RequestLogStatistics {
    model: String,
    written: u64,
    dropped: u64,
    failed: u64,
}

impl From<LogStatistics> for RequestLogStatistics {
    fn from(row: LogStatistics) -> Self {
        let LogStatistics { model, written, dropped, failed } = row;
        Self { model: model.as_ref().to_owned(), written, dropped, failed }
    }
}

/// One snapshot.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
pub(crate) struct Statistics {
    methods: Vec<Py<MethodStatistics>>,
    servables: Vec<Py<ServableStatistics>>,
    in_flight: usize,
    run_threads: usize,
    unloaded_late: usize,
    panics: u64,
    grpc_connections: usize,
    rest_connections: usize,
    buffered_bytes: usize,
    refused_overload: u64,
    request_logs: Vec<Py<RequestLogStatistics>>,
}

impl Statistics {
    pub(crate) fn build(py: Python<'_>, seen: snapshot::Statistics) -> PyResult<Self> {
        let method = |row| Py::new(py, MethodStatistics(row));
        let request_log = |row| Py::new(py, RequestLogStatistics::from(row));
        let servable = |row: snapshot::ServableStatistics| {
            let snapshot::ServableStatistics {
                model,
                version,
                incarnation,
                in_flight,
                runs_inline,
                runs_pooled,
                batches,
            } = row;
            let (model, batches) = (model.as_ref().to_owned(), batches.map(BatchStatistics::from));
            Py::new(
                py,
                ServableStatistics {
                    model,
                    version,
                    incarnation,
                    in_flight,
                    runs_inline,
                    runs_pooled,
                    batches,
                },
            )
        };
        Ok(Self {
            methods: seen.methods.into_iter().map(method).collect::<PyResult<_>>()?,
            servables: seen.servables.into_iter().map(servable).collect::<PyResult<_>>()?,
            in_flight: seen.in_flight,
            run_threads: seen.run_threads,
            unloaded_late: seen.unloaded_late,
            panics: seen.panics,
            grpc_connections: seen.grpc_connections,
            rest_connections: seen.rest_connections,
            buffered_bytes: seen.buffered_bytes,
            refused_overload: seen.refused_overload,
            request_logs: seen.request_logs.into_iter().map(request_log).collect::<PyResult<_>>()?,
        })
    }
}

/// A duration that Python gave in seconds; infinite and overlong ones become the longest there is.
pub(crate) fn seconds(value: f64) -> PyResult<Duration> {
    if value.is_nan() || value < 0.0 {
        let error = Error::invalid_argument(format!("a duration of {value} s is not possible"));
        return Err(raised(error));
    }
    Ok(Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX))
}
