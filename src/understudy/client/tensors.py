"""NumPy arrays and TensorProto messages, each from the other. Pure: no connection, no model.

Numbers go out as `tensor_content`, one copy from the array to the message. Both encodings are read:
`tensor_content` without a copy, and single values, of which the last one is repeated when there are too few
(TensorFlow's rule).
"""

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.client.dtypes import (
    BY_NAME,
    BY_NUMBER,
    Array,
    ElementType,
    bfloat16_bits,
    from_bfloat16_bits,
    of_numpy,
)
from understudy.client.errors import AnswerError, TensorError
from understudy.client.messages import TensorMessage

TENSOR_BYTES_MAX: Final = (1 << 31) - 1
"""Of one array: what a message could carry value by value."""
DIMENSIONS_MAX: Final = 64
"""NumPy's own limit."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Values with an element type that they do not say themselves.

    Needed for quantized types, for bfloat16 without the package `ml_dtypes`, and where a list of Python's
    numbers shall be neither float32 nor int32.

    Attributes:
        values: what `numpy.asarray` takes; of any shape.
        dtype: TensorFlow's name of the type, `DT_BFLOAT16` for example.
    """

    values: ArrayLike
    dtype: str


TensorLike: TypeAlias = ArrayLike | Tensor
"""What an input may be."""


def write_tensor(message: TensorMessage, value: TensorLike) -> None:
    """Fills an empty TensorProto.

    Arrays keep their element type. Python's own numbers, alone or in lists, become float32 and int32 (int64
    where that is too small), as in TensorFlow. Text travels as UTF-8.

    Raises:
        TensorError: when no tensor can hold the value.
    """
    array, kind = _convert(value)
    message.dtype = kind.number
    message.tensor_shape.SetInParent()
    for size in array.shape:
        message.tensor_shape.dim.add().size = size
    if kind.is_string:
        message.string_val.extend(_element_bytes(element) for element in array.ravel())
        return
    bits = bfloat16_bits(array) if kind.is_bfloat16 else array
    message.tensor_content = np.asarray(bits, kind.content).tobytes()


def read_tensor(message: TensorMessage) -> Array:
    """The array in a TensorProto; read-only, since it may share the answer's bytes.

    Strings come as an array of Python's `bytes`; quantized types as the integers that carry them; bfloat16
    as `ml_dtypes.bfloat16` if that package is installed, else as float32.

    Raises:
        AnswerError: when the message is no whole tensor of a known type.
    """
    kind = BY_NUMBER.get(message.dtype)
    if kind is None:
        raise AnswerError(
            f"The answer has a tensor of type {message.dtype}, which this client does not know."
        )
    shape = _shape(message)
    count = math.prod(shape)
    if count * np.dtype(kind.content).itemsize > TENSOR_BYTES_MAX:
        raise AnswerError(f"The answer has a tensor of shape {shape}, more than {TENSOR_BYTES_MAX} bytes.")
    if message.tensor_content and not kind.is_string:
        array = _from_content(message.tensor_content, kind, shape)
    else:
        array = _fill(_values(message, kind), count).reshape(shape)
    if kind.is_bfloat16:
        array = from_bfloat16_bits(array)
    array.flags.writeable = False
    return array


def _convert(value: TensorLike) -> tuple[Array, ElementType]:
    """The array to send, and as what."""
    if not isinstance(value, Tensor):
        array = _array(value)
        kind = of_numpy(array.dtype)
        if kind is None:
            raise TensorError(
                f"No tensor holds elements of NumPy's type {array.dtype}. Convert first: array.astype(...)."
            )
        return array, kind
    kind = BY_NAME.get(value.dtype)
    if kind is None:
        raise TensorError(f"{value.dtype!r} is no element type. There are: {', '.join(BY_NAME)}.")
    array = _array(value.values)
    if kind.is_string or kind is of_numpy(array.dtype):
        return array, kind
    try:
        return array.astype("<f4" if kind.is_bfloat16 else kind.content), kind
    except (TypeError, ValueError) as error:
        raise TensorError(f"The values are no {kind.name}: {error}") from error


def _array(value: object) -> Array:
    try:
        array = _plain(value)
        if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
            return array
        if array.dtype.kind in "SU":  # not by NumPy's strings: they lose NUL bytes at the end
            return np.asarray(value, object)
    except (TypeError, ValueError, OverflowError) as error:
        raise TensorError(f"The value is no array: {error}") from error
    return _narrow(array)


def _plain(value: object) -> Array:
    try:
        return np.asarray(value)
    except UnicodeDecodeError:  # bytes among text
        return np.asarray(value, object)


def _narrow(array: Array) -> Array:
    """TensorFlow's types for Python's own numbers."""
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype == np.complex128:
        return array
    if array.dtype == np.int64:
        narrow = array.astype(np.int32)
        return narrow if np.array_equal(narrow, array) else array
    return array


def _element_bytes(element: object) -> bytes:
    if isinstance(element, bytes):
        return element
    if isinstance(element, str):
        return element.encode()
    raise TensorError(
        f"An array of Python's objects is sent as strings, but one is of type {type(element).__name__}: "
        "every element must be bytes or str, and rows must be of one length."
    )


def _shape(message: TensorMessage) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in message.tensor_shape.dim)
    if message.tensor_shape.unknown_rank or len(shape) > DIMENSIONS_MAX or min(shape, default=0) < 0:
        raise AnswerError(f"The answer has a tensor without a definite shape: {shape}.")
    return shape


def _from_content(content: bytes, kind: ElementType, shape: tuple[int, ...]) -> Array:
    try:
        return np.frombuffer(content, kind.content).reshape(shape)
    except ValueError as error:
        raise AnswerError(
            f"The answer has a tensor of {len(content)} bytes for shape {shape} of {kind.name}: {error}"
        ) from error


def _values(message: TensorMessage, kind: ElementType) -> Array:
    """The values that stand one by one, as many as there are."""
    if kind.is_string:
        strings: NDArray[np.object_] = np.empty(len(message.string_val), object)
        strings[:] = list(message.string_val)
        return strings
    values: Array = np.array(getattr(message, kind.field), kind.carrier)
    if np.dtype(kind.content).kind == "c":
        if values.size % 2:
            raise AnswerError("The answer has half a complex number.")
        return values.view(kind.content)
    if kind.field == "half_val":
        return values.astype("<u2").view(kind.content)
    return values.astype(kind.content, copy=False)


def _fill(values: Array, count: int) -> Array:
    """As many as the shape says: too many are cut, of too few the last is repeated, none are zeros."""
    if values.size >= count:
        return values[:count]
    if values.size == 1:
        return np.broadcast_to(values, count)
    if values.size:
        return np.concatenate([values, np.broadcast_to(values[-1:], count - values.size)])
    empty: Any = b"" if values.dtype == object else values.dtype.type(0)
    return np.full(count, empty, values.dtype)
