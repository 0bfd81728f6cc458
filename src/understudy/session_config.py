"""How TensorFlow's sessions are set up: a ConfigProto from a file, and what flags put over it."""

from dataclasses import dataclass
from typing import Final, Protocol, cast

from understudy.message_file import read_message_file
from understudy.wire import message_class

_TOGGLE_ON: Final = 1
"""`RewriterConfig.Toggle.ON`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOverrides:
    """What flags say of sessions, whatever a file says.

    Attributes:
        intra_op_threads: threads inside one operation; 0: TensorFlow's choice; none: as the file says.
        inter_op_threads: operations at once, likewise.
        gpu_memory_fraction: share of a GPU's memory to take; 0: TensorFlow's choice; none: as the file says.
        bfloat16: let TensorFlow rewrite graphs to compute partly in bfloat16; false: as the file says.
    """

    intra_op_threads: int | None = None
    inter_op_threads: int | None = None
    gpu_memory_fraction: float | None = None
    bfloat16: bool = False


class _GpuOptions(Protocol):
    per_process_gpu_memory_fraction: float


class _RewriteOptions(Protocol):
    auto_mixed_precision_onednn_bfloat16: int


class _GraphOptions(Protocol):
    @property
    def rewrite_options(self) -> _RewriteOptions: ...


class _ConfigProto(Protocol):
    intra_op_parallelism_threads: int
    inter_op_parallelism_threads: int

    @property
    def gpu_options(self) -> _GpuOptions: ...
    @property
    def graph_options(self) -> _GraphOptions: ...


def read_session_config(path: str) -> bytes:
    """The ConfigProto that a file holds as text, serialized.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    message = message_class("tensorflow.ConfigProto")()
    read_message_file(path, message)
    return message.SerializeToString(deterministic=True)


def build_session_config(base: bytes, overrides: SessionOverrides) -> bytes:
    """A serialized ConfigProto: `base`, as `read_session_config` gives it, with the flags put over it."""
    message = message_class("tensorflow.ConfigProto").FromString(base)
    # The class is made at run time from config.proto, whose fields the protocols above restate.
    config = cast(_ConfigProto, message)
    if overrides.intra_op_threads is not None:
        config.intra_op_parallelism_threads = overrides.intra_op_threads
    if overrides.inter_op_threads is not None:
        config.inter_op_parallelism_threads = overrides.inter_op_threads
    if overrides.gpu_memory_fraction is not None:
        config.gpu_options.per_process_gpu_memory_fraction = overrides.gpu_memory_fraction
    if overrides.bfloat16:
        config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = _TOGGLE_ON
    return message.SerializeToString(deterministic=True)
