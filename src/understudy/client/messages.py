"""The messages of the calls, as far as the client reads and writes them. What they mean is said elsewhere.

Each protocol restates a message of `proto/`, whose classes come from the private pool (wire.py).
"""

from collections.abc import Iterable, Mapping, MutableSequence
from typing import Protocol, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from understudy.client.errors import AnswerError
from understudy.wire import message_class

Key_contra = TypeVar("Key_contra", contravariant=True)
Value_co = TypeVar("Value_co", covariant=True)


class Field(Protocol[Key_contra, Value_co]):
    """A map whose values are messages: asking for a key makes its value."""

    def __getitem__(self, key: Key_contra, /) -> Value_co: ...


class Added(Protocol[Value_co]):
    """A repeated field of messages."""

    def add(self) -> Value_co: ...


class Dim(Protocol):
    """One dimension."""

    size: int


class Dims(Iterable[Dim], Added[Dim], Protocol):
    """All dimensions."""


class Shape(Protocol):
    """`tensorflow.TensorShapeProto`."""

    unknown_rank: bool

    @property
    def dim(self) -> Dims: ...
    def SetInParent(self) -> None: ...


class TensorMessage(Protocol):
    """`tensorflow.TensorProto`; the fields of single values are found by name."""

    dtype: int
    tensor_content: bytes

    @property
    def tensor_shape(self) -> Shape: ...
    @property
    def string_val(self) -> MutableSequence[bytes]: ...


class _Int64(Protocol):
    value: int


class ModelSpec(Protocol):
    """`tensorflow.serving.ModelSpec`."""

    name: str
    version_label: str
    signature_name: str

    @property
    def version(self) -> _Int64: ...
    def SetInParent(self) -> None: ...


class PredictRequest(Protocol):
    """`tensorflow.serving.PredictRequest`."""

    @property
    def model_spec(self) -> ModelSpec: ...
    @property
    def inputs(self) -> Field[str, TensorMessage]: ...
    @property
    def output_filter(self) -> MutableSequence[str]: ...


class PredictResponse(Protocol):
    """`tensorflow.serving.PredictResponse`."""

    @property
    def model_spec(self) -> ModelSpec: ...
    @property
    def outputs(self) -> Mapping[str, TensorMessage]: ...


class _List(Protocol):
    @property
    def value(self) -> MutableSequence[object]: ...
    def SetInParent(self) -> None: ...


class Feature(Protocol):
    """`tensorflow.Feature`."""

    @property
    def bytes_list(self) -> _List: ...
    @property
    def float_list(self) -> _List: ...
    @property
    def int64_list(self) -> _List: ...
    def SetInParent(self) -> None: ...


class _Features(Protocol):
    @property
    def feature(self) -> Field[str, Feature]: ...
    def SetInParent(self) -> None: ...


class Example(Protocol):
    """`tensorflow.Example`."""

    @property
    def features(self) -> _Features: ...


class _Examples(Protocol):
    @property
    def examples(self) -> Added[Example]: ...
    def SetInParent(self) -> None: ...


class _ExamplesWithContext(_Examples, Protocol):
    @property
    def context(self) -> Example: ...


class Input(Protocol):
    """`tensorflow.serving.Input`."""

    @property
    def example_list(self) -> _Examples: ...
    @property
    def example_list_with_context(self) -> _ExamplesWithContext: ...


class ExamplesRequest(Protocol):
    """`tensorflow.serving.ClassificationRequest` and `RegressionRequest`: the same fields."""

    @property
    def model_spec(self) -> ModelSpec: ...
    @property
    def input(self) -> Input: ...


class _Class(Protocol):
    label: str
    score: float


class _Classifications(Protocol):
    @property
    def classes(self) -> Iterable[_Class]: ...


class ClassificationResult(Protocol):
    """`tensorflow.serving.ClassificationResult`."""

    @property
    def classifications(self) -> Iterable[_Classifications]: ...


class ClassificationResponse(Protocol):
    """`tensorflow.serving.ClassificationResponse`."""

    @property
    def model_spec(self) -> ModelSpec: ...
    @property
    def result(self) -> ClassificationResult: ...


class _Regression(Protocol):
    value: float


class RegressionResult(Protocol):
    """`tensorflow.serving.RegressionResult`."""

    @property
    def regressions(self) -> Iterable[_Regression]: ...


class RegressionResponse(Protocol):
    """`tensorflow.serving.RegressionResponse`."""

    @property
    def model_spec(self) -> ModelSpec: ...
    @property
    def result(self) -> RegressionResult: ...


class _Task(Protocol):
    method_name: str

    @property
    def model_spec(self) -> ModelSpec: ...


class MultiInferenceRequest(Protocol):
    """`tensorflow.serving.MultiInferenceRequest`."""

    @property
    def tasks(self) -> Added[_Task]: ...
    @property
    def input(self) -> Input: ...


class InferenceResult(Protocol):
    """`tensorflow.serving.InferenceResult`."""

    @property
    def model_spec(self) -> ModelSpec: ...
    @property
    def classification_result(self) -> ClassificationResult: ...
    @property
    def regression_result(self) -> RegressionResult: ...
    def WhichOneof(self, oneof: str) -> str | None: ...


class MultiInferenceResponse(Protocol):
    """`tensorflow.serving.MultiInferenceResponse`."""

    @property
    def results(self) -> Iterable[InferenceResult]: ...


class MetadataRequest(Protocol):
    """`tensorflow.serving.GetModelMetadataRequest`."""

    @property
    def model_spec(self) -> ModelSpec: ...
    @property
    def metadata_field(self) -> MutableSequence[str]: ...


class _Any(Protocol):
    value: bytes


class MetadataResponse(Protocol):
    """`tensorflow.serving.GetModelMetadataResponse`."""

    @property
    def model_spec(self) -> ModelSpec: ...
    @property
    def metadata(self) -> Mapping[str, _Any]: ...


class TensorInfo(Protocol):
    """`tensorflow.TensorInfo`."""

    dtype: int

    @property
    def tensor_shape(self) -> Shape: ...


class SignatureDef(Protocol):
    """`tensorflow.SignatureDef`."""

    method_name: str

    @property
    def inputs(self) -> Mapping[str, TensorInfo]: ...
    @property
    def outputs(self) -> Mapping[str, TensorInfo]: ...
    @property
    def defaults(self) -> Mapping[str, object]: ...


class SignatureDefMap(Protocol):
    """`tensorflow.serving.SignatureDefMap`."""

    @property
    def signature_def(self) -> Mapping[str, SignatureDef]: ...


class StatusRequest(Protocol):
    """`tensorflow.serving.GetModelStatusRequest`."""

    @property
    def model_spec(self) -> ModelSpec: ...


class _Status(Protocol):
    error_code: int
    error_message: str


class _VersionStatus(Protocol):
    version: int
    state: int

    @property
    def status(self) -> _Status: ...


class StatusResponse(Protocol):
    """`tensorflow.serving.GetModelStatusResponse`."""

    @property
    def model_version_status(self) -> Iterable[_VersionStatus]: ...


class ReloadRequest(Protocol):
    """`tensorflow.serving.ReloadConfigRequest`."""

    @property
    def config(self) -> Message: ...


class ReloadResponse(Protocol):
    """`tensorflow.serving.ReloadConfigResponse`."""

    @property
    def status(self) -> _Status: ...


def build_message(full_name: str) -> object:
    """An empty message: `tensorflow.serving.PredictRequest` for example. Cast it to its protocol."""
    return message_class(full_name)()


def parse_message(full_name: str, payload: bytes) -> object:
    """The message in these bytes.

    Raises:
        AnswerError: when they are no such message.
    """
    message = message_class(full_name)()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise AnswerError(f"The server's answer is not a {full_name}: {error}") from error
    return message


def serialize(message: object) -> bytes:
    """The message's bytes."""
    return cast(Message, message).SerializeToString()
