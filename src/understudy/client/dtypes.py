"""The element types of tensors: their names, where their values travel, and what they are in NumPy."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

_BFLOAT16 = "bfloat16"
_ROUND_HALF = np.uint32(0x7FFF)
_QUIET_NAN = np.uint16(0x7FC0)


@dataclass(frozen=True, slots=True)
class ElementType:
    """One of TensorFlow's element types.

    Attributes:
        number: on the wire.
        name: `DT_FLOAT` for example.
        field: of a TensorProto, where values stand one by one.
        carrier: NumPy's type of that field's values; complex numbers travel as pairs.
        content: NumPy's type of an element as `tensor_content` has it, little-endian.
    """

    number: int
    name: str
    field: str
    carrier: str
    content: str

    @property
    def is_string(self) -> bool:
        """Whether elements are byte strings."""
        return self.name == "DT_STRING"

    @property
    def is_bfloat16(self) -> bool:
        """Whether NumPy itself has no such type."""
        return self.name == "DT_BFLOAT16"


_ROWS: Final = (
    ElementType(1, "DT_FLOAT", "float_val", "<f4", "<f4"),
    ElementType(2, "DT_DOUBLE", "double_val", "<f8", "<f8"),
    ElementType(3, "DT_INT32", "int_val", "<i4", "<i4"),
    ElementType(4, "DT_UINT8", "int_val", "<i4", "u1"),
    ElementType(5, "DT_INT16", "int_val", "<i4", "<i2"),
    ElementType(6, "DT_INT8", "int_val", "<i4", "i1"),
    ElementType(7, "DT_STRING", "string_val", "O", "O"),
    ElementType(8, "DT_COMPLEX64", "scomplex_val", "<f4", "<c8"),
    ElementType(9, "DT_INT64", "int64_val", "<i8", "<i8"),
    ElementType(10, "DT_BOOL", "bool_val", "?", "?"),
    ElementType(11, "DT_QINT8", "int_val", "<i4", "i1"),
    ElementType(12, "DT_QUINT8", "int_val", "<i4", "u1"),
    ElementType(13, "DT_QINT32", "int_val", "<i4", "<i4"),
    ElementType(14, "DT_BFLOAT16", "half_val", "<i4", "<u2"),
    ElementType(15, "DT_QINT16", "int_val", "<i4", "<i2"),
    ElementType(16, "DT_QUINT16", "int_val", "<i4", "<u2"),
    ElementType(17, "DT_UINT16", "int_val", "<i4", "<u2"),
    ElementType(18, "DT_COMPLEX128", "dcomplex_val", "<f8", "<c16"),
    ElementType(19, "DT_HALF", "half_val", "<i4", "<f2"),
    ElementType(22, "DT_UINT32", "uint32_val", "<u4", "<u4"),
    ElementType(23, "DT_UINT64", "uint64_val", "<u8", "<u8"),
)

BY_NUMBER: Final[Mapping[int, ElementType]] = {row.number: row for row in _ROWS}
"""Every type that a tensor on the wire may have."""

BY_NAME: Final[Mapping[str, ElementType]] = {row.name: row for row in _ROWS}

_BY_NUMPY: Final[Mapping[str, ElementType]] = {
    np.dtype(row.content).name: row
    for row in _ROWS
    if not row.name.startswith("DT_Q") and not row.is_bfloat16 and not row.is_string
}


def of_numpy(dtype: np.dtype[Any]) -> ElementType | None:
    """The element type of arrays of this type; none when no tensor can hold them."""
    if dtype.kind in "SUTO":  # bytes, text of fixed and of any length, Python's objects
        return BY_NAME["DT_STRING"]
    if dtype.name == _BFLOAT16:
        return BY_NAME["DT_BFLOAT16"]
    return _BY_NUMPY.get(dtype.name)


def bfloat16_bits(values: Array) -> NDArray[np.uint16]:
    """The 16 bits of each number, bfloat16 or float32, rounded to the nearest, ties to even."""
    if values.dtype.name == _BFLOAT16:
        return values.view(np.uint16)
    bits = values.view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = ((bits + _ROUND_HALF + odd) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(values), _QUIET_NAN, rounded)


def from_bfloat16_bits(bits: NDArray[np.uint16]) -> Array:
    """What these bits say: `ml_dtypes.bfloat16` where that package is installed, else float32, exactly."""
    try:
        native = import_module("ml_dtypes").bfloat16
    except ImportError:
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return bits.view(native)
