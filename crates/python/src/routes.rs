//! What src/understudy/routing/routes.py hands over: one struct for each dataclass there, field by field.

use crate::traffic::Traffic;
use dataplane::{
    request_log::LogSettings,
    route,
    traffic::TrafficSettings,
    wire::tensorflow::serving::{ModelVersionStatus, StatusProto},
};
use pyo3::FromPyObject;

#[derive(FromPyObject)]
pub(crate) struct RouteUpdate {
    generation: u64,
    changed: Vec<ModelRoute>,
    removed: Vec<String>,
}

#[derive(FromPyObject)]
struct ModelRoute {
    name: String,
    ready: Vec<ReadyVersion>,
    default_version: Option<i64>,
    labels: Vec<LabelRoute>,
    statuses: Vec<VersionStatus>,
    log: Option<LogRoute>,
    traffic: Option<Traffic>,
}

#[derive(FromPyObject)]
struct LogRoute {
    filename_prefix: String,
    sampling_rate: f64,
}

#[derive(FromPyObject)]
struct ReadyVersion {
    version: i64,
    incarnation: u64,
}

#[derive(FromPyObject)]
struct LabelRoute {
    label: String,
    version: i64,
}

#[derive(FromPyObject)]
struct VersionStatus {
    version: i64,
    state: i32,
    error_code: i32,
    error_message: String,
}

impl From<RouteUpdate> for route::RouteUpdate {
    fn from(update: RouteUpdate) -> Self {
        let changed = update.changed.into_iter().map(route::ModelUpdate::from).collect();
        Self { generation: update.generation, changed, removed: update.removed }
    }
}

impl From<ModelRoute> for route::ModelUpdate {
    fn from(model: ModelRoute) -> Self {
        Self {
            name: model.name,
            ready: model.ready.into_iter().map(route::ReadyVersion::from).collect(),
            default_version: model.default_version,
            labels: model.labels.into_iter().map(|route| (route.label, route.version)).collect(),
            statuses: model.statuses.into_iter().map(ModelVersionStatus::from).collect(),
            log: model.log.map(LogSettings::from),
            traffic: model.traffic.map(TrafficSettings::from),
        }
    }
}

impl From<LogRoute> for LogSettings {
    fn from(log: LogRoute) -> Self {
        let LogRoute { filename_prefix, sampling_rate } = log;
        Self { filename_prefix, sampling_rate }
    }
}

impl From<ReadyVersion> for route::ReadyVersion {
    fn from(ready: ReadyVersion) -> Self {
        let ReadyVersion { version, incarnation } = ready;
        Self { version, incarnation }
    }
}

impl From<VersionStatus> for ModelVersionStatus {
    fn from(status: VersionStatus) -> Self {
        let VersionStatus { version, state, error_code, error_message } = status;
        Self { version, state, status: Some(StatusProto { error_code, error_message }) }
    }
}
