"""How a user asks for a digit, through gRPC and through REST: both say which version answered, and why.

Only public means: grpcio with the wire's messages, and an HTTP client. Nothing here knows the server's code
but its message definitions (understudy.wire), which stand in for tensorflow-serving-api: that package brings
the same classes and, with them, all of TensorFlow.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, cast

import grpc
import httpx
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from understudy.wire import message_class

MODEL = "digits"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
KEY = "x-routing-key"
"""Metadata or header: who asks. One key meets one version as long as a rollout's split stays as it is."""
EXPLAIN = "x-understudy-explain"
"""Metadata that asks why it is this version that answers; REST says it unasked."""
TIMEOUT_S = 5.0
PIXELS = 64
VERSION, ARM = "x-understudy-version", "x-understudy-arm"
REQUEST_ID = "x-request-id"

Image = Sequence[float]


class FailedRequestError(Exception):
    """The server did not answer, or answered with an error; the text says which.

    Attributes:
        version: whose error it is; none: no version's.
    """

    def __init__(self, text: str, version: int | None = None) -> None:
        super().__init__(text)
        self.version = version


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for an image.

    Attributes:
        version: that answered; none where the answer does not say.
        arm: `baseline` or `candidate` while a rollout lasts; else empty.
        reason: why that one: `sticky`, by the key; or `fallback`, its own arm could not answer; else empty.
        request_id: by which the truth is told later; empty where no rollout lasts.
        digit: seen in the image.
        scores: how sure, for each digit.
    """

    version: int | None
    arm: str
    reason: str
    request_id: str
    digit: int
    scores: list[float]


class Door(Protocol):
    """A way to ask."""

    def classify(self, image: Image, user: str) -> Reply:
        """Asks once; raises FailedRequestError."""
        ...

    def close(self) -> None:
        """Closes its connections."""
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
        self._channel = grpc.insecure_channel(address)
        self._predict: grpc.UnaryUnaryMultiCallable[Message, Message] = self._channel.unary_unary(
            PREDICT, self._request.SerializeToString, response.FromString
        )

    def close(self) -> None:
        """Closes its channel."""
        self._channel.close()

    def classify(self, image: Image, user: str) -> Reply:
        """Asks once."""
        try:
            response, call = self._predict.with_call(
                self._build(image), timeout=TIMEOUT_S, metadata=((KEY, user), (EXPLAIN, "1"))
            )
        except grpc.RpcError as error:
            told = _words(error.trailing_metadata())
            raise FailedRequestError(f"{error.code().name}: {error.details()}", _version(told)) from error
        told = _words(call.initial_metadata())
        fields = cast("_PredictResponse", MessageToDict(response, preserving_proto_field_name=True))
        return Reply(
            version=int(fields["model_spec"]["version"]),
            arm=_arm(told)[0],
            reason=_arm(told)[1],
            request_id=told.get(REQUEST_ID, ""),
            digit=int(fields["outputs"]["classes"]["int64_val"][0]),
            scores=fields["outputs"]["scores"]["float_val"],
        )

    def _build(self, image: Image) -> Message:
        tensor = {
            "dtype": "DT_FLOAT",
            "tensor_shape": {"dim": [{"size": 1}, {"size": PIXELS}]},
            "float_val": image,
        }
        return ParseDict({"model_spec": {"name": MODEL}, "inputs": {"images": tensor}}, self._request())


class _Row(TypedDict):
    classes: int
    scores: list[float]


class RestDoor:
    """POST /v1/models/digits:predict."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=f"http://{address}", timeout=TIMEOUT_S, trust_env=False)

    def close(self) -> None:
        """Closes its connection."""
        self._client.close()

    def classify(self, image: Image, user: str) -> Reply:
        """Asks once."""
        try:
            response = self._client.post(
                f"/v1/models/{MODEL}:predict", json={"instances": [image]}, headers={KEY: user}
            )
        except httpx.TransportError as error:
            raise FailedRequestError(f"{type(error).__name__}: {error}") from error
        told = response.headers
        if response.status_code != httpx.codes.OK:
            raise FailedRequestError(f"HTTP {response.status_code}: {response.text}", _version(told))
        row: _Row = response.json()["predictions"][0]
        return Reply(
            version=_version(told),
            arm=_arm(told)[0],
            reason=_arm(told)[1],
            request_id=told.get(REQUEST_ID, ""),
            digit=row["classes"],
            scores=row["scores"],
        )


def _words(metadata: object) -> dict[str, str]:
    pairs = cast("Iterable[tuple[str, str | bytes]]", metadata or ())
    return {name: value for name, value in pairs if isinstance(value, str)}


def _arm(told: Mapping[str, str]) -> tuple[str, str]:
    """Arm and reason, of `candidate; reason=sticky`; both empty where no rollout lasts."""
    arm, _, reason = told.get(ARM, "").partition("; reason=")
    return arm, reason


def _version(told: Mapping[str, str]) -> int | None:
    version = told.get(VERSION)
    return None if version is None else int(version)


def open_door(name: str, address: str) -> Door:
    """The door of this name: `grpc` or `rest`."""
    return GrpcDoor(address) if name == "grpc" else RestDoor(address)
