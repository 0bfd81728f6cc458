"""TensorFlow as the judge of tensors on the wire: `python tests/tensorflow/round_trips.py GRPC REST ENCODING`.

Run it in a process of its own, as models.py beside it: it is a client of the live server at these addresses, whose
model `every_shape` answers what it is sent, with tensors ENCODING (`typed` or `content`). It sends tensors of every
element type and shape in each form that a message may have, and as JSON, and prints one JSON object: by the name of a
property, what is wrong with it, or an empty string. What a message means is what TensorFlow's own C++ (`parse_tensor`)
and Python (`make_ndarray`) read from it, before it is sent and after it came back. Tests do not live here.
"""

import base64
import json
import math
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import grpc
import numpy as np
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

import tensorflow as tf

MODEL = "every_shape"
EXAMPLES = 250
RANK_MAX = 3
SIZE_MAX = 3
STRING_BYTES_MAX = 12
TIMEOUT_S = 30

settings.register_profile(
    "judge",
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("judge")

Array: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"


@dataclass(frozen=True, slots=True)
class Field:
    """How one element type travels in its typed field.

    Attributes:
        name: of the field.
        view: the NumPy type whose values it holds, seen through the same bytes; empty: the elements as they are.
        lanes: values of an element.
    """

    name: str
    view: str = ""
    lanes: int = 1


FIELDS: Mapping[str, Field] = {
    "float32": Field("float_val"),
    "float64": Field("double_val"),
    "int32": Field("int_val"),
    "uint8": Field("int_val"),
    "int16": Field("int_val"),
    "int8": Field("int_val"),
    "string": Field("string_val"),
    "complex64": Field("scomplex_val", "f4", 2),
    "int64": Field("int64_val"),
    "bool": Field("bool_val"),
    "qint8": Field("int_val", "i1"),
    "quint8": Field("int_val", "u1"),
    "qint32": Field("int_val", "i4"),
    "bfloat16": Field("half_val", "u2"),
    "qint16": Field("int_val", "i2"),
    "quint16": Field("int_val", "u2"),
    "uint16": Field("int_val"),
    "complex128": Field("dcomplex_val", "f8", 2),
    "float16": Field("half_val", "u2"),
    "uint32": Field("uint32_val"),
    "uint64": Field("uint64_val"),
}
QUANTIZED = {name for name in FIELDS if name.startswith("q")}


@dataclass(frozen=True, slots=True)
class Sample:
    """One tensor: its type as TensorFlow names it, its shape, its elements as bytes or as strings."""

    dtype: str
    shape: tuple[int, ...]
    elements: bytes | tuple[bytes, ...]

    def values(self) -> list[object]:
        """The elements as the typed field holds them."""
        if isinstance(self.elements, tuple):
            return list(self.elements)
        view = FIELDS[self.dtype].view or self.dtype
        return list(np.frombuffer(self.elements, dtype=view).tolist())

    def array(self) -> Array:
        """The same as NumPy has it."""
        if isinstance(self.elements, tuple):
            return np.array(self.elements, dtype=object).reshape(self.shape)
        dtype = tf.as_dtype(self.dtype).as_numpy_dtype
        array: Array = np.frombuffer(self.elements, dtype=dtype).reshape(self.shape)
        return array


def is_same(sent: Sample, received: Array) -> bool:
    """Whether an array has this type, this shape and these elements, bit for bit; one NaN is as good as another."""
    if received.shape != sent.shape:
        return False
    if isinstance(sent.elements, tuple):
        return tuple(received.ravel().tolist()) == sent.elements
    if sent.dtype in QUANTIZED:  # NumPy has no type of its own for these
        return received.tobytes() == sent.elements
    expected = sent.array()
    if received.dtype != expected.dtype:
        return False
    if sent.dtype in {"float32", "float64", "complex64", "complex128", "float16", "bfloat16"}:
        lanes = {"complex64": "f4", "complex128": "f8"}.get(sent.dtype)
        left, right = (
            array.ravel().view(lanes) if lanes else array.ravel() for array in (expected, received)
        )
        both_nan = np.isnan(left) & np.isnan(right)
        bits = f"u{left.dtype.itemsize}"
        return bool(np.all(both_nan | (left.view(bits) == right.view(bits))))
    return received.tobytes() == sent.elements


@st.composite
def samples(draw: st.DrawFn, dtypes: Sequence[str] = tuple(FIELDS)) -> Sample:
    """A tensor of any of these types; any bytes are elements of any type, except that a bool is 0 or 1."""
    dtype = draw(st.sampled_from(dtypes))
    shape = tuple(draw(st.lists(st.integers(0, SIZE_MAX), max_size=RANK_MAX)))
    count = math.prod(shape)
    if dtype == "string":
        one = st.binary(max_size=STRING_BYTES_MAX)
        return Sample(dtype, shape, tuple(draw(st.lists(one, min_size=count, max_size=count))))
    size = count * np.dtype(tf.as_dtype(dtype).as_numpy_dtype).itemsize
    elements = draw(st.binary(min_size=size, max_size=size))
    return Sample(dtype, shape, bytes(byte & 1 for byte in elements) if dtype == "bool" else elements)


def message(sample: Sample) -> TensorProto:
    """Type and shape, no elements."""
    shape = tf.TensorShape(sample.shape).as_proto()
    return TensorProto(dtype=tf.as_dtype(sample.dtype).as_datatype_enum, tensor_shape=shape)


def typed(sample: Sample, values: list[object] | None = None) -> TensorProto:
    """In the typed field."""
    proto = message(sample)
    getattr(proto, FIELDS[sample.dtype].name).extend(sample.values() if values is None else values)
    return proto


def content(sample: Sample) -> TensorProto:
    """Packed; strings as their lengths, then their bytes."""
    proto = message(sample)
    if isinstance(sample.elements, tuple):
        proto.tensor_content = bytes(map(len, sample.elements)) + b"".join(sample.elements)
    else:
        proto.tensor_content = sample.elements
    return proto


def check_reading(sample: Sample, proto: TensorProto) -> None:
    """Fails unless TensorFlow reads the sample from the message."""
    dtype = tf.as_dtype(sample.dtype)
    parsed = tf.io.parse_tensor(proto.SerializeToString(), dtype).numpy()
    array = np.array(parsed, dtype=object) if sample.dtype == "string" else np.asarray(parsed)
    assert is_same(sample, array), f"parse_tensor reads {array!r} from {proto}, not {sample}"
    if sample.dtype not in QUANTIZED and not (sample.dtype == "string" and proto.tensor_content):
        array = tf.make_ndarray(proto)
        assert is_same(sample, array), f"make_ndarray reads {array!r} from {proto}, not {sample}"


class Client:
    """Both doors of the server."""

    def __init__(self, grpc_address: str, rest_address: str, encoding: str) -> None:
        """Opens a channel and a session."""
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(grpc_address))
        self._session = requests.Session()
        self._url = f"http://{rest_address}/v1/models/{MODEL}:predict"
        self._encoding = encoding

    def by_grpc(self, sample: Sample, proto: TensorProto) -> None:
        """Sends a message that means the sample; fails unless the same comes back, encoded as it should be."""
        check_reading(sample, proto)
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = MODEL, sample.dtype
        request.inputs["x"].CopyFrom(proto)
        answer = self._stub.Predict(request, timeout=TIMEOUT_S).outputs["y"]
        check_reading(sample, answer)
        filled = {
            field.name for field, value in answer.ListFields() if field.name not in {"dtype", "tensor_shape"}
        }
        is_packed = self._encoding == "content" and sample.dtype != "string"
        assert filled <= {"tensor_content" if is_packed else FIELDS[sample.dtype].name}, answer

    def by_rest(self, sample: Sample, key: str) -> None:
        """Sends the sample as rows or as a column; fails unless the same comes back."""
        body = json.dumps({"signature_name": sample.dtype, key: as_json(sample)})
        answer = self._session.post(self._url, data=body, timeout=TIMEOUT_S)
        text = answer.content.decode("utf-8", "surrogateescape")
        assert answer.status_code == requests.codes.ok, f"{text} to {body}"
        (value,) = json.loads(text).values()
        received = from_json(sample, value)
        assert is_same(sample, received), f"{text} to {body}"


def as_json(sample: Sample) -> object:
    """As REST writes it."""

    def write(value: object) -> object:
        match value:
            case list():
                return [write(each) for each in value]
            case bytes():
                return string_as_json(value)
            case complex():
                return {"re": value.real, "im": value.imag}
            case bool() | int():
                return value
            case _:
                return float(value)  # type: ignore[arg-type] # a float of some width

    return write(sample.array().tolist())


def string_as_json(value: bytes) -> object:
    """Text where it is text, else base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def from_json(sample: Sample, value: object) -> Array:
    """What REST wrote, in the sample's type."""

    def read(value: object) -> object:
        match value:
            case list():
                return [read(each) for each in value]
            case {"re": float(real), "im": float(imaginary)}:
                return complex(real, imaginary)
            case str():
                return value.encode("utf-8", "surrogateescape")
            case _:
                return value

    dtype = object if sample.dtype == "string" else tf.as_dtype(sample.dtype).as_numpy_dtype
    return np.array(read(value), dtype=dtype)


def has_json_shape(sample: Sample) -> bool:
    """Whether lists can say the shape: nothing is known of dimensions below an empty one."""
    return 0 not in sample.shape[:-1]


def has_json_rows(sample: Sample) -> bool:
    """Whether it has rows to write."""
    return has_json_shape(sample) and sample.shape[:1] not in {(), (0,)}


IN_JSON = [name for name in FIELDS if name not in QUANTIZED]


class Properties:
    """What must hold of the server."""

    def __init__(self, client: Client) -> None:
        """Properties of the server that this client asks."""
        self._client = client

    @given(samples())
    def typed_fields(self, sample: Sample) -> None:
        """All values in the typed field."""
        self._client.by_grpc(sample, typed(sample))

    @given(samples())
    def tensor_content(self, sample: Sample) -> None:
        """Packed elements."""
        self._client.by_grpc(sample, content(sample))

    @given(samples(), st.data())
    def fewer_values_than_elements(self, sample: Sample, data: st.DataObject) -> None:
        """The last value stands for those that are left out."""
        count, lanes = math.prod(sample.shape), FIELDS[sample.dtype].lanes
        sent = data.draw(st.integers(1, count)) if count else 0
        if isinstance(sample.elements, tuple):
            left = sample.elements[:sent]
            whole: bytes | tuple[bytes, ...] = left + left[-1:] * (count - sent)
        else:
            size = len(sample.elements) // max(1, count)
            packed = sample.elements[: sent * size]
            whole = packed + packed[len(packed) - size :] * (count - sent)
        repeated = Sample(sample.dtype, sample.shape, whole)
        self._client.by_grpc(repeated, typed(sample, sample.values()[: sent * lanes]))

    @given(samples(IN_JSON))
    def made_by_make_tensor_proto(self, sample: Sample) -> None:
        """As clients in Python make it."""
        self._client.by_grpc(sample, tf.make_tensor_proto(sample.array(), dtype=sample.dtype))

    @given(samples(IN_JSON).filter(has_json_shape))
    def columns_of_json(self, sample: Sample) -> None:
        """The tensor whole."""
        self._client.by_rest(sample, "inputs")

    @given(samples(IN_JSON).filter(has_json_rows))
    def rows_of_json(self, sample: Sample) -> None:
        """Row by row."""
        self._client.by_rest(sample, "instances")

    def packed_strings_are_beyond_make_ndarray(self) -> None:
        """Which is why answers never pack them (decision 0030)."""
        proto = content(Sample("string", (2,), (b"a", b"bc")))
        try:
            tf.make_ndarray(proto)
        except (TypeError, ValueError):
            return
        raise AssertionError("make_ndarray reads packed strings now: answers may pack them, too")

    def verdicts(self) -> dict[str, str]:
        """By name, what is wrong with a property; empty when nothing is."""
        checks: tuple[Callable[[], None], ...] = (
            self.typed_fields,
            self.tensor_content,
            self.fewer_values_than_elements,
            self.made_by_make_tensor_proto,
            self.columns_of_json,
            self.rows_of_json,
            self.packed_strings_are_beyond_make_ndarray,
        )
        return {check.__name__: judge(check) for check in checks}


def judge(check: Callable[[], None]) -> str:
    """What is wrong; empty when nothing is."""
    try:
        check()
    except Exception:  # noqa: BLE001 - whatever it is, it is the verdict
        return traceback.format_exc()
    return ""


def main() -> None:
    """Check every property of the server that the command line names."""
    json.dump(Properties(Client(*sys.argv[1:4])).verdicts(), sys.stdout)


if __name__ == "__main__":
    main()
