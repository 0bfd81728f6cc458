"""What a server is started with: the one result of either command line, and all that server.py reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from understudy.batching_parameters import BatchingSettings
from understudy.dataplane.options import DataPlaneOptions, WarmupOptions
from understudy.model_config import ServerConfig, Transition
from understudy.rollout.plan import Strategy
from understudy.session_config import SessionOverrides
from understudy.tls_files import TlsFiles

POLL_INTERVAL_S = 1.0
LOAD_RETRIES_MAX = 5
LOAD_RETRY_INTERVAL_S = 60.0
LOAD_TIMEOUT_S = 600.0
DRAIN_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
"""Less than the 30 s after which Kubernetes kills what has not stopped."""
STARTUP_TIMEOUT_S = 600.0
"""More than all attempts of a load that fails: they take five minutes."""
RELOAD_TIMEOUT_S = 600.0
"""As long as a start: who reloads waits for the same models."""
SAVED_MODEL_TAGS = ("serve",)


class OnStartupFailure(Enum):
    """What becomes of a start when a model fails to load for good."""

    EXIT = "exit"
    """The process ends with an error; what TensorFlow Serving does."""
    SERVE = "serve"
    """The others are served; the failed one is reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFlowSettings:
    """How TensorFlow runs.

    Attributes:
        library_dir: the folder of libtensorflow_cc.so.2; none: that of the installed wheel.
        session_config: a serialized ConfigProto, from a file; empty: none was given.
        session: what flags put over it.
        saved_model_tags: of the MetaGraphDef to load.
    """

    library_dir: str | None = None
    session_config: bytes = b""
    session: SessionOverrides = field(default_factory=SessionOverrides)
    saved_model_tags: tuple[str, ...] = SAVED_MODEL_TAGS


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteRtSettings:
    """How LiteRT runs.

    Attributes:
        is_preferred: a model.tflite in a version's directory is served instead of the SavedModel there.
        library_dir: the folder of libLiteRt.so; none: that of the installed wheel.
        interpreters: for each model; so many of its runs go on at once. 0: one for each core.
    """

    is_preferred: bool = False
    library_dir: str | None = None
    interpreters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Everything that a start needs to know.

    Attributes:
        models: what to serve; parsed, not yet validated as a whole.
        config_file: where `models` was read from and may be read again; none when flags named the models.
        config_poll_interval_s: between two looks at `config_file` and `rollout_config`; 0: they are read
            again on SIGHUP only.
        strategies: for models' new versions.
        rollout_config: the file that `strategies` was read from; none: there is none.
        state_dir: where revisions of the configuration are kept; none: in memory.
        state_dir_is_required: a start fails when it cannot be used; otherwise the server does without.
        data_plane: addresses and limits of gRPC and REST.
        grpc_tls: where gRPC's certificates were read from and are read again; none: it has no TLS.
        rest_tls: the same for REST.
        admin_address: `host:port` of the operators' API; port 0 picks a free one; none: do not listen.
        admin_is_required: a start fails when that address is taken; otherwise the server does without.
        tensorflow: how TensorFlow runs.
        litert: how LiteRT runs, and when.
        warmup: how the requests that a version brings with it are run before it is ready; none: not at all.
        batching: how requests are run together; none: each by itself.
        poll_interval_s: between the starts of two looks at base paths; 0: one look each time the
            configuration changes; negative: never.
        load_threads: loads at once; 0 chooses from the machine's cores.
        unload_threads: unloads at once; 0 chooses likewise.
        load_retries_max: attempts after the first one; 0: a single attempt.
        load_retry_interval_s: between two attempts.
        load_timeout_s: how long a load may take before it counts as failed and another takes its thread.
        transition: in which order versions replace each other, for models that do not say.
        memory_limit_bytes: of the estimates of all loaded versions together; none: no limit.
        may_label_unavailable: a new label may name a version that is not available.
        drain_timeout_s: how long an unload waits for the version's last requests.
        stop_timeout_s: how long a stop waits for requests in flight.
        on_startup_failure: what becomes of a start when a model fails for good.
        startup_timeout_s: how long the doors wait for models to settle.
        reload_timeout_s: how long the answer to a reload waits for models that are new.
    """

    models: ServerConfig
    config_file: str | None = None
    config_poll_interval_s: float = 0.0
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    rollout_config: str | None = None
    state_dir: str | None = None
    state_dir_is_required: bool = True
    data_plane: DataPlaneOptions
    grpc_tls: TlsFiles | None = None
    rest_tls: TlsFiles | None = None
    admin_address: str | None = None
    admin_is_required: bool = True
    tensorflow: TensorFlowSettings = field(default_factory=TensorFlowSettings)
    litert: LiteRtSettings = field(default_factory=LiteRtSettings)
    warmup: WarmupOptions | None = field(default_factory=WarmupOptions)
    batching: BatchingSettings | None = None
    poll_interval_s: float = POLL_INTERVAL_S
    load_threads: int = 0
    unload_threads: int = 0
    load_retries_max: int = LOAD_RETRIES_MAX
    load_retry_interval_s: float = LOAD_RETRY_INTERVAL_S
    load_timeout_s: float = LOAD_TIMEOUT_S
    transition: Transition = Transition.AVAILABILITY_PRESERVING
    memory_limit_bytes: int | None = None
    may_label_unavailable: bool = False
    drain_timeout_s: float = DRAIN_TIMEOUT_S
    stop_timeout_s: float = STOP_TIMEOUT_S
    on_startup_failure: OnStartupFailure = OnStartupFailure.SERVE
    startup_timeout_s: float = STARTUP_TIMEOUT_S
    reload_timeout_s: float = RELOAD_TIMEOUT_S
