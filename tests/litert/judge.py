"""What the wheel's own interpreter answers: `ai_edge_litert` in a process of its own.

Run as a script it is that process (the server's tests never import the package). Imported, it offers `answers`.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


def answers(
    file: Path, inputs: Mapping[str, Array], *, signature: str | None = "serving_default"
) -> dict[str, Array]:
    """What a file answers, by the name of the output; without a signature names are those of tensors."""
    order = {
        "file": str(file),
        "signature": signature,
        "inputs": {name: [_kind(each), list(each.shape), _listed(each)] for name, each in inputs.items()},
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__],
        input=json.dumps(order),
        capture_output=True,
        check=True,
        text=True,
    )
    answered = json.loads(done.stdout.splitlines()[-1])
    return {name: _array(*each) for name, each in answered.items()}


def _kind(array: Array) -> str:
    return "string" if array.dtype.kind in "SO" else array.dtype.name


def _listed(array: Array) -> list[object]:
    flat = array.ravel().tolist()
    return [each.decode("latin-1") if isinstance(each, bytes) else each for each in flat]


def _array(kind: str, shape: Sequence[int], elements: Sequence[object]) -> Array:
    if kind == "string":
        texts = [str(each).encode("latin-1") for each in elements]
        return np.array(texts, dtype=object).reshape(shape)
    return np.array(elements, dtype=kind).reshape(shape)


def _judge() -> None:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - only in this process

    order = json.load(sys.stdin)
    interpreter = Interpreter(order["file"], num_threads=1)
    inputs = {name: _array(*each) for name, each in order["inputs"].items()}
    if order["signature"] is not None:
        answered = interpreter.get_signature_runner(order["signature"])(**inputs)
    else:
        for detail in interpreter.get_input_details():
            given = inputs[detail["name"].split(":")[0]]
            interpreter.resize_tensor_input(detail["index"], given.shape)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], inputs[detail["name"].split(":")[0]])
        interpreter.invoke()
        answered = {
            detail["name"].split(":")[0]: interpreter.get_tensor(detail["index"])
            for detail in interpreter.get_output_details()
        }
    told = {name: [_kind(each), list(each.shape), _listed(each)] for name, each in answered.items()}
    sys.stdout.write("\n" + json.dumps(told) + "\n")


if __name__ == "__main__":
    _judge()
