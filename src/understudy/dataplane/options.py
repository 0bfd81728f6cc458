"""What crosses into Rust besides routes: frozen dataclasses, each matched by a Rust struct of its name."""

from dataclasses import dataclass, field

from understudy.routing.traffic import Tolerance

MIB = 1 << 20
GIB = 1 << 30
KIB = 1 << 10

STREAMS_MAX = 65_536
"""The most calls at once on a connection that can be allowed: each holds its headers until it is answered."""
HEADER_BYTES_MAX = 1024 * KIB
"""The most bytes of headers: they are held before they are charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """What a door needs to speak TLS, each in PEM.

    Attributes:
        certificates: the server's, and those between it and the root, in that order.
        key: its private key, not encrypted.
        client_ca: who may sign clients' certificates; none: clients are not asked for one.
    """

    certificates: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcOptions:
    """What gRPC's connections are allowed.

    Attributes:
        message_bytes_max: of one request's message, where it is less than what the data plane allows.
        streams_max: calls at once on one connection; clients queue further ones themselves.
        header_bytes_max: of one call's headers.
        age_max_ms: how long a connection may last, give or take a tenth; none: for ever.
        age_grace_ms: how long its calls may then still take; none: as long as they like.
        idle_max_ms: how long a connection may last without a call; none: for ever.
        ping_interval_ms: between two pings that ask whether a client is still there; none: never.
        ping_timeout_ms: for the answer to one.
    """

    message_bytes_max: int | None = None
    streams_max: int = 1_024
    header_bytes_max: int = 16 * KIB
    age_max_ms: int | None = None
    age_grace_ms: int | None = None
    idle_max_ms: int | None = None
    ping_interval_ms: int | None = 60_000
    ping_timeout_ms: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLogOptions:
    """Where requests are logged, of models that ask for it, and how much.

    Attributes:
        directory: every file is below it; it is made when it is not there.
        file_bytes_max: a file that would become longer is ended, and another one begun.
        file_age_max_s: a file that is older is ended.
        bytes_max: of all files together; the oldest are deleted to keep to it.
        saved_model_tags: of the MetaGraphDefs that are loaded: what records say of them.
    """

    directory: str
    file_bytes_max: int = 64 * MIB
    file_age_max_s: float = 3600.0
    bytes_max: int = 1 * GIB
    saved_model_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneOptions:
    """How the data plane listens and what it allows.

    Attributes:
        grpc_address: `host:port` for gRPC; port 0 picks a free one; none: do not listen.
        grpc_socket: path of a UNIX socket for gRPC, beside the address or instead of it.
        grpc_socket_mode: permissions of its file; who may write may connect; none: the umask says.
        rest_address: as `grpc_address`, for REST.
        grpc_tls: how gRPC is encrypted, on the UNIX socket too; none: not at all.
        rest_tls: the same for REST.
        grpc: what gRPC's connections are allowed.
        io_threads: threads that move bytes, and run models that are measured to be fast, all but one of them
            at once; 0: one more than the machine has cores.
        rest_timeout_ms: a REST request's time to run; 0 or less: none.
        message_bytes_max: of one request's body.
        buffered_bytes_max: of all request bodies held at once; past it, requests are refused at once.
        in_flight_max: requests being answered at once, both doors together.
        queue_max: requests of one version that wait for a run thread; fewer when the server is nearly full,
            since a version may only have as many as could still come in besides.
        runs_max: runs of one version at once on run threads; 0: twice the machine's cores, at least 4.
        batch_threads: batches of all versions that run at once; 0: as many as the machine has cores.
        connections_max: open connections, both doors together.
        cors: REST answers carry the headers that let browsers of other origins read them.
        rest_compression: long REST answers are compressed for clients that say so.
        tensor_content: gRPC answers carry tensors packed in `tensor_content`, and not in typed fields.
        metrics_path: where REST has the metrics page, beginning with a slash; none: nowhere.
        request_log: where requests may be logged; none: nowhere.
        check_method_names: a signature is only run by a method that its method name fits.
        session_run: SessionRun is answered, and with it any operation of a model's graph can be run.
        shadow_lateness_max_s: when the machine lets the thread that runs models' shadows run more than this
            too late, it has no time to spare, and requests that were drawn for a shadow are dropped.
    """

    grpc_address: str | None
    rest_address: str | None
    grpc_socket: str | None = None
    grpc_socket_mode: int | None = None
    grpc_tls: TlsOptions | None = None
    rest_tls: TlsOptions | None = None
    grpc: GrpcOptions = field(default_factory=GrpcOptions)
    io_threads: int = 0
    rest_timeout_ms: int = 30_000
    message_bytes_max: int = 2**31 - 1
    buffered_bytes_max: int = 4 * GIB
    in_flight_max: int = 16_384
    queue_max: int = 1_024
    runs_max: int = 0
    batch_threads: int = 0
    connections_max: int = 16_384
    cors: bool = False
    rest_compression: bool = True
    tensor_content: bool = False
    metrics_path: str | None = None
    request_log: RequestLogOptions | None = None
    check_method_names: bool = False
    session_run: bool = False
    shadow_lateness_max_s: float = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFlowOptions:
    """How TensorFlow is opened: once for a process.

    Attributes:
        library_dir: the folder that holds libtensorflow_cc.so.2 (the wheel's `tensorflow` folder).
        session_config: a serialized ConfigProto; empty: all as TensorFlow chooses.
    """

    library_dir: str
    session_config: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteRtOptions:
    """How LiteRT is opened: once for a process.

    Attributes:
        library_dir: the folder that holds libLiteRt.so (the wheel's `ai_edge_litert` folder).
        interpreters: for each model; so many of its runs go on at once. 0: one for each core.
    """

    library_dir: str
    interpreters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupOptions:
    """How the requests that a version brings with it are run before it is ready.

    Attributes:
        iterations: how often each is run; at least 1.
    """

    iterations: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingOptions:
    """How a version's requests are run together; numbers and defaults are TensorFlow Serving's.

    Attributes:
        adaptive: a batch is whatever waited while the one before it ran; the timeout and the bound of the
            queue are then not asked for.
        max_batch_size: rows of one request, and of one batch unless requests are split.
        batch_timeout_micros: how long a batch waits for others to join it.
        max_enqueued_batches: batches of one queue that may wait.
        allowed_batch_sizes: sizes that a batch may have when it runs; it is filled up to the next of them.
            The last must be `max_batch_size`. Empty: any size.
        pad_variable_length_inputs: tensors of unlike shapes are filled up to the largest, with zeros or
            empty strings, and run together; otherwise they run apart.
        max_execution_batch_size: rows of one batch, when larger requests are split; none: they are not.
    """

    adaptive: bool = False
    max_batch_size: int = 1_000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    max_execution_batch_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """One version to bring to life.

    Attributes:
        name: the model.
        version: its number.
        incarnation: tells it from others that are loaded under the same number; see `ServableId`.
        path: the version's directory.
        platform: `tensorflow`, `litert`, or `synthetic` (a model made of Rust, for tests).
        tags: of the MetaGraphDef to load.
        warmup: how to run the requests that the version brings with it; none: leave them alone.
        batching: how to run requests together; none: each by itself.
    """

    name: str
    version: int
    path: str
    platform: str
    tags: tuple[str, ...] = ("serve",)
    incarnation: int = 0
    warmup: WarmupOptions | None = None
    batching: BatchingOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateRequest:
    """How to ask a loaded version its golden examples.

    Attributes:
        path: the version's directory.
        tolerance: how far apart answers may be.
        timeout_s: how long all of them together may take; looked at between two.
    """

    path: str
    tolerance: Tolerance
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureOptions:
    """Which requests of a model to keep with their answers.

    Attributes:
        records: how many, 1 to 1,000.
        version: answers of this version alone; none: of any.
        is_spread: every request has the same chance until the capture is finished; otherwise the first ones
            are kept.
    """

    records: int
    version: int | None = None
    is_spread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTruth:
    """What became of a prediction when its truth was known.

    Attributes:
        request_id: of its request.
        is_wrong: none: right and wrong are not told apart.
        measure: what its score is called.
        score: what it was worth; none: nothing was measured.
    """

    request_id: str
    is_wrong: bool | None = None
    measure: str = ""
    score: float | None = None
