"""Predict with NumPy arrays through the real client, and answers as NumPy arrays."""

import base64
from collections.abc import Iterable, Mapping

import numpy as np
import requests

from tests.litert.judge import Array
from tests.live.process import LiveServer
from tests.live.serving_client import Answer, ServingClient

_ENUMS = {
    "float32": ("DT_FLOAT", "float_val"),
    "int8": ("DT_INT8", "int_val"),
    "int32": ("DT_INT32", "int_val"),
    "int64": ("DT_INT64", "int64_val"),
    "object": ("DT_STRING", "string_val"),
}
"""By NumPy's name: TensorFlow's, and the field that carries it."""


def ask(
    client: ServingClient,
    server: LiveServer,
    model: str,
    inputs: Mapping[str, Array],
    *,
    signature: str = "",
    output_filter: Iterable[str] = (),
    timeout_s: float = 30,
) -> Answer:
    """One Predict."""
    spec = f'model_spec {{ name: "{model}" signature_name: "{signature}" }}'
    fed = " ".join(f'inputs {{ key: "{name}" value {_tensor(array)} }}' for name, array in inputs.items())
    filters = " ".join(f'output_filter: "{name}"' for name in output_filter)
    return client.call(server.grpc, "Predict", f"{spec} {fed} {filters}", timeout_s=timeout_s)


def outputs(answer: Answer) -> dict[str, Array]:
    """What a Predict that must have succeeded answered."""
    assert answer.code == "OK", answer.message
    found = answer.response["outputs"]
    assert isinstance(found, dict)
    return {name: _array(tensor) for name, tensor in found.items()}


def ask_rest(server: LiveServer, model: str, body: object) -> requests.Response:
    """One predict over REST."""
    return requests.post(f"http://{server.rest}/v1/models/{model}:predict", json=body, timeout=60)


def _tensor(array: Array) -> str:
    enum, field = _ENUMS[array.dtype.name]
    shape = " ".join(f"dim {{ size: {size} }}" for size in array.shape)
    if enum == "DT_STRING":
        elements = " ".join(f'{field}: "{_escaped(each)}"' for each in array.ravel().tolist())
    else:
        elements = f'tensor_content: "{_escaped(array.tobytes())}"'
    return f"{{ dtype: {enum} tensor_shape {{ {shape} }} {elements} }}"


def _escaped(text: bytes) -> str:
    return "".join(f"\\{byte:03o}" for byte in text)


def _array(tensor: Mapping[str, object]) -> Array:
    name, field = next((name, row[1]) for name, row in _ENUMS.items() if row[0] == tensor["dtype"])
    shape = tensor["tensor_shape"]
    values = tensor[field]
    assert isinstance(shape, dict)
    assert isinstance(values, list)
    sizes = [int(each["size"]) for each in shape.get("dim", [])]
    if name == "object":
        values = [base64.b64decode(each) for each in values]
    if name == "int64":
        values = [int(each) for each in values]  # JSON has them as texts
    return np.array(values, dtype=name).reshape(sizes)
