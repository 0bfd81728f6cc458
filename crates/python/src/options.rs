//! What src/understudy/dataplane/options.py hands over: one struct for each dataclass there, field by field; and
//! `ServableId` of src/understudy/servable.py.

use crate::{batching::BatchingOptions, statistics::seconds};
use dataplane::{
    batching::BatchThreads,
    error::Error,
    execute::Limits,
    inference::Rules,
    plane::{self, LoadRequest as Load, Platform},
    request_log,
    runtime::{litert, tensorflow},
    servable,
    server::{
        Patience, ServerOptions,
        http2::Http2Limits,
        lifetime::Lifetime,
        socket_file::SocketFileOptions,
        tls::{Inside, Tls, TlsPem},
    },
    shadow::ShadowOptions,
    tensor_proto::TensorEncoding,
    traffic, warmup,
};
use pyo3::{FromPyObject, PyResult};
use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

#[derive(FromPyObject)]
#[allow(clippy::struct_excessive_bools)] // switches of an operator, each by itself
pub(crate) struct DataPlaneOptions {
    grpc_address: Option<String>,
    grpc_socket: Option<PathBuf>,
    grpc_socket_mode: Option<u32>,
    rest_address: Option<String>,
    grpc_tls: Option<TlsOptions>,
    rest_tls: Option<TlsOptions>,
    grpc: GrpcOptions,
    io_threads: usize,
    rest_timeout_ms: i64,
    message_bytes_max: usize,
    buffered_bytes_max: usize,
    in_flight_max: usize,
    queue_max: usize,
    runs_max: usize,
    batch_threads: i64,
    connections_max: usize,
    cors: bool,
    rest_compression: bool,
    tensor_content: bool,
    metrics_path: Option<String>,
    request_log: Option<RequestLogOptions>,
    check_method_names: bool,
    session_run: bool,
    shadow_lateness_max_s: f64,
}

#[derive(FromPyObject)]
struct RequestLogOptions {
    directory: PathBuf,
    file_bytes_max: u64,
    file_age_max_s: f64,
    bytes_max: u64,
    saved_model_tags: Vec<String>,
}

impl DataPlaneOptions {
    pub(crate) fn rules(&self) -> Rules {
        Rules { check_method_names: self.check_method_names, session_run: self.session_run }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            io_threads: self.io_threads,
            in_flight_max: self.in_flight_max,
            queue_max: self.queue_max,
            runs_max: self.runs_max,
        }
    }

    /// Where requests are logged, if they may be.
    pub(crate) fn request_log(&mut self) -> PyResult<Option<request_log::RequestLogOptions>> {
        let build = |options: RequestLogOptions| {
            let RequestLogOptions { directory, file_bytes_max, file_age_max_s, bytes_max, saved_model_tags } =
                options;
            let file_age_max = seconds(file_age_max_s)?;
            Ok(request_log::RequestLogOptions {
                directory,
                file_bytes_max,
                file_age_max,
                bytes_max,
                saved_model_tags,
            })
        };
        self.request_log.take().map(build).transpose()
    }

    pub(crate) fn shadows(&self) -> PyResult<ShadowOptions> {
        let lateness_max = seconds(self.shadow_lateness_max_s)?;
        Ok(ShadowOptions { lateness_max, ..ShadowOptions::default() })
    }

    pub(crate) fn batch_threads(&self) -> BatchThreads {
        BatchThreads { count: self.batch_threads, ..BatchThreads::default() }
    }

    /// `INVALID_ARGUMENT` when certificates cannot be used.
    pub(crate) fn server(self) -> Result<ServerOptions, Error> {
        let socket = |path| SocketFileOptions { path, mode: self.grpc_socket_mode };
        Ok(ServerOptions {
            grpc_address: self.grpc_address,
            grpc_socket: self.grpc_socket.map(socket),
            rest_address: self.rest_address,
            grpc_tls: self.grpc_tls.map(|tls| tls.begin(Inside::Http2)).transpose()?,
            rest_tls: self.rest_tls.map(|tls| tls.begin(Inside::Http1)).transpose()?,
            grpc_message_bytes_max: self.grpc.message_bytes_max.unwrap_or(usize::MAX),
            http2: self.grpc.limits(),
            patience: self.grpc.patience(),
            rest_timeout: positive_millis(self.rest_timeout_ms),
            message_bytes_max: self.message_bytes_max,
            buffered_bytes_max: self.buffered_bytes_max,
            connections_max: self.connections_max,
            cors: self.cors,
            rest_compression: self.rest_compression,
            tensor_encoding: if self.tensor_content {
                TensorEncoding::Content
            } else {
                TensorEncoding::Typed
            },
            metrics_path: self.metrics_path,
        })
    }
}

#[derive(FromPyObject)]
struct GrpcOptions {
    message_bytes_max: Option<usize>,
    streams_max: u32,
    header_bytes_max: u32,
    age_max_ms: Option<u64>,
    age_grace_ms: Option<u64>,
    idle_max_ms: Option<u64>,
    ping_interval_ms: Option<u64>,
    ping_timeout_ms: u64,
}

impl GrpcOptions {
    fn limits(&self) -> Http2Limits {
        Http2Limits {
            streams_max: self.streams_max,
            header_bytes_max: self.header_bytes_max,
            lifetime: Lifetime {
                age_max: self.age_max_ms.map(Duration::from_millis),
                age_grace: self.age_grace_ms.map(Duration::from_millis),
                idle_max: self.idle_max_ms.map(Duration::from_millis),
            },
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            ping_interval: self.ping_interval_ms.map(Duration::from_millis),
            ping_timeout: Duration::from_millis(self.ping_timeout_ms),
            ..Patience::default()
        }
    }
}

#[derive(FromPyObject)]
pub(crate) struct TlsOptions {
    certificates: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl TlsOptions {
    fn begin(self, inside: Inside) -> Result<Arc<Tls>, Error> {
        Tls::new(inside, &self.pem()).map(Arc::new)
    }

    pub(crate) fn pem(self) -> TlsPem {
        TlsPem { certificates: self.certificates, key: self.key, client_ca: self.client_ca }
    }
}

fn positive_millis(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis)
}

#[derive(FromPyObject)]
pub(crate) struct TensorFlowOptions {
    library_dir: PathBuf,
    session_config: Vec<u8>,
}

impl TensorFlowOptions {
    /// The folder that holds the libraries, and the rest.
    pub(crate) fn split(self) -> (PathBuf, tensorflow::Options) {
        let Self { library_dir, session_config } = self;
        (library_dir, tensorflow::Options { session_config })
    }
}

#[derive(FromPyObject)]
pub(crate) struct LiteRtOptions {
    library_dir: PathBuf,
    interpreters: usize,
}

impl LiteRtOptions {
    /// The folder that holds the library, and the rest.
    pub(crate) fn split(self) -> (PathBuf, litert::Options) {
        let Self { library_dir, interpreters } = self;
        (library_dir, litert::Options { interpreters })
    }
}

#[derive(FromPyObject)]
pub(crate) struct ServableId {
    name: String,
    version: i64,
    incarnation: u64,
}

impl ServableId {
    pub(crate) fn borrowed(&self) -> servable::ServableId<'_> {
        servable::ServableId { name: &self.name, version: self.version, incarnation: self.incarnation }
    }
}

#[derive(FromPyObject)]
pub(crate) struct LoadRequest {
    name: String,
    version: i64,
    incarnation: u64,
    path: PathBuf,
    platform: String,
    tags: Vec<String>,
    warmup: Option<WarmupOptions>,
    batching: Option<BatchingOptions>,
}

#[derive(FromPyObject)]
struct WarmupOptions {
    iterations: NonZeroU32,
}

impl TryFrom<LoadRequest> for Load {
    type Error = Error;

    fn try_from(request: LoadRequest) -> Result<Self, Error> {
        let LoadRequest { name, version, incarnation, path, platform, tags, warmup, batching } = request;
        let warmup = warmup.map(|WarmupOptions { iterations }| warmup::WarmupOptions { iterations });
        let platform = Platform::from_name(&platform)?;
        let batching = batching.map(Into::into);
        Ok(Self { name, version, incarnation, path, platform, tags, warmup, batching })
    }
}

#[derive(FromPyObject)]
pub(crate) struct Tolerance {
    absolute: f64,
    relative: f64,
    top_1: bool,
}

impl From<Tolerance> for traffic::Tolerance {
    fn from(tolerance: Tolerance) -> Self {
        let Tolerance { absolute, relative, top_1 } = tolerance;
        Self { absolute, relative, top_1 }
    }
}

#[derive(FromPyObject)]
pub(crate) struct ValidateRequest {
    path: PathBuf,
    tolerance: Tolerance,
    timeout_s: f64,
}

impl ValidateRequest {
    pub(crate) fn translate(self) -> PyResult<plane::ValidateRequest> {
        let Self { path, tolerance, timeout_s } = self;
        Ok(plane::ValidateRequest { path, tolerance: tolerance.into(), timeout: seconds(timeout_s)? })
    }
}

#[derive(FromPyObject)]
pub(crate) struct CaptureOptions {
    records: usize,
    version: Option<i64>,
    is_spread: bool,
}

impl From<CaptureOptions> for request_log::CaptureOptions {
    fn from(options: CaptureOptions) -> Self {
        let CaptureOptions { records, version, is_spread } = options;
        Self { records, version, is_spread }
    }
}
