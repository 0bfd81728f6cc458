"""How requests are run together, as text: BatchingParameters in a file of the server's or of a version's."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

from understudy.dataplane.loaders import ChooseBatching, do_not_batch
from understudy.dataplane.options import BatchingOptions
from understudy.errors import Code, ConfigError, DataPlaneError
from understudy.message_file import read_message_file
from understudy.wire import message_class

VERSION_FILE: Final = "batching_params.pbtxt"
"""In a version's directory; TensorFlow Serving's name for it."""

ADAPTIVE_ROWS_MAX: Final = 128
"""Of one batch in the adaptive mode, unless the parameters say: larger ones are hardly cheaper by the row."""

ADAPTIVE: Final = BatchingOptions(adaptive=True, max_batch_size=ADAPTIVE_ROWS_MAX)
"""Needs no tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingParameters:
    """What a file says.

    Attributes:
        options: how the requests of a version are batched.
        threads: batches of all versions at once; 0: the file does not say.
    """

    options: BatchingOptions
    threads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingSettings:
    """How a server batches.

    Attributes:
        options: for every version; none: each by the file beside it, and not at all where there is none.
    """

    options: BatchingOptions | None


class _Number(Protocol):
    value: int


class _Message(Protocol):
    allowed_batch_sizes: Iterable[int]
    pad_variable_length_inputs: bool
    adaptive: bool

    @property
    def max_batch_size(self) -> _Number: ...
    @property
    def batch_timeout_micros(self) -> _Number: ...
    @property
    def max_enqueued_batches(self) -> _Number: ...
    @property
    def num_batch_threads(self) -> _Number: ...
    @property
    def enable_large_batch_splitting(self) -> _Number: ...
    @property
    def max_execution_batch_size(self) -> _Number: ...
    def HasField(self, field: str) -> bool: ...


def read_batching_parameters(path: str) -> BatchingParameters:
    """What a file says, with TensorFlow Serving's numbers for what it leaves out.

    Whether the numbers go together is said by the data plane when a version is loaded, as in TensorFlow
    Serving.

    Raises:
        ConfigError: NOT_FOUND or PERMISSION_DENIED when the file cannot be read; INVALID_ARGUMENT when it is
            no BatchingParameters in protobuf's text format, or asks for no thread.
    """
    parsed = message_class("tensorflow.serving.BatchingParameters")()
    read_message_file(path, parsed)
    # The class is made at run time; the protocol restates the fields that are read.
    message = cast(_Message, parsed)
    threads = message.num_batch_threads.value
    if message.HasField("num_batch_threads") and threads < 1:
        text = f"num_batch_threads must be positive; was {threads}"
        raise ConfigError(Code.INVALID_ARGUMENT, text, path=path)
    return BatchingParameters(options=_read_options(message), threads=threads)


def _read_options(message: _Message) -> BatchingOptions:
    sizes = tuple(message.allowed_batch_sizes)
    default = BatchingOptions()
    rows_max = default.max_batch_size
    if message.adaptive:
        rows_max = sizes[-1] if sizes else ADAPTIVE_ROWS_MAX
    if message.HasField("max_batch_size"):
        rows_max = message.max_batch_size.value
    batches_max = default.max_enqueued_batches
    if message.HasField("max_enqueued_batches"):
        batches_max = message.max_enqueued_batches.value
    execution_max = None
    if message.enable_large_batch_splitting.value:
        is_said = message.HasField("max_execution_batch_size")
        execution_max = message.max_execution_batch_size.value if is_said else rows_max
    return BatchingOptions(
        adaptive=message.adaptive,
        max_batch_size=rows_max,
        batch_timeout_micros=message.batch_timeout_micros.value,
        max_enqueued_batches=batches_max,
        allowed_batch_sizes=sizes,
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        max_execution_batch_size=execution_max,
    )


def choose_batching(settings: BatchingSettings | None) -> ChooseBatching:
    """What the loader asks of each version."""
    if settings is None:
        return do_not_batch
    options = settings.options
    return read_version_batching if options is None else lambda _path: options


def read_version_batching(version_dir: str) -> BatchingOptions | None:
    """How the file beside a version wants it batched; none when there is no such file.

    Raises:
        DataPlaneError: the file cannot be taken, and why.
    """
    file = Path(version_dir) / VERSION_FILE
    if not file.exists():
        return None
    try:
        return read_batching_parameters(str(file)).options
    except ConfigError as error:
        raise DataPlaneError(error.code, str(error)) from error
