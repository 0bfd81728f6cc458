"""The real client: `tensorflow-serving-api` in a process of its own, driven by JSON lines.

Run as a script it is that process (importing the package imports TensorFlow: seven seconds, and never in
pytest's own process). Imported, it offers `ServingClient`, which starts it. Requests are written in protobuf
text format and parsed by the package's own message classes.
"""

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        code: canonical code name, `OK` for example.
        message: of the status.
        response: the response message as JSON data with proto field names; empty on an error.
        serialized: the response message's bytes.
    """

    code: str
    message: str
    response: dict[str, object]
    serialized: bytes


class ServingClient:
    """Calls a live server with the real stubs; a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def call(self, address: str, rpc: str, request: str | bytes = "", *, timeout_s: float = 30) -> Answer:
        """Calls `Predict`, `GetModelStatus`, ...

        Args:
            address: of the gRPC door.
            rpc: the method's name.
            request: in text format, or serialized.
            timeout_s: the call's deadline.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order: dict[str, object] = {"address": address, "rpc": rpc, "timeout_s": timeout_s}
        if isinstance(request, bytes):
            order["serialized"] = base64.b64encode(request).decode()
        else:
            order["text"] = request
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline())
        return Answer(
            reply["code"], reply["message"], reply["response"], base64.b64decode(reply["serialized"])
        )


def _build_session_stub(channel: "grpc.Channel") -> SimpleNamespace:
    """The stub that the package lacks: it has the service's messages only."""
    from tensorflow_serving.apis import session_service_pb2 as messages  # noqa: PLC0415

    call = channel.unary_unary(
        "/tensorflow.serving.SessionService/SessionRun",
        request_serializer=messages.SessionRunRequest.SerializeToString,
        response_deserializer=messages.SessionRunResponse.FromString,
    )
    return SimpleNamespace(SessionRun=call)


def _serve_orders() -> None:
    import grpc  # noqa: PLC0415
    from google.protobuf import json_format, text_format  # noqa: PLC0415
    from tensorflow_serving.apis import (  # noqa: PLC0415
        classification_pb2 as classification,
    )
    from tensorflow_serving.apis import (  # noqa: PLC0415  # noqa: PLC0415
        get_model_metadata_pb2,
        get_model_status_pb2,
        inference_pb2,
        model_management_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
        regression_pb2,
        session_service_pb2,
    )

    prediction, model = (
        prediction_service_pb2_grpc.PredictionServiceStub,
        model_service_pb2_grpc.ModelServiceStub,
    )

    rpcs = {
        "Predict": (prediction, predict_pb2.PredictRequest),
        "Classify": (prediction, classification.ClassificationRequest),
        "Regress": (prediction, regression_pb2.RegressionRequest),
        "MultiInference": (prediction, inference_pb2.MultiInferenceRequest),
        "GetModelMetadata": (prediction, get_model_metadata_pb2.GetModelMetadataRequest),
        "GetModelStatus": (model, get_model_status_pb2.GetModelStatusRequest),
        "HandleReloadConfigRequest": (model, model_management_pb2.ReloadConfigRequest),
        "SessionRun": (_build_session_stub, session_service_pb2.SessionRunRequest),
    }
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    channels: dict[str, grpc.Channel] = {}
    for line in sys.stdin:
        order = json.loads(line)
        stub, request_class = rpcs[order["rpc"]]
        address = order["address"]
        channel = channels.setdefault(address, grpc.insecure_channel(address, options=unlimited))
        if "text" in order:
            request = text_format.Parse(order["text"], request_class())
        else:
            request = request_class.FromString(base64.b64decode(order["serialized"]))
        reply: dict[str, object] = {"code": "OK", "message": "", "response": {}, "serialized": ""}
        try:
            response = getattr(stub(channel), order["rpc"])(request, timeout=order["timeout_s"])
        except grpc.RpcError as error:
            reply |= {"code": error.code().name, "message": error.details()}
        else:
            as_data = json_format.MessageToDict(response, preserving_proto_field_name=True)
            reply["response"] = as_data
            reply["serialized"] = base64.b64encode(response.SerializeToString()).decode()
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve_orders()
