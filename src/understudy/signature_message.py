"""SignatureDef messages, read: what a model's file, or a loaded version, says that it can be asked."""

from collections.abc import Iterable, Mapping
from typing import Protocol, cast

from google.protobuf.message import Message

from understudy.signatures import UNKNOWN, Signature, Signatures, TensorSpec
from understudy.wire import message_class


class _Dim(Protocol):
    size: int


class _Shape(Protocol):
    dim: Iterable[_Dim]
    unknown_rank: bool


class _TensorInfo(Protocol):
    dtype: int
    tensor_shape: _Shape


class SignatureDef(Protocol):
    """The fields of the message that are looked at."""

    inputs: Mapping[str, _TensorInfo]
    outputs: Mapping[str, _TensorInfo]
    method_name: str
    defaults: Mapping[str, object]


class _SignatureDefMap(Protocol):
    signature_def: Mapping[str, SignatureDef]


def parse_signatures(message: bytes) -> Signatures:
    """Signatures from a serialized SignatureDefMap of the data plane's, which is never damaged."""
    parsed = message_class("tensorflow.serving.SignatureDefMap").FromString(message)
    # The class is made at run time from the proto file, whose fields the protocols above restate.
    return build_signatures(cast("_SignatureDefMap", parsed).signature_def)


def build_signatures(definitions: Mapping[str, SignatureDef]) -> Signatures:
    """Signatures from messages, by name."""
    return {name: _build(each) for name, each in definitions.items()}


def _build(message: SignatureDef) -> Signature:
    return Signature(
        message.method_name,
        {name: _tensor_spec(each) for name, each in message.inputs.items()},
        {name: _tensor_spec(each) for name, each in message.outputs.items()},
        frozenset(message.defaults),
    )


def _tensor_spec(message: _TensorInfo) -> TensorSpec:
    field = cast("Message", message).DESCRIPTOR.fields_by_name["dtype"]
    known = field.enum_type.values_by_number.get(message.dtype) if field.enum_type is not None else None
    dtype = known.name if known is not None else f"type {message.dtype}"
    shape = message.tensor_shape
    if shape.unknown_rank:
        return TensorSpec(dtype, None)
    return TensorSpec(dtype, tuple(max(UNKNOWN, dim.size) for dim in shape.dim))
