//! The data plane as one object: what the doors ask of it, and what the control plane orders.

mod validation;

pub use validation::ValidateRequest;

use crate::{
    admin::{AdminQueue, AdminRequest},
    batching::{BatchThreads, Batcher, Batching, BatchingOptions},
    error::Error,
    execute::{Executor, Limits},
    inference::{Call, Codec, Door, Outcome, Path, Rules, Target},
    metrics::{self, Family, ModelCounts, Sources, WarmUps, pages::Pages},
    reaper::Reaper,
    registry::Registry,
    request_log::{Report, RequestLog},
    route::{RouteUpdate, Router},
    runtime::{Model, litert, synthetic, tensorflow},
    servable::{Fittings, ServableId, Slot},
    shadow::{ShadowOptions, Shadows},
    snapshot::{ServableStatistics, Statistics},
    stats::{Gauges, Ledger},
    trial::Trials,
    warmup::{self, Warmed, WarmupOptions},
    wire::tensorflow::serving::{ModelVersionStatus, SignatureDefMap},
};
use bytes::Bytes;
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{self, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The longest wait that is taken literally; what is longer means "without end".
const WAIT_MAX: Duration = Duration::from_hours(24 * 365);

/// Everything behind the doors. Shared by all of them as an `Arc`.
pub struct Plane {
    path: Path,
    rules: Rules,
    registry: Mutex<Registry>,
    tensorflow: Mutex<Option<Arc<tensorflow::TensorFlow>>>,
    litert: Mutex<Option<Arc<litert::LiteRt>>>,
    request_log: Option<RequestLog>,
    reaper: Reaper,
    admin: Arc<AdminQueue>,
    warm_ups: WarmUps,
    pages: Pages,
    healthy: AtomicBool,
    changes: watch::Sender<u64>,
}

/// One version to bring to life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRequest {
    /// The model.
    pub name: String,
    /// Its number.
    pub version: i64,
    /// Tells it from others that are loaded under the same number.
    pub incarnation: u64,
    /// The version's directory.
    pub path: PathBuf,
    /// Which runtime loads it.
    pub platform: Platform,
    /// Of the `MetaGraphDef` to load.
    pub tags: Vec<String>,
    /// How to run the requests that the version brings with it; none: leave them alone.
    pub warmup: Option<WarmupOptions>,
    /// How to run requests together; none: each by itself.
    pub batching: Option<BatchingOptions>,
}

/// What a load found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// Sorted.
    pub signature_names: Vec<String>,
    /// What was run before the version may be routed.
    pub warmed: Warmed,
}

impl LoadRequest {
    /// What the version will be known by.
    #[must_use]
    pub fn id(&self) -> ServableId<'_> {
        ServableId { name: &self.name, version: self.version, incarnation: self.incarnation }
    }
}

/// What can load a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// A `SavedModel`, by TensorFlow.
    TensorFlow,
    /// A `model.tflite`, by LiteRT.
    LiteRt,
    /// A model made of Rust, for tests.
    Synthetic,
}

impl Platform {
    /// `tensorflow`, `litert` or `synthetic`; `INVALID_ARGUMENT` for another name.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        match name {
            "tensorflow" => Ok(Self::TensorFlow),
            "litert" => Ok(Self::LiteRt),
            "synthetic" => Ok(Self::Synthetic),
            _ => Err(Error::invalid_argument(format!(
                "platform {name} is not known; known are tensorflow, litert and synthetic"
            ))),
        }
    }
}

/// What `GetModelMetadata` tells.
#[derive(Debug)]
pub struct Metadata {
    /// The version chosen.
    pub version: i64,
    /// `SignatureDef`s by name, defaults included.
    pub definitions: SignatureDefMap,
}

impl fmt::Debug for Plane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Plane").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the doors ask.
impl Plane {
    /// Answers one inference request. Dropping the future cancels what has not begun to run.
    pub async fn infer<C: Codec>(&self, call: Call<C>) -> Outcome {
        self.path.infer(call).await
    }

    /// The trials under way.
    #[must_use]
    pub fn trials(&self) -> &Trials {
        self.path.routes.trials()
    }

    /// What requests may do.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Every version of a model that was ever seen, descending, or the one asked for; `NOT_FOUND` in TensorFlow
    /// Serving's words when there is none. A label is ignored, as there.
    pub fn status(&self, target: &Target) -> Result<Vec<ModelVersionStatus>, Error> {
        self.path.routes.table().status(target)
    }

    /// The version chosen and its signatures' definitions, for metadata.
    pub fn metadata(&self, target: &Target) -> Result<Metadata, Error> {
        let handle = self.path.routes.acquire(target)?;
        let signature_def = handle.model().signatures().definitions().clone();
        Ok(Metadata { version: handle.slot().version(), definitions: SignatureDefMap { signature_def } })
    }

    /// Whether some version of this model answers; none for a model that is not in the routes.
    #[must_use]
    pub fn has_ready(&self, model: &str) -> Option<bool> {
        self.path.routes.table().has_ready(model)
    }

    /// Whether the server as a whole is healthy, as the control plane says.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    /// Wakes whenever [`Self::healthy`] or [`Self::has_ready`] may answer differently; the value is the generation
    /// of the routes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Asks the control plane; its answer, or why there is none.
    pub async fn submit_admin(
        &self,
        method: &'static str,
        payload: Bytes,
        deadline: Option<Instant>,
    ) -> Result<Bytes, Error> {
        self.admin.submit(method, payload, deadline).await
    }

    /// Where to count a request of this model; one place for all names that are not here.
    #[must_use]
    pub fn counts(&self, model: &str) -> Arc<ModelCounts> {
        let rows = self.path.routes.rows(model);
        Arc::clone(rows.as_ref().unwrap_or_else(|| self.path.ledger.unknown()).counts())
    }

    /// The metrics page, for Prometheus. To be called in a runtime.
    pub async fn metrics_page(self: &Arc<Self>) -> Result<Bytes, Error> {
        metrics::pages::page(self).await
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }

    /// What the doors keep up to date.
    #[must_use]
    pub fn gauges(&self) -> &Arc<Gauges> {
        &self.path.gauges
    }

    /// The limits in force, with every choice made: how many I/O threads to start, for example.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.path.executor.limits()
    }
}

/// What the control plane orders. These block, or may: never call them on a request's thread.
impl Plane {
    /// A plane without models; `INVALID_ARGUMENT` for limits that cannot be.
    pub fn new(limits: Limits) -> Result<Self, Error> {
        Self::with_batch_threads(limits, BatchThreads::default())
    }

    /// The same, with so many threads for batches.
    pub fn with_batch_threads(limits: Limits, batch_threads: BatchThreads) -> Result<Self, Error> {
        let executor = Executor::start(limits)?;
        let batcher = Batcher::new(batch_threads, &executor)?;
        let reaper =
            Reaper::start().map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            path: Path {
                routes: Router::new(Shadows::new(ShadowOptions::default(), &executor)),
                executor,
                batcher,
                ledger: Ledger::default(),
                gauges: Arc::default(),
            },
            rules: Rules::default(),
            registry: Mutex::default(),
            tensorflow: Mutex::default(),
            litert: Mutex::default(),
            request_log: None,
            reaper,
            admin: Arc::default(),
            warm_ups: WarmUps::default(),
            pages: Pages::default(),
            healthy: AtomicBool::new(false),
            changes: watch::Sender::new(0),
        })
    }

    /// The same plane, under these rules.
    #[must_use]
    pub fn with_rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// The same plane, whose shadows have this patience. Before anything is published.
    #[must_use]
    pub fn with_shadows(mut self, options: ShadowOptions) -> Self {
        self.path.routes = Router::new(Shadows::new(options, &self.path.executor));
        self
    }

    /// The same plane, whose requests may be logged.
    #[must_use]
    pub fn with_request_log(self, request_log: RequestLog) -> Self {
        Self { request_log: Some(request_log), ..self }
    }

    /// What an operator should know of the request logs next, or none when `timeout` passes first.
    #[must_use]
    pub fn next_log_report(&self, timeout: Duration) -> Option<Report> {
        self.request_log.as_ref()?.next_report(timeout.min(WAIT_MAX))
    }

    /// Ends the request logs, once the doors are closed; whether `timeout` was enough to write what waited.
    pub fn close_request_log(&self, timeout: Duration) -> bool {
        self.request_log.as_ref().is_none_or(|log| log.close(timeout.min(WAIT_MAX)))
    }

    /// Opens TensorFlow's libraries from this folder; its version. A second call answers the same.
    pub fn open_tensorflow(&self, dir: &path::Path, options: tensorflow::Options) -> Result<String, Error> {
        let mut opened = self.tensorflow.lock().unwrap_or_else(PoisonError::into_inner);
        let tensorflow = match &*opened {
            Some(tensorflow) => Arc::clone(tensorflow),
            None => tensorflow::TensorFlow::open(dir, options)?,
        };
        Ok(opened.insert(tensorflow).version().to_owned())
    }

    /// Opens LiteRT's library from this folder. A second call does nothing.
    pub fn open_litert(&self, dir: &path::Path, options: litert::Options) -> Result<(), Error> {
        let mut opened = self.litert.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.is_none() {
            *opened = Some(litert::LiteRt::open(dir, options)?);
        }
        Ok(())
    }

    /// Loads a version in this thread and warms it up. It is not routed before a publish names it.
    pub fn load(&self, request: &LoadRequest) -> Result<LoadReport, Error> {
        let Path { executor, batcher, .. } = &self.path;
        let loading = Loading::begin(self, request)?;
        let batching =
            request.batching.as_ref().map(|options| batcher.open(options, executor)).transpose()?;
        let load = || {
            let model = self.open_model(request)?;
            let warmed = request.warmup.map(|options| self.warm_up(model.as_ref(), request, options));
            let warmed = warmed.transpose()?.unwrap_or_default();
            Ok((model, warmed))
        };
        let (model, warmed) = catch_unwind(AssertUnwindSafe(load))
            .unwrap_or_else(|_| Err(Error::internal("loading panicked; this is a bug of the server")))?;
        Ok(LoadReport { signature_names: loading.finish(model, batching), warmed })
    }

    /// A version that is not loaded yet has no counts; its model's are held meanwhile.
    fn warm_up(
        &self,
        model: &dyn Model,
        request: &LoadRequest,
        options: WarmupOptions,
    ) -> Result<Warmed, Error> {
        let counts = self.path.ledger.models().hold(&Arc::from(request.name.as_str()));
        let setting =
            warmup::Setting { rules: self.rules, counts: counts.counts(), warm_ups: &self.warm_ups };
        warmup::warm_up(model, &request.path, options, setting)
    }

    fn open_model(&self, request: &LoadRequest) -> Result<Box<dyn Model>, Error> {
        match request.platform {
            Platform::Synthetic => synthetic::load(&request.path),
            Platform::TensorFlow => {
                let opened = self.tensorflow.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let tensorflow = opened
                    .ok_or_else(|| Error::failed_precondition("TensorFlow's libraries were not opened"))?;
                tensorflow.load(&request.path, &request.tags)
            }
            Platform::LiteRt => {
                let opened = self.litert.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let litert =
                    opened.ok_or_else(|| Error::failed_precondition("LiteRT's library was not opened"))?;
                litert.load(&request.path)
            }
        }
    }

    /// Waits for the version's last request, then frees it in this thread; when `drain_timeout` passes first, it is
    /// freed later by a thread of its own. Answers how many requests were left. `FAILED_PRECONDITION` while it is
    /// routed; another incarnation of its number may be.
    pub fn unload(&self, id: ServableId<'_>, drain_timeout: Duration) -> Result<u64, Error> {
        let deadline = Instant::now() + drain_timeout.min(WAIT_MAX);
        let slot = {
            let mut registry = self.registry();
            if self.path.routes.table().routes(id) {
                return Err(Error::failed_precondition(format!(
                    "{id} is still routed; publish routes without it first"
                )));
            }
            registry.begin_unload(id)?
        };
        let left = slot.retire(deadline);
        self.registry().remove(id);
        self.path.ledger.retire(slot.rows());
        Ok(left)
    }

    /// Replaces the routes, or refuses the whole update and leaves the present ones.
    pub fn publish(&self, update: &RouteUpdate) -> Result<(), Error> {
        // The registry stays locked so that no version that this names can begin to unload meanwhile.
        let registry = self.registry();
        let loaded = |id: ServableId<'_>| registry.loaded(id);
        self.path.routes.publish(update, &self.path.ledger, loaded, |model, settings| {
            let log = self.request_log.as_ref();
            log.ok_or_else(|| Error::failed_precondition("requests are not logged by this server"))?
                .open(&Arc::from(model), settings)
        })?;
        drop(registry);
        self.changes.send_replace(update.generation);
        Ok(())
    }

    /// Says what [`Self::healthy`] answers.
    pub fn set_healthy(&self, healthy: bool) {
        self.healthy.store(healthy, Ordering::Release);
        self.changes.send_modify(|_generation| {});
    }

    /// What is counted, now.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let Path { executor, batcher, ledger, gauges, .. } = &self.path;
        Statistics {
            methods: ledger.snapshot(),
            servables: self.registry().slots().map(|slot| ServableStatistics::of(slot)).collect(),
            in_flight: executor.in_flight(),
            run_threads: executor.run_threads_used(),
            unloaded_late: self.reaper.late(),
            panics: executor.panics(),
            grpc_connections: gauges.connections(Door::Grpc).load(Ordering::Relaxed),
            rest_connections: gauges.connections(Door::Rest).load(Ordering::Relaxed),
            buffered_bytes: gauges.buffered_bytes.load(Ordering::Relaxed),
            refused_overload: gauges.refused_overload.load(Ordering::Relaxed),
            request_logs: self.request_log.as_ref().map(RequestLog::statistics).unwrap_or_default(),
            batching: batcher.snapshot(),
        }
    }

    /// What is counted under TensorFlow Serving's names, now.
    #[must_use]
    pub fn serving_metrics(&self) -> Vec<Family> {
        let models = self.path.ledger.models();
        let logged = self.request_log.as_ref().map(RequestLog::statistics).unwrap_or_default();
        metrics::read(Sources {
            models,
            warm_ups: &self.warm_ups,
            batches: self.path.batcher.snapshot(),
            logged,
        })
    }

    /// The next request of this method for the control plane, or none when `timeout` passes first.
    #[must_use]
    pub fn next_admin(&self, method: &str, timeout: Duration) -> Option<AdminRequest> {
        self.admin.next(method, timeout.min(WAIT_MAX))
    }

    /// Answers one; whether somebody still waited for it.
    pub fn answer_admin(&self, ticket: u64, answer: Result<Bytes, Error>) -> bool {
        self.admin.answer(ticket, answer)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A version's entry while it is loaded; dropped unfinished, the entry goes.
struct Loading<'a> {
    plane: &'a Plane,
    request: &'a LoadRequest,
    finished: bool,
}

impl<'a> Loading<'a> {
    fn begin(plane: &'a Plane, request: &'a LoadRequest) -> Result<Self, Error> {
        plane.registry().begin_load(request.id())?;
        Ok(Self { plane, request, finished: false })
    }

    fn finish(mut self, model: Box<dyn Model>, batching: Option<Batching>) -> Vec<String> {
        let names: Vec<String> =
            model.signatures().list().iter().map(|signature| signature.name.clone()).collect();
        let ServableId { name, version, incarnation } = self.request.id();
        let name = Arc::from(name);
        let Path { executor, ledger, .. } = &self.plane.path;
        let rows = ledger.open_version(&name, version, names.clone());
        let (lane, reaper) = (executor.lane(names.len(), model.runs_max()), self.plane.reaper.clone());
        // A model that can only do so many runs at once has them counted in one place: its lane.
        let batching = batching.filter(|_| model.runs_max().is_none());
        let slot = Slot::new(model, Fittings { name, version, incarnation, lane, batching, rows, reaper });
        self.plane.registry().finish_load(slot);
        self.finished = true;
        names
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.plane.registry().remove(self.request.id());
        }
    }
}
