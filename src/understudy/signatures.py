"""What a model says it can be asked, and whether another can take its place. Pure: no files, no wire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

UNKNOWN = -1
"""A dimension that may be of any size."""
INTERNAL_SIGNATURES = frozenset({"__saved_model_init_op", "__saved_model_train_op"})
"""What TensorFlow keeps among the signatures for itself; nobody calls them."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a signature says of one input or output.

    Attributes:
        dtype: TensorFlow's name of the element type, `DT_FLOAT` for example.
        shape: sizes of the dimensions, `UNKNOWN` for any; none: any number of dimensions.
    """

    dtype: str
    shape: tuple[int, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} [{', '.join('?' if size == UNKNOWN else str(size) for size in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a model.

    Attributes:
        method: which call it is made for, `tensorflow/serving/predict` for example.
        inputs: by name.
        outputs: by name.
        optional: inputs that have a default and may be left out.
    """

    method: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    optional: frozenset[str] = frozenset()


Signatures: TypeAlias = Mapping[str, Signature]
"""A model's signatures by name."""


def incompatibilities(reference: Signatures, candidate: Signatures) -> tuple[str, ...]:
    """What a client of `reference` would miss in `candidate`, a sentence each; none: it misses nothing.

    An input must take all that it took: as many dimensions or any number, sizes as they were or any. An
    output must be what it was, as far as both say its sizes. More signatures, more outputs, and more inputs
    that may be left out, are no loss.
    """
    return tuple(
        sentence
        for name in sorted(reference.keys() - INTERNAL_SIGNATURES)
        for sentence in _losses(name, reference[name], candidate.get(name))
    )


def _losses(name: str, before: Signature, after: Signature | None) -> Iterator[str]:
    if after is None:
        yield f"signature {name} is gone"
        return
    if after.method != before.method:
        yield f"signature {name}: its method is {after.method!r}, was {before.method!r}"
    for key in sorted(before.inputs.keys() | after.inputs.keys()):
        yield from _input_losses(f"signature {name}: input {key}", key, before, after)
    for key in sorted(before.outputs):
        was, now = before.outputs[key], after.outputs.get(key)
        if now is None:
            yield f"signature {name}: output {key} is gone"
        elif now.dtype != was.dtype or not _agree(was.shape, now.shape):
            yield f"signature {name}: output {key} is {now}, was {was}"


def _input_losses(what: str, key: str, before: Signature, after: Signature) -> Iterator[str]:
    was, now = before.inputs.get(key), after.inputs.get(key)
    if was is None:
        if key not in after.optional:
            yield f"{what} is needed now, and was not known"
    elif now is None:
        yield f"{what} is gone"
    elif now.dtype != was.dtype or not _takes(now.shape, was.shape):
        yield f"{what} takes {now}, took {was}"
    elif key in before.optional and key not in after.optional:
        yield f"{what} can no longer be left out"


def _takes(now: tuple[int, ...] | None, was: tuple[int, ...] | None) -> bool:
    """Whether every shape that was taken is taken now."""
    if now is None or was is None:
        return now is None
    return len(now) == len(was) and all(
        size in {UNKNOWN, before} for size, before in zip(now, was, strict=True)
    )


def _agree(was: tuple[int, ...] | None, now: tuple[int, ...] | None) -> bool:
    """Whether two shapes can be the same, as far as both are known."""
    if now is None or was is None:
        return True
    return len(now) == len(was) and all(
        size == before or UNKNOWN in {size, before} for size, before in zip(now, was, strict=True)
    )
