"""Every flag of tensorflow_model_server, in one table: its type, its default, and what is done with it.

The syntax is tensorflow_syntax.py's; what honoured flags mean to the server is tensorflow_model_server.py's.
docs/reference/tensorflow-flags.md is made from this table.
"""

from dataclasses import dataclass
from enum import Enum

from understudy.dataplane.options import GIB, MIB

FlagValue = bool | int | float | str


class FlagType(Enum):
    """How a value is written."""

    INT32 = "int32"
    INT64 = "int64"
    FLOAT = "float"
    BOOL = "bool"
    STRING = "string"


class Treatment(Enum):
    """What is done with a flag."""

    HONOURED = "honoured"
    NO_EFFECT = "accepted without effect"
    """Nothing that a user relies on is lost; a log line says so when it is given."""
    REFUSED = "refused"
    """Leaving it out silently would change what users rely on; its default is taken as not given."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag.

    Attributes:
        name: without dashes.
        type: of its value.
        default: its value when it is not given.
        summary: what it is for, in a few words.
        treatment: what is done with it.
        reason: why it has no effect or is refused, and what to do instead; for an honoured one, where
            it does better than in TensorFlow Serving.
    """

    name: str
    type: FlagType
    default: FlagValue
    summary: str
    treatment: Treatment = Treatment.HONOURED
    reason: str = ""


_INT32, _INT64, _FLOAT, _BOOL, _STRING = FlagType
_NO_EFFECT, _REFUSED = Treatment.NO_EFFECT, Treatment.REFUSED

_LISTENING = (
    Flag("port", _INT32, 8500, "TCP port of gRPC"),
    Flag(
        "grpc_socket_path",
        _STRING,
        "",
        "UNIX socket of gRPC, beside --port; --port=0: only this one",
        reason="a socket on which another process listens is not taken over; the file goes with the server",
    ),
    Flag("rest_api_port", _INT32, 0, "TCP port of REST; 0: no REST"),
    Flag(
        "rest_api_num_threads",
        _INT32,
        0,
        "threads that answer REST",
        _NO_EFFECT,
        "no thread waits for a connection or a request here",
    ),
    Flag("rest_api_timeout_in_ms", _INT32, 30_000, "how long a REST request may run; 0 or less: no limit"),
    Flag("rest_api_enable_cors_support", _BOOL, False, "lets browsers of other origins read REST answers"),
    Flag(
        "rest_api_enable_compression",
        _BOOL,
        False,
        "compresses long REST answers for clients whose Accept-Encoding takes gzip",
        reason="Understudy's own flag; TensorFlow Serving compresses no answer, and it takes time that a "
        "client on a fast network does not get back",
    ),
    Flag(
        "grpc_channel_arguments",
        _STRING,
        "",
        "settings of the gRPC library, k=v with commas between",
        reason="grpc.max_connection_age_ms, grpc.max_connection_age_grace_ms, grpc.max_connection_idle_ms, "
        "grpc.keepalive_time_ms, grpc.keepalive_timeout_ms, grpc.max_concurrent_streams, "
        "grpc.max_receive_message_length, grpc.max_metadata_size and grpc.absolute_max_metadata_size mean "
        "what they say; others have no effect, which a log line says of each; what is no k=v is refused",
    ),
    Flag(
        "grpc_max_threads",
        _INT32,
        0,
        "threads of the gRPC library",
        _NO_EFFECT,
        "no thread waits for a connection or a request here; runs have threads by the machine's cores",
    ),
    Flag(
        "enable_grpc_healthcheck_service",
        _BOOL,
        False,
        "standard gRPC health service",
        _NO_EFFECT,
        "the health service is always there, and tells the truth",
    ),
    Flag(
        "ssl_config_file",
        _STRING,
        "",
        "text file with an SSLConfig: TLS for gRPC, on TCP and UNIX socket",
        reason="read again when it changes and on SIGHUP; one that cannot be used ends the start",
    ),
    Flag(
        "rest_api_ssl_config_file",
        _STRING,
        "",
        "the same for REST",
        reason="Understudy's own flag; --ssl_config_file leaves REST as it is, as in TensorFlow Serving",
    ),
    Flag(
        "use_alts_credentials",
        _BOOL,
        False,
        "Google's ALTS for gRPC",
        _REFUSED,
        "there is no ALTS, and requests must not travel in clear by accident",
    ),
    Flag(
        "monitoring_config_file",
        _STRING,
        "",
        "text file with a MonitoringConfig: Prometheus metrics on the REST port",
        reason="Understudy's own metrics are on the page, too",
    ),
    Flag(
        "admin_port",
        _INT32,
        8502,
        "TCP port, on the loopback interface, of the operators' API, which `understudy status` and "
        "`understudy why` ask; 0: none",
        reason="Understudy's own flag; when it is not given and the port is taken, the server does without",
    ),
)

_MODELS = (
    Flag(
        "model_config_file", _STRING, "", "text file with a ModelServerConfig; the next two are then ignored"
    ),
    Flag(
        "model_config_file_poll_wait_seconds",
        _INT32,
        0,
        "how many seconds between two looks at the config file; 0 or less: never",
        reason="applied when what the file says has changed, so that a configuration given by RPC is not "
        "undone by a file that says what it said before",
    ),
    Flag(
        "rollout_config",
        _STRING,
        "",
        "file in YAML that says of models how their new versions are rolled out",
        reason="Understudy's own flag; looked at as often as the config file, and on SIGHUP",
    ),
    Flag(
        "reload_timeout_s",
        _INT32,
        600,
        "how long the answer to a reload waits for models that are new; 0 or less: for ever",
        reason="Understudy's own flag; the caller's deadline counts, too, when it is nearer",
    ),
    Flag(
        "state_dir",
        _STRING,
        "",
        "directory for revisions of the configuration, so that a restart resumes the last one; "
        "empty: in memory",
        reason="Understudy's own flag; without it a restart takes the file or the flags, as TensorFlow "
        "Serving does",
    ),
    Flag("model_name", _STRING, "default", "name of the single model"),
    Flag("model_base_path", _STRING, "", "absolute path of the single model: one directory a version"),
    Flag(
        "allow_version_labels_for_unavailable_models",
        _BOOL,
        False,
        "lets a new label name a version that is not available",
        reason="without it too a label may name a version that the same configuration brings in: it moves "
        "when that is available",
    ),
    Flag(
        "request_log_dir",
        _STRING,
        "",
        "directory below which requests of models with a logging_config are logged; empty: a logging_config "
        "is refused",
        reason="Understudy's own flag; TensorFlow Serving refuses every logging_config",
    ),
    Flag(
        "request_log_file_bytes_max",
        _INT64,
        64 * MIB,
        "a request log's file that would become longer is ended, and another one begun",
        reason="Understudy's own flag",
    ),
    Flag(
        "request_log_file_age_max_s",
        _INT32,
        3600,
        "a request log's file that is older is ended",
        reason="Understudy's own flag",
    ),
    Flag(
        "request_log_bytes_max",
        _INT64,
        GIB,
        "of all request logs together; the oldest files are deleted to keep to it",
        reason="Understudy's own flag",
    ),
    Flag(
        "file_system_poll_wait_seconds",
        _INT32,
        1,
        "how often to look for versions; 0: once; negative: never",
    ),
    Flag(
        "flush_filesystem_caches",
        _BOOL,
        True,
        "drops a file system's caches after loading",
        _NO_EFFECT,
        "no cache is kept",
    ),
)

_LOADING = (
    Flag(
        "num_load_threads",
        _INT32,
        0,
        "loads at once",
        reason="0 chooses from the machine's cores; it never loads on the thread that manages versions",
    ),
    Flag(
        "num_unload_threads",
        _INT32,
        0,
        "unloads at once",
        reason="0 chooses from the machine's cores; it never unloads on the thread that manages versions",
    ),
    Flag("max_num_load_retries", _INT32, 5, "attempts after the first one; 0 or less: a single attempt"),
    Flag(
        "load_retry_interval_micros",
        _INT64,
        60_000_000,
        "between two attempts; negative: no wait",
        reason="the wait holds up no other model, and ends early when the version is no longer wanted",
    ),
    Flag(
        "enable_model_warmup",
        _BOOL,
        True,
        "replays the requests recorded in a version's assets.extra/tf_serving_warmup_requests before it is "
        "available",
    ),
    Flag(
        "num_request_iterations_for_warmup",
        _INT32,
        0,
        "times each recorded request is replayed; 0 or less: once",
    ),
    Flag(
        "load_timeout_s",
        _INT32,
        600,
        "how long a load may take before it counts as failed; it still serves if it comes back",
        reason="Understudy's own flag",
    ),
    Flag(
        "drain_timeout_s",
        _INT32,
        30,
        "how long an unload waits for a version's last requests, and a stop for all",
        reason="Understudy's own flag; TensorFlow Serving waits without end, and does not wait when it stops",
    ),
    Flag(
        "transition_policy",
        _STRING,
        "availability_preserving",
        "`availability_preserving` loads the new version first, `resource_preserving` unloads the old one "
        "first",
        reason="Understudy's own flag; a model's own transition_policy comes first",
    ),
    Flag(
        "memory_limit_bytes",
        _INT64,
        0,
        "what all versions together may need, by their estimates; 0: no limit",
        reason="Understudy's own flag",
    ),
    Flag(
        "memory_limit_fraction",
        _FLOAT,
        0.0,
        "the same, as a share of the memory of the machine or container; 0: no limit",
        reason="Understudy's own flag",
    ),
    Flag("saved_model_tags", _STRING, "serve", "tags of the graph to load, with commas between"),
    Flag(
        "remove_unused_fields_from_bundle_metagraph",
        _BOOL,
        True,
        "keeps only signatures in memory",
        _NO_EFFECT,
        "only signatures are kept in any case",
    ),
    Flag(
        "platform_config_file",
        _STRING,
        "",
        "replaces the set-up of platforms",
        _REFUSED,
        "it replaces what flags say; give its saved_model_tags, warm-up, batching and session settings with "
        "--saved_model_tags, --enable_model_warmup, --batching_parameters_file and "
        "--tensorflow_session_config_file instead",
    ),
)

_RUNNING = (
    Flag(
        "tensorflow_session_parallelism",
        _INT64,
        0,
        "threads of TensorFlow, inside an operation and between operations",
    ),
    Flag("tensorflow_intra_op_parallelism", _INT64, 0, "threads inside one operation"),
    Flag("tensorflow_inter_op_parallelism", _INT64, 0, "operations at once"),
    Flag(
        "tensorflow_session_config_file",
        _STRING,
        "",
        "text file with a ConfigProto; threads and the GPU's share are taken from the flags in any case",
    ),
    Flag(
        "per_process_gpu_memory_fraction",
        _FLOAT,
        0.0,
        "share of a GPU's memory to take; 0: TensorFlow's choice",
    ),
    Flag(
        "enable_batching",
        _BOOL,
        False,
        "runs requests in batches",
        reason="requests of unlike shapes run in batches of their own instead of failing each other, and one "
        "whose deadline passes leaves the queue at once",
    ),
    Flag(
        "batching_parameters_file",
        _STRING,
        "",
        "text file with BatchingParameters; requires the former",
        reason="`adaptive: true` in it is Understudy's own: a batch is whatever waited while the one before "
        "it ran",
    ),
    Flag(
        "enable_per_model_batching_parameters",
        _BOOL,
        False,
        "reads batching_params.pbtxt in each version's directory; a version without it is not batched, and "
        "of the former file only the number of threads counts",
    ),
    Flag(
        "enable_signature_method_name_check",
        _BOOL,
        False,
        "refuses a signature whose method name does not fit the call",
        reason="MultiInference checks each task, too",
    ),
    Flag(
        "enable_session_run",
        _BOOL,
        False,
        "answers SessionService/SessionRun, which can run any operation of a model's graph",
        reason="Understudy's own flag; TensorFlow Serving does not have the service",
    ),
    Flag(
        "enable_serialization_as_tensor_content",
        _BOOL,
        False,
        "answers Predict over gRPC with packed tensor_content",
        reason="strings stay in string_val, where TensorFlow's make_ndarray reads them; REST goes on working",
    ),
    Flag(
        "thread_pool_factory_config_file",
        _STRING,
        "",
        "chooses a registered thread pool factory",
        _REFUSED,
        "there are no other thread pools to choose",
    ),
    Flag(
        "mixed_precision",
        _STRING,
        "",
        "`bfloat16` lets TensorFlow rewrite graphs to compute partly in bfloat16, on a CPU that can; other "
        "values are ignored",
    ),
    Flag(
        "xla_cpu_compilation_enabled",
        _BOOL,
        False,
        "lets models that were exported with jit_compile=True be compiled for the CPU",
        _NO_EFFECT,
        "they are in any case",
    ),
    Flag(
        "xla_gpu_compilation_enabled",
        _BOOL,
        False,
        "lets models that were exported with jit_compile=True be compiled for the CPU or a GPU",
        _NO_EFFECT,
        "they are in any case",
    ),
    Flag(
        "prefer_tflite_model",
        _BOOL,
        False,
        "serves a version's model.tflite instead of its SavedModel, where there is one",
        reason="by LiteRT: `pip install understudy[litert]`; a file's own signatures are served, all of them",
    ),
    Flag(
        "num_tflite_pools",
        _INT32,
        0,
        "interpreters of one model.tflite: so many of its runs go on at once; 0: as many as CPUs",
    ),
    Flag(
        "num_tflite_interpreters_per_pool",
        _INT32,
        1,
        "interpreters that share one run's batch",
        _NO_EFFECT,
        "a request is run whole, by one interpreter; how many run at once, --num_tflite_pools says",
    ),
    Flag(
        "enable_profiler",
        _BOOL,
        True,
        "TensorFlow's profiler service on the gRPC port",
        _NO_EFFECT,
        "there is no profiler service: its methods answer UNIMPLEMENTED; others answer the same",
    ),
    Flag(
        "skip_initialize_tpu",
        _BOOL,
        False,
        "leaves TPUs alone",
        _NO_EFFECT,
        "TPUs are left alone in any case",
    ),
)

FLAGS: tuple[Flag, ...] = (
    *_LISTENING,
    *_MODELS,
    *_LOADING,
    *_RUNNING,
    Flag("version", _BOOL, False, "prints versions and exits"),
)
"""In the order in which usage lists them."""
