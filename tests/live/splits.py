"""Who gets which version: asked of a live server by routing key, and computed from the documented formula."""

import grpc
import requests
from xxhash import xxh3_64_intdigest

from tests.live.asking import TIMEOUT_S, predict_message
from tests.live.process import LiveServer
from understudy.routing.traffic import BUCKETS, KEY_HEADER
from understudy.wire import message_class


def bucket(model: str, candidate: int, key: str) -> int:
    """In which bucket of a rollout's traffic a key is."""
    return xxh3_64_intdigest(f"{model}/{candidate}\0{key}".encode()) % BUCKETS


def answers_by_rest(server: LiveServer, model: str, key: str) -> int:
    """The version that answers this key, as the header says and as the answer shows."""
    answer = requests.post(
        f"http://{server.rest}/v1/models/{model}:predict",
        json={"instances": [{"x": 0.0}]},
        headers={KEY_HEADER: key},
        timeout=TIMEOUT_S,
    )
    assert answer.status_code == requests.codes.ok, answer.text
    version = int(answer.headers["x-understudy-version"])
    first = answer.json()["predictions"][0]
    assert float(first["y"] if isinstance(first, dict) else first) == version
    return version


def answers_by_grpc(channel: grpc.Channel, model: str, key: str) -> int:
    """The same through the other door, whose answer says it itself."""
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict", bytes, bytes)
    answer = call(predict_message(model, 0.0), metadata=((KEY_HEADER, key),), timeout=TIMEOUT_S)
    return read_version(answer)


def wait_managed(server: LiveServer, model: str) -> None:
    """Waits until a model's first version is what its rollouts begin from; the log may have said so already."""
    if not server.logged("stable_set", model=model):
        server.wait_log("stable_set", model=model)


def answers_label(server: LiveServer, model: str, label: str) -> int | None:
    """The version that a label leads to, as both doors say; none: it leads nowhere."""
    url = f"http://{server.rest}/v1/models/{model}/labels/{label}:predict"
    answer = requests.post(url, json={"instances": [{"x": 0.0}]}, timeout=TIMEOUT_S)
    by_rest = int(answer.headers["x-understudy-version"]) if answer.status_code == requests.codes.ok else None
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict", bytes, bytes)
        try:
            said = call(predict_message(model, 0.0, versionLabel=label), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            by_grpc = None
        else:
            by_grpc = read_version(said)
    assert by_rest == by_grpc, (answer.text, by_rest, by_grpc)
    return by_rest


def read_version(answer: bytes) -> int:
    """The version that a serialized PredictResponse says."""
    response = message_class("tensorflow.serving.PredictResponse")()
    response.MergeFromString(answer)
    return int(response.model_spec.version.value)  # type: ignore[attr-defined] # of a class made at run time
