"""The client's tensors beside TensorFlow's own: what either writes, the other reads, to the bit."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.live.tensorflow_tensors import Elements, TensorFlowTensors
from understudy.client import Tensor
from understudy.client.dtypes import BY_NAME, Array
from understudy.client.messages import TensorMessage
from understudy.client.tensors import TensorLike, read_tensor, write_tensor
from understudy.wire import message_class

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

EXAMPLES = 30
"""Of each type: every one goes to another process and back."""
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
NUMERIC = {
    "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_INT32": "int32", "DT_UINT8": "uint8", "DT_INT16": "int16",
    "DT_INT8": "int8", "DT_COMPLEX64": "complex64", "DT_INT64": "int64", "DT_BOOL": "bool", "DT_UINT16": "uint16",
    "DT_COMPLEX128": "complex128", "DT_HALF": "float16", "DT_UINT32": "uint32", "DT_UINT64": "uint64",
}  # fmt: skip
"""Types that NumPy has, too."""
QUANTIZED = {
    "DT_QINT8": "int8",
    "DT_QUINT8": "uint8",
    "DT_QINT16": "int16",
    "DT_QUINT16": "uint16",
    "DT_QINT32": "int32",
}


@pytest.fixture(scope="module")
def tensorflow() -> Iterator[TensorFlowTensors]:
    with TensorFlowTensors() as process:
        yield process


def empty() -> TensorMessage:
    return cast(TensorMessage, message_class("tensorflow.TensorProto")())


def serialized(message: TensorMessage) -> bytes:
    return cast(Message, message).SerializeToString()


def written(value: TensorLike) -> bytes:
    message = empty()
    write_tensor(message, value)
    return serialized(message)


def read(payload: bytes) -> Array:
    return read_tensor(cast(TensorMessage, message_class("tensorflow.TensorProto").FromString(payload)))


def test_every_type_is_compared() -> None:
    assert {*NUMERIC, *QUANTIZED, "DT_BFLOAT16", "DT_STRING"} == set(BY_NAME)


@pytest.mark.parametrize("kind", NUMERIC)
@settings(deadline=None, max_examples=EXAMPLES)
@given(data=st.data())
def test_numbers_go_both_ways(kind: str, data: st.DataObject, tensorflow: TensorFlowTensors) -> None:
    array = data.draw(arrays.arrays(NUMERIC[kind], SHAPES))
    theirs = tensorflow.read(written(array))
    assert (theirs.shape, theirs.data) == (list(array.shape), array.tobytes())
    back = read(tensorflow.make(theirs))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    if array.size > 1 or array.dtype.kind in "iub":  # TensorFlow takes one float alone through a Python float
        assert back.tobytes() == array.tobytes()
    else:
        np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("kind", QUANTIZED)
@settings(deadline=None, max_examples=EXAMPLES)
@given(data=st.data())
def test_quantized_numbers_are_read_by_tensorflow(
    kind: str, data: st.DataObject, tensorflow: TensorFlowTensors
) -> None:
    array = data.draw(arrays.arrays(QUANTIZED[kind], SHAPES))
    theirs = tensorflow.read(written(Tensor(array, kind)))
    assert (theirs.dtype, theirs.shape, theirs.data) == (kind[3:].lower(), list(array.shape), array.tobytes())


@settings(deadline=None, max_examples=EXAMPLES)
@given(data=st.data())
def test_bfloat16_goes_both_ways(data: st.DataObject, tensorflow: TensorFlowTensors) -> None:
    array = data.draw(arrays.arrays("float32", SHAPES, elements=st.integers(-128, 128)))
    theirs = tensorflow.read(written(Tensor(array, "DT_BFLOAT16")))
    assert (theirs.dtype, theirs.shape) == ("bfloat16", list(array.shape))
    np.testing.assert_array_equal(read(tensorflow.make(theirs)).astype(np.float32), array)


@settings(deadline=None, max_examples=EXAMPLES)
@given(array=arrays.arrays(object, SHAPES, elements=st.binary(max_size=9), fill=st.nothing()))
def test_strings_go_both_ways(array: Array, tensorflow: TensorFlowTensors) -> None:
    theirs = tensorflow.read(written(array))
    assert (theirs.shape, theirs.data) == (list(array.shape), array.ravel().tolist())
    if array.size:  # of none, TensorFlow makes floats
        assert read(tensorflow.make(theirs)).tolist() == array.tolist()


@pytest.mark.parametrize(
    "value", [1, 1.5, True, "a", [1, 2], [[1.5], [2]], [2**31], ["a", "\N{SNOWMAN}"], [True]]
)
def test_python_s_own_values_take_the_types_that_tensorflow_gives_them(
    value: object, tensorflow: TensorFlowTensors
) -> None:
    if value == [2**31]:  # where TensorFlow refuses, int64
        assert read(written(cast(TensorLike, value))).dtype == np.int64
        return
    ours, theirs = read(written(cast(TensorLike, value))), read(tensorflow.make_of_python(value))
    assert ours.dtype == theirs.dtype
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("kind", [*NUMERIC, "DT_BFLOAT16", "DT_STRING"])
@settings(deadline=None, max_examples=EXAMPLES)
@given(shape=arrays.array_shapes(max_dims=2, max_side=3), data=st.data())
def test_values_one_by_one_are_read_as_tensorflow_reads_them_also_too_few(
    kind: str, shape: tuple[int, ...], data: st.DataObject, tensorflow: TensorFlowTensors
) -> None:
    message, element = empty(), BY_NAME[kind]
    message.dtype = element.number
    for size in shape:
        message.tensor_shape.dim.add().size = size
    count = data.draw(st.integers(1, int(np.prod(shape)))) * (2 if "COMPLEX" in kind else 1)
    value = st.binary(max_size=3) if element.is_string else st.integers(0, 100)
    values = data.draw(st.lists(value, min_size=count, max_size=count))
    getattr(message, element.field).extend(bool(each) if kind == "DT_BOOL" else each for each in values)
    ours, theirs = read(serialized(message)), tensorflow.read(serialized(message))
    assert list(ours.shape) == theirs.shape
    assert (ours.ravel().tolist() if element.is_string else ours.tobytes()) == theirs.data


def test_the_process_answers_in_elements(tensorflow: TensorFlowTensors) -> None:
    assert tensorflow.read(tensorflow.make(Elements("int8", [2], b"\1\2"))) == Elements("int8", [2], b"\1\2")
