"""Questions to a live server, each asked once: predictions through either door, what a status call answers."""

from dataclasses import dataclass

import grpc
import requests

from tests.live.process import LiveServer
from understudy.wire import message_class

TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Told:
    """What clients are told of one version.

    Attributes:
        state: `AVAILABLE` for example.
        code: canonical code by name.
        message: of the failure; empty when there is none.
    """

    state: str
    code: str
    message: str


def predict(server: LiveServer, model: str, x: float = 0.0) -> requests.Response:
    """A REST request, whatever comes of it."""
    url = f"http://{server.rest}/v1/models/{model}:predict"
    return requests.post(url, json={"instances": [{"x": x}]}, timeout=TIMEOUT_S)


def answer_of(server: LiveServer, model: str, x: float = 0.0) -> float:
    """What a synthetic model answers; to 0 that is its version, unless it was told otherwise."""
    answer = predict(server, model, x)
    assert answer.status_code == requests.codes.ok, answer.text
    first = answer.json()["predictions"][0]
    return float(first["y"] if isinstance(first, dict) else first)


def predict_message(model: str, x: float, **choice: str) -> bytes:
    """A serialized PredictRequest for x = [x]; `choice` is what else its model spec says."""
    from google.protobuf import json_format  # noqa: PLC0415 (its import is slow; few tests need it)

    as_data = {
        "modelSpec": {"name": model, **choice},
        "inputs": {"x": {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": 1}]}, "floatVal": [x]}},
    }
    request = message_class("tensorflow.serving.PredictRequest")()
    json_format.ParseDict(as_data, request)
    return request.SerializeToString()


def predict_by_grpc(server: LiveServer, model: str, x: float = 0.0) -> tuple[str, str]:
    """Code and text of a Predict call."""
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict", bytes, bytes)
        try:
            call(predict_message(model, x), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""
    return "OK", ""


def told_by_rest(server: LiveServer, model: str) -> dict[int, Told]:
    """What REST tells of a model's versions."""
    answer = requests.get(f"http://{server.rest}/v1/models/{model}", timeout=TIMEOUT_S)
    answer.raise_for_status()
    return {
        int(each["version"]): Told(
            each["state"], each["status"]["error_code"], each["status"]["error_message"]
        )
        for each in answer.json()["model_version_status"]
    }


def told_by_grpc(server: LiveServer, model: str) -> dict[int, Told]:
    """What GetModelStatus tells of them."""
    from google.protobuf import json_format  # noqa: PLC0415 (as above)

    request = message_class("tensorflow.serving.GetModelStatusRequest")()
    json_format.ParseDict({"modelSpec": {"name": model}}, request)
    response = message_class("tensorflow.serving.GetModelStatusResponse")()
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus", bytes, bytes)
        response.MergeFromString(call(request.SerializeToString(), timeout=TIMEOUT_S))
    return {
        int(each["version"]): Told(
            each["state"], each["status"].get("error_code", "OK"), each["status"].get("error_message", "")
        )
        for each in json_format.MessageToDict(response, preserving_proto_field_name=True)[
            "model_version_status"
        ]
    }
