"""The flags of `understudy serve`, in one table each for models, doors, life, runtime and limits.

Those of connections (TLS, UNIX socket, gRPC's limits) are transport_flags.py's.
"""

from typing import Final

import click

from understudy.cli.serve_option import BYTES as _BYTES
from understudy.cli.serve_option import COUNT as _COUNT
from understudy.cli.serve_option import FLAG as _FLAG
from understudy.cli.serve_option import POSITIVE as _POSITIVE
from understudy.cli.serve_option import TEXT as _TEXT
from understudy.cli.serve_option import THREADS as _THREADS
from understudy.cli.serve_option import option as _option
from understudy.cli.serve_option import parse_interval as _parse_interval
from understudy.cli.serve_option import parse_path as _parse_path
from understudy.cli.serve_option import parse_port as _parse_port
from understudy.cli.serve_option import parse_seconds as _parse_seconds
from understudy.cli.transport_flags import TRANSPORT, TransportFlags
from understudy.dataplane.options import DataPlaneOptions, RequestLogOptions, WarmupOptions
from understudy.model_config import Transition
from understudy.monitoring_config import DEFAULT_METRICS_PATH
from understudy.server_options import (
    DRAIN_TIMEOUT_S,
    LOAD_RETRIES_MAX,
    LOAD_RETRY_INTERVAL_S,
    LOAD_TIMEOUT_S,
    POLL_INTERVAL_S,
    RELOAD_TIMEOUT_S,
    SAVED_MODEL_TAGS,
    STARTUP_TIMEOUT_S,
    STOP_TIMEOUT_S,
    OnStartupFailure,
)
from understudy.telemetry import LogStyle

STATE_DIR_NONE = "none"
GRPC_PORT = 8500
REST_PORT = 8501
ADMIN_PORT = 8502

WARMUP_ITERATIONS: Final = WarmupOptions().iterations

_LIMITS: Final = DataPlaneOptions(grpc_address=None, rest_address=None)
_LOG_LIMITS: Final = RequestLogOptions(directory="")
"""The data plane's own defaults."""


class ServeFlags(TransportFlags):
    """What stands on the command line or in the environment, by click's names."""

    model: tuple[str, ...]
    model_name: str
    model_base_path: str | None
    model_config_file: str | None
    config_poll_interval: float
    rollout_config: str | None
    state_dir: str | None
    host: str
    grpc_port: int | None
    rest_port: int | None
    admin_host: str
    admin_port: int | None
    cors: bool
    rest_compression: bool
    tensor_content: bool
    metrics_path: str | None
    check_method_names: bool
    enable_session_run: bool
    poll_interval: float
    load_threads: int
    unload_threads: int
    load_retries: int
    load_retry_interval: float
    load_timeout: float
    transition: str
    memory_limit_bytes: int | None
    memory_limit_fraction: float | None
    label_unavailable: bool
    warmup: bool
    warmup_iterations: int
    drain_timeout: float
    stop_timeout: float
    startup_timeout: float
    reload_timeout: float
    on_startup_failure: str
    tensorflow_dir: str | None
    intra_op_threads: int
    inter_op_threads: int
    session_config_file: str | None
    gpu_memory_fraction: float | None
    bfloat16: bool
    saved_model_tags: str
    prefer_tflite_model: bool
    litert_dir: str | None
    litert_interpreters: int
    request_log_dir: str | None
    request_log_file_bytes_max: int
    request_log_file_age_max: float
    request_log_bytes_max: int
    batching: bool
    batching_parameters_file: str | None
    batching_by_version: bool
    batch_threads: int
    io_threads: int
    runs_max: int
    queue_max: int
    in_flight_max: int
    connections_max: int
    message_bytes_max: int
    buffered_bytes_max: int
    rest_timeout: float
    log_format: str


_MODELS = [
    _option(
        "model", _TEXT, (), "A model and the directory of its versions. May be repeated.", "NAME=BASE_PATH"
    ),
    _option("model-base-path", _TEXT, None, "The directory of a single model's versions.", "PATH"),
    _option("model-name", _TEXT, "default", "The name of that single model."),
    _option(
        "model-config-file",
        _TEXT,
        None,
        "A file with a ModelServerConfig in protobuf's text format, as TensorFlow Serving reads it.",
        "FILE",
    ),
    _option(
        "config-poll-interval",
        _parse_seconds,
        0.0,
        "Seconds between two looks at the config file and at the rollout config; what one says is applied "
        "when it has changed. 0: read again on SIGHUP only.",
    ),
    _option(
        "rollout-config",
        _TEXT,
        None,
        "A file in YAML that says of models how their new versions are rolled out. New versions of these "
        "models serve only when a rollout has promoted them.",
        "FILE",
    ),
    _option(
        "state-dir",
        _TEXT,
        None,
        "Where revisions of the configuration are kept, so that a restart resumes the last one; "
        "none: in memory. Without it: a folder named for the admin port in ~/.local/state/understudy "
        "($XDG_STATE_HOME); in memory when that port is 0 or off.",
        f"DIR|{STATE_DIR_NONE}",
    ),
]

_DOORS = [
    _option("host", _TEXT, "0.0.0.0", "Where gRPC and REST listen: a name or an address."),  # noqa: S104
    _option("grpc-port", _parse_port, GRPC_PORT, "0 picks a free one."),
    _option("rest-port", _parse_port, REST_PORT, "0 picks a free one."),
    _option("admin-port", _parse_port, ADMIN_PORT, "For the other commands and probes. 0 picks a free one."),
    _option(
        "admin-host",
        _TEXT,
        "127.0.0.1",
        "Where the operators' API listens. It asks for no password: who reaches it can read everything. "
        "Changes are taken from this machine only.",
    ),
    _option("cors", _FLAG, False, "Let browsers of other origins read REST answers."),
    _option(
        "rest-compression",
        _FLAG,
        _LIMITS.rest_compression,
        "Compress long REST answers for clients whose Accept-Encoding takes gzip.",
    ),
    _option(
        "tensor-content",
        _FLAG,
        _LIMITS.tensor_content,
        "Answer Predict over gRPC with tensors packed in tensor_content, not in typed fields: less work for "
        "large ones, and not every client reads it (as TensorFlow Serving's "
        "--enable_serialization_as_tensor_content).",
    ),
    _option(
        "metrics-path",
        _parse_path,
        None,
        "Where the REST port has a page of metrics for Prometheus, with TensorFlow Serving's names and "
        f"Understudy's own: {DEFAULT_METRICS_PATH} is where TensorFlow Serving has it. Without the flag: "
        "nowhere; Understudy's own are at /metrics of the admin port in any case.",
    ),
    _option(
        "check-method-names",
        _FLAG,
        False,
        "Run a signature only by a method that its method name fits: Classify, Regress, or Predict for all.",
    ),
    _option(
        "enable-session-run",
        _FLAG,
        False,
        "Answer SessionRun, which can run any operation of a model's graph, also one that writes files.",
    ),
]

_LIFE = [
    _option(
        "poll-interval",
        _parse_interval,
        POLL_INTERVAL_S,
        "Seconds between two looks for versions; 0: one look a configuration; negative: never.",
    ),
    _option("load-threads", _THREADS, 0, "Loads at once; 0 chooses from the machine's cores."),
    _option("unload-threads", _THREADS, 0, "Unloads at once; 0 chooses from the machine's cores."),
    _option("load-retries", _COUNT, LOAD_RETRIES_MAX, "Attempts after the first one."),
    _option("load-retry-interval", _parse_seconds, LOAD_RETRY_INTERVAL_S, "Seconds between two attempts."),
    _option(
        "load-timeout",
        _parse_seconds,
        LOAD_TIMEOUT_S,
        "Seconds that a load may take before it counts as failed; it still serves if it comes back.",
    ),
    _option(
        "transition",
        click.Choice([choice.value for choice in Transition]),
        Transition.AVAILABILITY_PRESERVING.value,
        "Load the new version before unloading the old one, or after, to spare memory, with a gap between. "
        "A model's own transition_policy comes first.",
    ),
    _option(
        "memory-limit-bytes",
        _BYTES,
        None,
        "What all versions together may need, by their estimates; a version beyond it is refused.",
    ),
    _option(
        "memory-limit-fraction",
        click.FloatRange(min=0.0, max=1.0, min_open=True),
        None,
        "The same, as a share of the memory that this machine or container has.",
    ),
    _option(
        "label-unavailable",
        _FLAG,
        False,
        "Let a new label name a version that is not available (as TensorFlow Serving's "
        "--allow_version_labels_for_unavailable_models).",
    ),
    _option(
        "warmup",
        _FLAG,
        True,
        "Run a version's recorded requests (assets.extra/tf_serving_warmup_requests) before it is ready.",
    ),
    _option("warmup-iterations", _POSITIVE, WARMUP_ITERATIONS, "How often each of them is run."),
    _option(
        "drain-timeout", _parse_seconds, DRAIN_TIMEOUT_S, "Seconds that an unload waits for last requests."
    ),
    _option("stop-timeout", _parse_seconds, STOP_TIMEOUT_S, "Seconds that a stop waits for last requests."),
    _option(
        "startup-timeout",
        _parse_seconds,
        STARTUP_TIMEOUT_S,
        "Seconds that the doors wait for each model to be ready, or to have failed, or not to be there.",
    ),
    _option(
        "reload-timeout",
        _parse_seconds,
        RELOAD_TIMEOUT_S,
        "Seconds that the answer to a reload waits for models that are new.",
    ),
    _option(
        "on-startup-failure",
        click.Choice([choice.value for choice in OnStartupFailure]),
        OnStartupFailure.SERVE.value,
        "When a model fails to load at the start: serve the others, or exit as TensorFlow Serving does.",
    ),
]

_RUNTIME = [
    _option(
        "tensorflow-dir",
        _TEXT,
        None,
        "The folder of libtensorflow_cc.so.2; else the installed wheel's.",
        "DIR",
    ),
    _option("intra-op-threads", _THREADS, 0, "Threads inside one operation; 0: TensorFlow's choice."),
    _option("inter-op-threads", _THREADS, 0, "Operations at once; 0: TensorFlow's choice."),
    _option(
        "session-config-file",
        _TEXT,
        None,
        "A file with a ConfigProto in protobuf's text format: how TensorFlow's sessions are set up. Other "
        "options that are given win over it.",
        "FILE",
    ),
    _option(
        "gpu-memory-fraction",
        click.FloatRange(min=0.0, max=1.0, min_open=True),
        None,
        "The share of each GPU's memory that TensorFlow takes.",
    ),
    _option(
        "bfloat16",
        _FLAG,
        False,
        "Let TensorFlow rewrite graphs to compute partly in bfloat16, on a CPU that can: faster, less exact.",
    ),
    _option("saved-model-tags", _TEXT, ",".join(SAVED_MODEL_TAGS), "Tags of the graph to load, with commas."),
    _option(
        "prefer-tflite-model",
        _FLAG,
        False,
        "Serve a version's model.tflite, by LiteRT, instead of the SavedModel beside it.",
    ),
    _option("litert-dir", _TEXT, None, "The folder of libLiteRt.so; else the installed wheel's.", "DIR"),
    _option(
        "litert-interpreters",
        _THREADS,
        0,
        "Runs at once of a model.tflite, each with a copy of its weights; 0: as many as CPUs.",
    ),
    _option(
        "batching",
        _FLAG,
        False,
        "Run requests together: a batch is whatever waited while the one before it ran. There is nothing to "
        "tune.",
    ),
    _option(
        "batching-parameters-file",
        _TEXT,
        None,
        "Run them together by these parameters instead: a file with TensorFlow Serving's BatchingParameters "
        "in protobuf's text format.",
        "FILE",
    ),
    _option(
        "batching-by-version",
        _FLAG,
        False,
        "Run together only requests of versions with a batching_params.pbtxt in their directory, and by "
        "that.",
    ),
    _option(
        "batch-threads",
        _THREADS,
        _LIMITS.batch_threads,
        "Batches at once, of all models together; 0: what the parameters say, or one for each core.",
    ),
]

_REQUEST_LOG = [
    _option(
        "request-log-dir",
        _TEXT,
        None,
        "Where requests of models with a logging_config are logged, in TFRecord files that can warm up a "
        "version. Without it a logging_config is refused.",
        "DIR",
    ),
    _option(
        "request-log-file-bytes-max",
        _BYTES,
        _LOG_LIMITS.file_bytes_max,
        "A log's file that would become longer is ended, and another one begun.",
    ),
    _option(
        "request-log-file-age-max",
        _parse_seconds,
        _LOG_LIMITS.file_age_max_s,
        "A log's file that is older is ended.",
    ),
    _option(
        "request-log-bytes-max",
        _BYTES,
        _LOG_LIMITS.bytes_max,
        "Of all request logs together; the oldest files are deleted to keep to it.",
    ),
]

_LIMIT_OPTIONS = [
    _option(
        "rest-timeout",
        _parse_seconds,
        _LIMITS.rest_timeout_ms / 1000,
        "Seconds a REST request may run; 0: no limit.",
    ),
    _option("io-threads", _THREADS, _LIMITS.io_threads, "Threads that move bytes; 0 chooses from the cores."),
    _option("runs-max", _THREADS, _LIMITS.runs_max, "Runs of a version at once; 0 chooses from the cores."),
    _option("queue-max", _POSITIVE, _LIMITS.queue_max, "Requests of a version that wait for a run."),
    _option("in-flight-max", _POSITIVE, _LIMITS.in_flight_max, "Requests being answered at once."),
    _option("connections-max", _POSITIVE, _LIMITS.connections_max, "Open connections."),
    _option("message-bytes-max", _POSITIVE, _LIMITS.message_bytes_max, "Bytes of one request's body."),
    _option("buffered-bytes-max", _BYTES, _LIMITS.buffered_bytes_max, "Bytes of all request bodies at once."),
    _option(
        "log-format",
        click.Choice([style.value for style in LogStyle]),
        LogStyle.AUTO.value,
        "Lines for people, or JSON; auto: people on a terminal.",
    ),
]

OPTIONS: Final[list[click.Parameter]] = [
    *_MODELS,
    *_DOORS,
    *TRANSPORT,
    *_LIFE,
    *_RUNTIME,
    *_REQUEST_LOG,
    *_LIMIT_OPTIONS,
]
"""In the order in which help lists them."""
