"""The client's tensors: every element type there and back, both encodings, and what is refused."""

import math
from typing import Any, cast

import ml_dtypes
import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from understudy.client import AnswerError, Tensor, TensorError, TensorLike
from understudy.client.dtypes import BY_NAME, Array, ElementType, bfloat16_bits, from_bfloat16_bits
from understudy.client.messages import TensorMessage
from understudy.client.tensors import DIMENSIONS_MAX, read_tensor, write_tensor
from understudy.wire import message_class

NUMPY_DTYPES = (
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "bool", "complex64", "complex128",
)  # fmt: skip
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def message(text: bytes = b"") -> TensorMessage:
    return cast(TensorMessage, message_class("tensorflow.TensorProto").FromString(text))


def written(value: object) -> TensorMessage:
    """The message as it arrives on the other side."""
    sent = message()
    write_tensor(sent, cast(TensorLike, value))
    return message(cast(Message, sent).SerializeToString())


def typed(kind: str, shape: tuple[int, ...], values: list[Any]) -> TensorMessage:
    """A tensor with its values one by one."""
    tensor = message()
    tensor.dtype = BY_NAME[kind].number
    for size in shape:
        tensor.tensor_shape.dim.add().size = size
    getattr(tensor, BY_NAME[kind].field).extend(values)
    return tensor


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.slow
@settings(deadline=None)
@given(data=st.data())
def test_an_array_comes_back_as_it_was(dtype: str, data: st.DataObject) -> None:
    array = data.draw(arrays.arrays(dtype, SHAPES))
    back = read_tensor(written(array))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@pytest.mark.slow
@settings(deadline=None)
@given(bits=arrays.arrays("uint16", SHAPES))
def test_bfloat16_comes_back_as_it_was(bits: NDArray[np.uint16]) -> None:
    array = bits.view(ml_dtypes.bfloat16)
    back = read_tensor(written(array))
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


@pytest.mark.slow
@settings(deadline=None)
@given(values=arrays.arrays("float32", SHAPES))
def test_bfloat16_without_its_package_is_the_same_numbers(values: Array) -> None:
    with np.errstate(all="ignore"):  # a float32 may be beyond bfloat16
        expected = values.astype(ml_dtypes.bfloat16)
    bits = bfloat16_bits(values)
    assert bits.shape == values.shape
    np.testing.assert_array_equal(
        bits.view(ml_dtypes.bfloat16).astype(np.float32), expected.astype(np.float32)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "ml_dtypes", None)
        back = from_bfloat16_bits(bits)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, expected.astype(np.float32))


@pytest.mark.slow
@settings(deadline=None)
@given(array=arrays.arrays(object, SHAPES, elements=st.binary(max_size=9), fill=st.nothing()))
def test_bytes_come_back_as_they_were(array: Array) -> None:
    back = read_tensor(written(array))
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


@pytest.mark.slow
@settings(deadline=None)
@given(text=st.lists(st.text(max_size=9)))
def test_text_travels_as_utf_8(text: list[str]) -> None:
    assert read_tensor(written(np.array(text, object))).tolist() == [each.encode() for each in text]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a\0", b"a\0"),
        ([b"a\0", b""], [b"a\0", b""]),
        (["\N{GREEK SMALL LETTER PI}"], [b"\xcf\x80"]),
        (np.array(["ab", "c"]), [b"ab", b"c"]),
        (np.array([b"ab", b"c"]), [b"ab", b"c"]),
        ([["a"], [b"b"]], [[b"a"], [b"b"]]),
        (["a", b"\xff\0"], [b"a", b"\xff\0"]),
    ],
)
def test_strings_of_every_kind_are_taken(value: object, expected: object) -> None:
    assert read_tensor(written(value)).tolist() == expected


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, "float32"), ([1.5, 2], "float32"), ([], "float32"), (3, "int32"), ([[1], [2]], "int32"),
        (2**31, "int64"), (2**63, "uint64"), (True, "bool"), ([False], "bool"), (1j, "complex128"),
        (np.float64(1.5), "float64"), (np.array([1.5]), "float64"), (np.int64(3), "int64"),
    ],
)  # fmt: skip
def test_python_s_numbers_take_tensorflow_s_types_and_numpy_s_keep_theirs(value: object, dtype: str) -> None:
    assert read_tensor(written(value)).dtype == dtype


@pytest.mark.parametrize(
    "array", [np.arange(12.0).reshape(3, 4).T, np.arange(12)[::-2], np.arange(3, dtype=">i4")]
)
def test_an_array_may_lie_in_memory_as_it_likes(array: Array) -> None:
    np.testing.assert_array_equal(read_tensor(written(array)), array)


@pytest.mark.parametrize("kind", ["DT_QINT8", "DT_QUINT8", "DT_QINT16", "DT_QUINT16", "DT_QINT32", "DT_HALF"])
def test_a_type_that_values_do_not_say_is_said_beside_them(kind: str) -> None:
    tensor = written(Tensor([[1, 2], [3, 4]], kind))
    assert tensor.dtype == BY_NAME[kind].number
    assert read_tensor(tensor).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (object(), "one is of type object"),
        ([1, "a"], "one is of type int"),
        ([[1, 2], [3]], "The value is no array"),
        (np.array(["2026-01-01"], "datetime64[D]"), "datetime64[D]"),
        (Tensor([1], "DT_FLOATING"), "'DT_FLOATING' is no element type"),
        (Tensor(["a"], "DT_FLOAT"), "The values are no DT_FLOAT"),
        (Tensor([1], "DT_STRING"), "one is of type int"),
        (Tensor(["a"], "DT_BFLOAT16"), "The values are no DT_BFLOAT16"),
    ],
)
def test_what_no_tensor_holds_is_refused_with_the_reason(value: object, part: str) -> None:
    with pytest.raises(TensorError) as refused:
        written(value)
    assert part in str(refused.value)


def carried(kind: ElementType, number: int) -> int | float | bool:
    """A small number as the type's field carries it."""
    if kind.carrier == "?":
        return bool(number)
    return float(number) if kind.carrier in {"<f4", "<f8"} else number


@pytest.mark.parametrize(
    "kind", [kind for kind in BY_NAME.values() if not kind.is_string], ids=lambda kind: kind.name
)
def test_values_one_by_one_are_read_for_every_type(kind: ElementType) -> None:
    values = [carried(kind, number) for number in range(4)]
    is_complex = kind.content in {"<c8", "<c16"}
    array = read_tensor(typed(kind.name, (2,) if is_complex else (4,), values))
    if is_complex:
        assert array.tolist() == [1j, 2 + 3j]
    elif kind.field == "half_val":
        assert array.view(np.uint16).tolist() == [0, 1, 2, 3]
    else:
        assert array.tolist() == values


@pytest.mark.parametrize(
    ("shape", "values", "expected"),
    [
        ((4,), [1.0, 2.0], [1, 2, 2, 2]),
        ((2, 2), [3.0], [[3, 3], [3, 3]]),
        ((2,), [], [0, 0]),
        ((2,), [1.0, 2.0, 3.0], [1, 2]),
        ((), [7.0], 7),
        ((0, 3), [], []),
    ],
)
def test_of_too_few_values_the_last_is_repeated_and_too_many_are_cut(
    shape: tuple[int, ...], values: list[float], expected: object
) -> None:
    array = read_tensor(typed("DT_FLOAT", shape, values))
    assert array.shape == shape
    assert array.tolist() == expected


def test_one_value_for_many_takes_no_memory() -> None:
    array = read_tensor(typed("DT_FLOAT", (1 << 28,), [1.0]))
    assert array.strides == (0,)
    assert array[-1] == 1.0


def test_missing_strings_are_empty() -> None:
    assert read_tensor(typed("DT_STRING", (2,), [])).tolist() == [b"", b""]


def test_numbers_are_read_without_a_copy_and_nothing_can_be_written() -> None:
    array = read_tensor(written(np.arange(6, dtype=np.float32)))
    assert array.base is not None
    assert array.flags.aligned
    for each in (array, read_tensor(typed("DT_FLOAT", (2,), [1.0, 2.0]))):
        with pytest.raises(ValueError, match="read-only"):
            each[0] = 0


def content_of(size: int) -> TensorMessage:
    tensor = typed("DT_INT32", (2,), [])
    tensor.tensor_content = bytes(size)
    return tensor


def unknown_rank() -> TensorMessage:
    tensor = typed("DT_INT32", (), [1])
    tensor.tensor_shape.unknown_rank = True
    return tensor


@pytest.mark.parametrize(
    ("tensor", "part"),
    [
        (message(), "type 0"),
        (content_of(7), "7 bytes for shape (2,)"),
        (content_of(12), "12 bytes for shape (2,)"),
        (unknown_rank(), "without a definite shape"),
        (typed("DT_FLOAT", (-1,), [1.0]), "without a definite shape"),
        (typed("DT_FLOAT", (1,) * (DIMENSIONS_MAX + 1), [1.0]), "without a definite shape"),
        (typed("DT_FLOAT", (1 << 62, 1 << 62), [1.0]), "more than"),
        (typed("DT_COMPLEX64", (1,), [1.0]), "half a complex number"),
    ],
)
def test_a_tensor_that_is_not_whole_is_refused(tensor: TensorMessage, part: str) -> None:
    with pytest.raises(AnswerError) as refused:
        read_tensor(tensor)
    assert part in str(refused.value)


@pytest.mark.slow
@settings(deadline=None)
@given(text=st.binary(max_size=200))
def test_bytes_of_a_stranger_are_read_or_refused(text: bytes) -> None:
    try:
        tensor = message(text)
    except DecodeError:
        return
    try:
        array = read_tensor(tensor)
    except AnswerError:
        return
    assert array.size == math.prod(dim.size for dim in tensor.tensor_shape.dim)
