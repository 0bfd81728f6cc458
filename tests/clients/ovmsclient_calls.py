"""Run in ovmsclient's own environment: every call of both its clients; prints the answers as JSON."""

import json
import sys
from collections.abc import Callable

import numpy as np
import ovmsclient

MODEL, VERSION = "half_plus_two", 123


def outcome(call: Callable[..., object], *arguments: object) -> object:
    """The answer as JSON can say it, or the error."""
    try:
        answer = call(*arguments)
    except ovmsclient.ModelServerError as error:
        return {"error": type(error).__name__, "text": str(error)}
    return plain(answer)


def plain(answer: object) -> object:
    """Arrays as their type and their values, bytes as text."""
    if isinstance(answer, dict):
        return {str(name): plain(value) for name, value in answer.items()}
    if isinstance(answer, np.ndarray):
        values = [each.decode() if isinstance(each, bytes) else each for each in answer.ravel().tolist()]
        return [answer.dtype.kind, values]
    return answer


def answers(client: "ovmsclient.GrpcClient | ovmsclient.HttpClient") -> dict[str, object]:
    """What each call answers."""
    x = {"x": np.array([1, 2, 5], np.float32)}
    return {
        "predict": outcome(client.predict, x, MODEL, VERSION),
        "predict a list": outcome(client.predict, {"x": [1.0, 2.0, 5.0]}, MODEL, VERSION),
        "predict bytes": outcome(client.predict, {"x": [b"one", b"two"]}, "strings", VERSION),
        "predict nobody": outcome(client.predict, x, "nobody", VERSION),
        "predict wrongly": outcome(client.predict, {"q": x["x"]}, MODEL, VERSION),
        "metadata": outcome(client.get_model_metadata, MODEL, VERSION),
        "metadata of nobody": outcome(client.get_model_metadata, "nobody", VERSION),
        "status": outcome(client.get_model_status, MODEL, VERSION),
        "status of nobody": outcome(client.get_model_status, "nobody", VERSION),
    }


def main() -> None:
    """Asks by gRPC and by HTTP."""
    grpc, rest = sys.argv[1:]
    by_grpc = ovmsclient.make_grpc_client(grpc)
    told = {"grpc": answers(by_grpc), "http": answers(ovmsclient.make_http_client(rest))}
    told["grpc"]["no version"] = outcome(by_grpc.predict, {"x": [2.0]}, MODEL)
    print(json.dumps(told))  # noqa: T201 - that is what it is run for


main()
