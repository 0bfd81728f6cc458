"""TensorFlow's own coding of tensors, in a process of its own, driven by JSON lines.

Run as a script it is that process (importing TensorFlow takes seconds, and never happens in pytest's own
process). Imported, it offers `TensorFlowTensors`, which starts it.
"""

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Elements:
    """An array as TensorFlow sees it.

    Attributes:
        dtype: TensorFlow's name, `float32` for example.
        shape: sizes of the dimensions.
        data: the elements' bytes in C order; of strings, each in a list.
    """

    dtype: str
    shape: list[int]
    data: bytes | list[bytes]


class TensorFlowTensors:
    """`tf.make_tensor_proto` and `tf.make_ndarray`; a context manager."""

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
        self._process.communicate(timeout=60)

    def read(self, serialized: bytes) -> Elements:
        """What `tf.make_ndarray` makes of a TensorProto."""
        reply = self._ask({"read": _text(serialized)})
        data = reply["data"]
        assert isinstance(reply["shape"], list)
        if isinstance(data, list):
            return Elements(str(reply["dtype"]), reply["shape"], [base64.b64decode(each) for each in data])
        return Elements(str(reply["dtype"]), reply["shape"], base64.b64decode(str(data)))

    def make(self, elements: Elements) -> bytes:
        """The TensorProto that `tf.make_tensor_proto` makes of an array."""
        data = elements.data
        coded = [_text(each) for each in data] if isinstance(data, list) else _text(data)
        reply = self._ask({"dtype": elements.dtype, "shape": elements.shape, "data": coded})
        return base64.b64decode(str(reply["made"]))

    def make_of_python(self, value: object) -> bytes:
        """The same of Python's own values, as JSON can say them."""
        return base64.b64decode(str(self._ask({"value": value})["made"]))

    def _ask(self, order: dict[str, object]) -> dict[str, object]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        reply: dict[str, object] = json.loads(self._process.stdout.readline())
        assert "error" not in reply, reply["error"]
        return reply


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _serve_orders() -> None:
    import numpy as np  # noqa: PLC0415
    from tensorflow.core.framework.tensor_pb2 import TensorProto  # noqa: PLC0415

    import tensorflow as tf  # noqa: PLC0415

    def answer(order: dict[str, object]) -> dict[str, object]:
        if "read" in order:
            proto = TensorProto.FromString(base64.b64decode(str(order["read"])))
            array = tf.make_ndarray(proto)
            is_string = proto.dtype == tf.string.as_datatype_enum
            data = [_text(each) for each in array.ravel()] if is_string else _text(array.tobytes())
            return {"dtype": tf.as_dtype(proto.dtype).name, "shape": list(array.shape), "data": data}
        if "value" in order:
            return {"made": _text(tf.make_tensor_proto(order["value"]).SerializeToString())}
        given, shape = order["data"], order["shape"]
        if isinstance(given, list):
            array = np.empty(len(given), object)
            array[:] = [base64.b64decode(each) for each in given]
        else:
            array = np.frombuffer(base64.b64decode(str(given)), tf.as_dtype(order["dtype"]).as_numpy_dtype)
        return {"made": _text(tf.make_tensor_proto(array.reshape(shape)).SerializeToString())}

    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - the test shows it
            reply = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve_orders()
