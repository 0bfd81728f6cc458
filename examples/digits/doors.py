"""How a client asks for digits: through gRPC, which names the version that answered, and through REST.

Only public means: grpcio with the wire's messages, and an HTTP client. Nothing here knows the server's code
but its message definitions (understudy.wire), which stand in for tensorflow-serving-api: that package brings
the same classes and, with them, all of TensorFlow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, cast

import grpc
import httpx
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from understudy.wire import message_class

MODEL = "digits"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
TIMEOUT_S = 5.0
PIXELS = 64
DIGITS = 10

Image = Sequence[float]


class FailedRequestError(Exception):
    """The server did not answer, or answered with an error; the text says which."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for a batch of images.

    Attributes:
        version: that answered; none where the answer does not say.
        classes: the digit seen in each image.
        scores: how sure, for each image and digit.
    """

    version: int | None
    classes: list[int]
    scores: list[list[float]]


class Door(Protocol):
    """A way to ask."""

    def classify(self, images: Sequence[Image]) -> Reply:
        """Asks once; raises FailedRequestError."""
        ...


class _Tensor(TypedDict, total=False):
    float_val: list[float]
    int64_val: list[str]


class _ModelSpec(TypedDict):
    version: str


class _PredictResponse(TypedDict):
    model_spec: _ModelSpec
    outputs: dict[str, _Tensor]


class GrpcDoor:
    """PredictionService.Predict."""

    def __init__(self, address: str) -> None:
        self._request = message_class("tensorflow.serving.PredictRequest")
        response = message_class("tensorflow.serving.PredictResponse")
        self._predict: grpc.UnaryUnaryMultiCallable[Message, Message] = grpc.insecure_channel(
            address
        ).unary_unary(PREDICT, self._request.SerializeToString, response.FromString)

    def classify(self, images: Sequence[Image]) -> Reply:
        """Asks once."""
        try:
            response = self._predict(self._build(images), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            raise FailedRequestError(f"{error.code().name}: {error.details()}") from error
        fields = cast("_PredictResponse", MessageToDict(response, preserving_proto_field_name=True))
        flat = fields["outputs"]["scores"]["float_val"]
        return Reply(
            version=int(fields["model_spec"]["version"]),
            classes=[int(text) for text in fields["outputs"]["classes"]["int64_val"]],
            scores=[flat[start : start + DIGITS] for start in range(0, len(flat), DIGITS)],
        )

    def _build(self, images: Sequence[Image]) -> Message:
        tensor = {
            "dtype": "DT_FLOAT",
            "tensor_shape": {"dim": [{"size": len(images)}, {"size": PIXELS}]},
            "float_val": [pixel for image in images for pixel in image],
        }
        return ParseDict({"model_spec": {"name": MODEL}, "inputs": {"images": tensor}}, self._request())


class _Row(TypedDict):
    classes: int
    scores: list[float]


class RestDoor:
    """POST /v1/models/digits:predict."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=f"http://{address}", timeout=TIMEOUT_S, trust_env=False)

    def classify(self, images: Sequence[Image]) -> Reply:
        """Asks once."""
        try:
            response = self._client.post(f"/v1/models/{MODEL}:predict", json={"instances": list(images)})
        except httpx.TransportError as error:
            raise FailedRequestError(f"{type(error).__name__}: {error}") from error
        if response.status_code != httpx.codes.OK:
            raise FailedRequestError(f"HTTP {response.status_code}: {response.text}")
        rows: list[_Row] = response.json()["predictions"]
        return Reply(
            version=None, classes=[row["classes"] for row in rows], scores=[row["scores"] for row in rows]
        )


def open_door(name: str, address: str) -> Door:
    """The door of this name: `grpc` or `rest`."""
    return GrpcDoor(address) if name == "grpc" else RestDoor(address)
