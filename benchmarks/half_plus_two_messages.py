"""The one question that every round asks, as both protocols put it: x/2 + 2 of three floats.

Messages are made from the server's own descriptors (understudy.wire): the same classes, on the same protobuf
runtime, as tensorflow-serving-api has, without the five seconds that importing TensorFlow takes.
"""

import json
from collections.abc import Iterable, MutableMapping, MutableSequence
from typing import Protocol, cast

from understudy.wire import message_class

MODEL_NAME = "half_plus_two"
SIGNATURE_NAME = "serving_default"
INPUT_NAME = "x"
OUTPUT_NAME = "y"
INPUTS = (1.0, 2.0, 5.0)
DT_FLOAT = 1

GRPC_PATH = "/tensorflow.serving.PredictionService/Predict"


def rest_path(model: str, version: int | None = None) -> str:
    """Where REST is asked; for the default version, or for this one."""
    return f"/v1/models/{model}{'' if version is None else f'/versions/{version}'}:predict"


REST_PATH = rest_path(MODEL_NAME)


class Dimension(Protocol):
    """`tensorflow.TensorShapeProto.Dim`."""

    size: int


class Dimensions(Protocol):
    """A repeated `Dim`."""

    def add(self, *, size: int) -> Dimension:
        """Appends one."""


class Shape(Protocol):
    """`tensorflow.TensorShapeProto`."""

    @property
    def dim(self) -> Dimensions: ...  # noqa: D102 - the wire's own name
    def CopyFrom(self, other: "Shape") -> None: ...  # noqa: D102, N802 - protobuf's own name


class Tensor(Protocol):
    """`tensorflow.TensorProto`."""

    dtype: int
    tensor_content: bytes

    @property
    def tensor_shape(self) -> Shape: ...  # noqa: D102 - the wire's own name
    @property
    def float_val(self) -> MutableSequence[float]: ...  # noqa: D102 - the wire's own name


class Version(Protocol):
    """`google.protobuf.Int64Value`."""

    value: int


class ModelSpec(Protocol):
    """`tensorflow.serving.ModelSpec`."""

    name: str
    signature_name: str

    @property
    def version(self) -> Version: ...  # noqa: D102 - the wire's own name


class PredictRequest(Protocol):
    """`tensorflow.serving.PredictRequest`."""

    @property
    def model_spec(self) -> ModelSpec: ...  # noqa: D102 - the wire's own name
    @property
    def inputs(self) -> MutableMapping[str, Tensor]: ...  # noqa: D102 - the wire's own name
    def SerializeToString(self) -> bytes: ...  # noqa: D102, N802 - protobuf's own name


class PredictResponse(Protocol):
    """`tensorflow.serving.PredictResponse`."""

    @property
    def model_spec(self) -> ModelSpec: ...  # noqa: D102 - the wire's own name
    @property
    def outputs(self) -> MutableMapping[str, Tensor]: ...  # noqa: D102 - the wire's own name
    def SerializeToString(self) -> bytes: ...  # noqa: D102, N802 - protobuf's own name


class RequestClass(Protocol):
    """The class of a PredictRequest."""

    def __call__(self) -> PredictRequest: ...  # noqa: D102 - makes an empty one
    def FromString(self, data: bytes, /) -> PredictRequest: ...  # noqa: D102, N802 - protobuf's own name


class ResponseClass(Protocol):
    """The class of a PredictResponse."""

    def __call__(self) -> PredictResponse: ...  # noqa: D102 - makes an empty one
    def FromString(self, data: bytes, /) -> PredictResponse: ...  # noqa: D102, N802 - protobuf's own name
    def SerializeToString(self, message: PredictResponse, /) -> bytes: ...  # noqa: D102, N802 - protobuf's


def request_class() -> RequestClass:
    """PredictRequest."""
    return cast("RequestClass", message_class("tensorflow.serving.PredictRequest"))  # made at run time


def response_class() -> ResponseClass:
    """PredictResponse."""
    return cast("ResponseClass", message_class("tensorflow.serving.PredictResponse"))  # made at run time


def grpc_body(inputs: Iterable[float] = INPUTS, model: str = MODEL_NAME, version: int | None = None) -> bytes:
    """The request as gRPC carries it; for the default version, or for this one."""
    values = list(inputs)
    request = request_class()()
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    tensor = request.inputs[INPUT_NAME]
    tensor.dtype = DT_FLOAT
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.float_val.extend(values)
    return request.SerializeToString()


def rest_body(inputs: Iterable[float] = INPUTS) -> bytes:
    """The request as REST carries it."""
    return json.dumps({"instances": list(inputs)}).encode()
