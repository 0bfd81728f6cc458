//! The data plane as a Python class: each method translates, lets go of the GIL, and calls its namesake.

use crate::{
    doors::Doors,
    error::raised,
    options::{
        CaptureOptions, DataPlaneOptions, LiteRtOptions, LoadRequest, ServableId, TensorFlowOptions,
        TlsOptions, ValidateRequest,
    },
    reports::{
        AdminRequest, BoundAddresses, Capture, LoadReport, RequestLogReport, UnloadReport, ValidationReport,
    },
    routes::RouteUpdate,
    statistics::{Statistics, seconds},
    trials::{Prediction, ToldTruth, TrialStatistics, no_trial, state_of},
};
use bytes::Bytes;
use dataplane::{
    error::{Code, Error},
    plane::{LoadRequest as Load, Plane},
    request_log::RequestLog,
    route,
};
use pyo3::prelude::*;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long a stop waits for a disk to take the last records.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// Everything that a request passes. Every method may be called from any thread and releases the GIL.
#[pyclass(frozen, module = "understudy.dataplane._native")]
pub(crate) struct DataPlane {
    plane: Arc<Plane>,
    doors: Doors,
}

#[pymethods]
impl DataPlane {
    #[new]
    fn new(mut options: DataPlaneOptions) -> PyResult<Self> {
        let plane = Plane::with_batch_threads(options.limits(), options.batch_threads());
        let mut plane = plane.map_err(raised)?.with_rules(options.rules()).with_shadows(options.shadows()?);
        if let Some(options) = options.request_log()? {
            plane = plane.with_request_log(RequestLog::start(options).map_err(raised)?);
        }
        let plane = Arc::new(plane);
        let server = options.server().map_err(raised)?;
        Ok(Self { doors: Doors::closed(Arc::clone(&plane), server), plane })
    }

    /// Opens the libraries (half a second); the runtime's version. A second call answers the same.
    fn open_tensorflow(&self, py: Python<'_>, options: TensorFlowOptions) -> PyResult<String> {
        let (library_dir, options) = options.split();
        py.detach(|| self.plane.open_tensorflow(&library_dir, options)).map_err(raised)
    }

    /// Opens the library of LiteRT. A second call does nothing.
    fn open_litert(&self, py: Python<'_>, options: LiteRtOptions) -> PyResult<()> {
        let (library_dir, options) = options.split();
        py.detach(|| self.plane.open_litert(&library_dir, options)).map_err(raised)
    }

    /// Loads a version in this thread and warms it up; it is not routed before a publish names it.
    fn load(&self, py: Python<'_>, request: LoadRequest) -> PyResult<LoadReport> {
        let request = Load::try_from(request).map_err(raised)?;
        py.detach(|| self.plane.load(&request)).map(LoadReport::from).map_err(raised)
    }

    /// Asks a loaded version its golden examples, in this thread; it need not be routed.
    fn validate(
        &self,
        py: Python<'_>,
        servable: ServableId,
        request: ValidateRequest,
    ) -> PyResult<ValidationReport> {
        let request = request.translate()?;
        let report = py.detach(move || self.plane.validate(servable.borrowed(), &request));
        report.map(ValidationReport::from).map_err(raised)
    }

    /// Begins to keep requests of a model with their answers.
    fn capture(&self, py: Python<'_>, model: &str, options: CaptureOptions) -> PyResult<Capture> {
        let options = options.into();
        py.detach(|| self.plane.capture(model, options)).map(Capture::from).map_err(raised)
    }

    /// What a loaded version can be asked, as a serialized `tensorflow.serving.SignatureDefMap`.
    fn signatures(&self, py: Python<'_>, servable: ServableId) -> PyResult<Vec<u8>> {
        py.detach(move || self.plane.signatures(servable.borrowed())).map_err(raised)
    }

    /// Waits for the version's last request, then frees it in this thread.
    ///
    /// When the deadline passes first, it is freed later, off every request's thread.
    fn unload(&self, py: Python<'_>, servable: ServableId, drain_timeout_s: f64) -> PyResult<UnloadReport> {
        let drain = seconds(drain_timeout_s)?;
        let requests_left =
            py.detach(move || self.plane.unload(servable.borrowed(), drain)).map_err(raised)?;
        Ok(UnloadReport { requests_left })
    }

    /// Swaps the route table; refused whole when a route names a version that is not loaded.
    fn publish(&self, py: Python<'_>, update: RouteUpdate) -> PyResult<()> {
        let update = route::RouteUpdate::from(update);
        py.detach(|| self.plane.publish(&update)).map_err(raised)
    }

    /// Opens the doors.
    fn serve(&self, py: Python<'_>) -> PyResult<BoundAddresses> {
        let (grpc, rest) = py.detach(|| self.doors.open()).map_err(raised)?;
        Ok(BoundAddresses { grpc: grpc.map(|it| it.to_string()), rest: rest.map(|it| it.to_string()) })
    }

    /// Uses other certificates from the next handshake on; none: that door's stay.
    fn renew_tls(&self, py: Python<'_>, grpc: Option<TlsOptions>, rest: Option<TlsOptions>) -> PyResult<()> {
        let (grpc, rest) = (grpc.map(TlsOptions::pem), rest.map(TlsOptions::pem));
        py.detach(|| self.doors.renew_tls(grpc.as_ref(), rest.as_ref())).map_err(raised)
    }

    /// What the overall health service answers while the doors are open.
    fn set_healthy(&self, py: Python<'_>, healthy: bool) {
        py.detach(|| self.plane.set_healthy(healthy));
    }

    /// Closes the doors to new requests, waits for those in flight, ends the request logs; how many were left.
    fn stop(&self, py: Python<'_>, drain_timeout_s: f64) -> PyResult<usize> {
        let drain = seconds(drain_timeout_s)?;
        Ok(py.detach(|| {
            let left = self.doors.close(drain);
            self.plane.close_request_log(LOG_PATIENCE);
            left
        }))
    }

    /// What an operator should know of the request logs next; none when the time passes first.
    fn next_request_log_report(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Option<RequestLogReport>> {
        let timeout = seconds(timeout_s)?;
        Ok(py.detach(|| self.plane.next_log_report(timeout)).map(RequestLogReport::from))
    }

    /// What is counted, now.
    fn statistics(&self, py: Python<'_>) -> PyResult<Statistics> {
        let snapshot = py.detach(|| self.plane.statistics());
        Statistics::build(py, snapshot)
    }

    /// What is counted of every trial that is under way, now.
    fn trial_statistics(&self, py: Python<'_>) -> PyResult<Vec<TrialStatistics>> {
        let seen: Vec<_> = py.detach(|| {
            let trials = self.plane.trials().all();
            trials.into_iter().map(|(model, trial)| (model, trial.read())).collect()
        });
        seen.into_iter().map(|(model, seen)| TrialStatistics::build(py, &model, seen)).collect()
    }

    /// What is known of these requests of a model, and what was predicted, where the truth is awaited.
    #[allow(clippy::needless_pass_by_value)] // what Python gives is made anew
    fn find_predictions(
        &self,
        py: Python<'_>,
        model: &str,
        request_ids: Vec<String>,
    ) -> PyResult<Vec<Prediction>> {
        let trial = self.plane.trials().of(model).ok_or_else(|| raised(no_trial(model)))?;
        let found: Vec<_> = py.detach(|| request_ids.iter().map(|id| trial.find_prediction(id)).collect());
        found.iter().map(|found| Prediction::build(py, found)).collect()
    }

    /// Counts truths of a model's predictions, each once; what was known of each request before.
    fn tell_truths(
        &self,
        py: Python<'_>,
        model: &str,
        truths: Vec<ToldTruth>,
    ) -> PyResult<Vec<&'static str>> {
        let trial = self.plane.trials().of(model).ok_or_else(|| raised(no_trial(model)))?;
        let truths: Vec<_> = truths.into_iter().map(ToldTruth::split).collect();
        Ok(py.detach(|| truths.iter().map(|(id, truth)| state_of(&trial.tell_truth(id, truth))).collect()))
    }

    /// Counters of TensorFlow Serving's names, each over all its labels.
    fn serving_counters(&self, py: Python<'_>) -> HashMap<&'static str, u64> {
        let families = py.detach(|| self.plane.serving_metrics());
        families.iter().filter_map(|family| Some((family.name, family.total()?))).collect()
    }

    /// The next request of this method, which Python must answer; none when the time passes first.
    fn next_admin(&self, py: Python<'_>, method: &str, timeout_s: f64) -> PyResult<Option<AdminRequest>> {
        let timeout = seconds(timeout_s)?;
        Ok(py.detach(|| self.plane.next_admin(method, timeout)).map(AdminRequest))
    }

    /// Answers one; whether somebody still waited for it.
    fn answer_admin(&self, py: Python<'_>, ticket: u64, code: i32, message: String, payload: &[u8]) -> bool {
        let answer = match Code::from_number(code) {
            Code::Ok => Ok(Bytes::copy_from_slice(payload)),
            code => Err(Error::new(code, message)),
        };
        py.detach(|| self.plane.answer_admin(ticket, answer))
    }
}
