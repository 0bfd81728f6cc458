"""Examples as plain dicts, and tf.Example messages made from them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from understudy.client.dtypes import Array
from understudy.client.errors import TensorError
from understudy.client.messages import Example, Feature, Input

Value: TypeAlias = str | bytes | float | np.generic
FeatureValue: TypeAlias = Value | Sequence[Value] | Array
ExampleLike: TypeAlias = Mapping[str, FeatureValue]
"""Feature by name: one value, a list of values, or an array of one dimension.

Strings and bytes make a list of bytes (text as UTF-8), integers and booleans one of int64, floats one of
float32. A model that wants floats must be given floats: 80.0, not 80.
"""

_INT64_MIN: Final = -(1 << 63)
_INT64_MAX: Final = (1 << 63) - 1
_TEXT: Final = (str, bytes)
_WHOLE: Final = (bool, int, np.bool_, np.integer)
_REAL: Final = (float, np.floating)


def write_input(message: Input, examples: Iterable[ExampleLike], context: ExampleLike | None = None) -> None:
    """Fills an empty Input; features of the context are part of every example that does not have its own.

    Raises:
        TensorError: when a feature cannot be said.
    """
    target = message.example_list if context is None else message.example_list_with_context
    target.SetInParent()
    if context is not None:
        _write_example(message.example_list_with_context.context, context)
    for example in examples:
        _write_example(target.examples.add(), example)


def _write_example(message: Example, example: ExampleLike) -> None:
    if not isinstance(example, Mapping):
        raise TensorError(f"An example is a dict of features, not a {type(example).__name__}.")
    message.features.SetInParent()
    for name, value in example.items():
        _write_feature(message.features.feature[name], name, value)


def _write_feature(feature: Feature, name: str, value: FeatureValue) -> None:
    values = _values(name, value)
    feature.SetInParent()
    if not values:
        return
    if all(isinstance(each, _TEXT) for each in values):
        feature.bytes_list.value.extend(
            each.encode() if isinstance(each, str) else bytes(each)  # type: ignore[call-overload] # text, as said
            for each in values
        )
    elif all(isinstance(each, _WHOLE) for each in values):
        feature.int64_list.value.extend(_int64(name, each) for each in values)
    elif all(isinstance(each, _WHOLE + _REAL) for each in values):
        feature.float_list.value.extend(float(each) for each in values)  # type: ignore[arg-type] # numbers
    else:
        kinds = sorted({type(each).__name__ for each in values})
        raise TensorError(
            f"Feature {name} mixes {', '.join(kinds)}: its values must be all bytes and text, or all numbers."
        )


def _values(name: str, value: FeatureValue) -> list[object]:
    if isinstance(value, np.ndarray):
        if value.ndim > 1:
            raise TensorError(
                f"Feature {name} has {value.ndim} dimensions; a feature is flat: array.ravel()."
            )
        return list(np.atleast_1d(value))
    if isinstance(value, (*_TEXT, np.generic)) or not isinstance(value, Sequence):
        return [value]
    return list(value)


def _int64(name: str, value: object) -> int:
    whole = int(value)  # type: ignore[call-overload] # one of the whole kinds
    if not _INT64_MIN <= whole <= _INT64_MAX:
        raise TensorError(f"Feature {name}: {whole} is no int64.")
    return int(whole)
