"""What calls answer with. All frozen; nothing here knows the wire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from understudy.client.dtypes import Array
from understudy.errors import Code
from understudy.signatures import Signature


@dataclass(frozen=True, slots=True)
class Served:
    """Why a version answered, of a model whose traffic is split, and what the request is called.

    Attributes:
        arm: `baseline`, `candidate`, or `other`; none: the client was not made with `explain=True`.
        reason: `sticky`: by the routing key; `random`: there was none; `override`: the request asked for it;
            `fallback`: the version that it belongs to could not answer; none: as the arm.
        request_id: what to call the request when its truth is known; none: no truth is awaited.
    """

    arm: str | None
    reason: str | None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prediction(Mapping[str, Array]):
    """The outputs of a prediction, by name.

    Arrays are read-only, since they may share the answer's bytes: `array.copy()` can be changed.

    Attributes:
        outputs: the same as a dict.
        model: that was asked.
        version: that answered.
        signature: that was called.
        served: what else the server says of the answer; none where traffic is not split, the call named the
            version, or there is nothing to say: see `Client`'s `explain`.
    """

    outputs: Mapping[str, Array]
    model: str
    version: int
    signature: str
    served: Served | None = None

    __eq__ = object.__eq__  # a mapping's would compare arrays, which is no yes or no
    __hash__ = object.__hash__

    def __getitem__(self, name: str) -> Array:
        return self.outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)


@dataclass(frozen=True, slots=True)
class Class:
    """One class of a classification.

    Attributes:
        label: empty when the model has none.
        score: 0 when the model has none.
    """

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Classification:
    """The classes of each example, in the examples' order.

    Attributes:
        examples: the same as a tuple.
        model: that was asked.
        version: that answered.
        signature: that was called.
        served: what else the server says of the answer; none where traffic is not split, the call named the
            version, or there is nothing to say: see `Client`'s `explain`.
    """

    examples: tuple[tuple[Class, ...], ...]
    model: str
    version: int
    signature: str
    served: Served | None = None

    def __getitem__(self, index: int) -> tuple[Class, ...]:
        return self.examples[index]

    def __iter__(self) -> Iterator[tuple[Class, ...]]:
        return iter(self.examples)

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, slots=True)
class Regression:
    """The value of each example, in the examples' order.

    Attributes:
        values: the same as a tuple.
        model: that was asked.
        version: that answered.
        signature: that was called.
        served: what else the server says of the answer; none where traffic is not split, the call named the
            version, or there is nothing to say: see `Client`'s `explain`.
    """

    values: tuple[float, ...]
    model: str
    version: int
    signature: str
    served: Served | None = None

    def __getitem__(self, index: int) -> float:
        return self.values[index]

    def __iter__(self) -> Iterator[float]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)


Inferences: TypeAlias = Mapping[str, Classification | Regression]
"""What several heads answered, by signature."""


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a version of a model can be asked.

    Attributes:
        model: that was asked.
        version: that answered.
        signatures: by name; element types by TensorFlow's names, `UNKNOWN` (-1) for a size that is free.
    """

    model: str
    version: int
    signatures: Mapping[str, Signature]


class VersionState(Enum):
    """Where a version is in its life, as TensorFlow Serving tells it."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version of a model.

    Attributes:
        version: its number.
        state: in its life.
        code: OK, or why it failed.
        message: what failed; empty when nothing did.
    """

    version: int
    state: VersionState
    code: Code
    message: str

    def __str__(self) -> str:
        failure = f" ({self.code.name}: {self.message})" if self.code is not Code.OK else ""
        return f"version {self.version} is {self.state.name}{failure}"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The versions of a model.

    Attributes:
        model: that was asked.
        versions: in the server's order, the highest first.
    """

    model: str
    versions: tuple[VersionStatus, ...]

    @property
    def available(self) -> tuple[int, ...]:
        """Numbers of the versions that answer requests."""
        return tuple(each.version for each in self.versions if each.state is VersionState.AVAILABLE)

    def __str__(self) -> str:
        return ", ".join(str(each) for each in self.versions) or "no version"


@dataclass(frozen=True, slots=True)
class ClientCounts:
    """What a client has done so far.

    Attributes:
        calls: that were begun.
        failures: calls that ended with an error.
        retries: requests that were sent again.
        retries_refused: requests that were not sent again because the retry budget was spent.
    """

    calls: int
    failures: int
    retries: int
    retries_refused: int
