"""What a caller may say about one call, checked; and how it is said in a ModelSpec."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from understudy.buckets import KEY_BYTES_MAX
from understudy.client.errors import InvalidRequestError
from understudy.client.messages import ModelSpec
from understudy.errors import Code

ROUTING_KEY_METADATA: Final = "x-routing-key"
"""gRPC metadata that carries the routing key, unless a model has it elsewhere."""
EXPLAIN_METADATA: Final = "x-understudy-explain"
"""gRPC metadata that asks for arm and reason of the answer, of a model whose traffic is split; any value."""
TIMEOUT_S: Final = 30.0
"""Of a call that names none."""
_METADATA_KEY: Final = re.compile(r"[a-z0-9_.-]+")
_VERSION_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Target:
    """Which version of a model is asked, and which signature.

    Attributes:
        model: its name.
        version: its number; at most one of this and the label. Neither: the default version.
        label: a name for the version.
        signature: none: `serving_default`.
    """

    model: str
    version: int | None = None
    label: str | None = None
    signature: str | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise self.wrong("The model's name is empty.")
        if self.version is not None and self.label is not None:
            raise self.wrong("Give a version or a label, not both.")
        if self.version is not None and not 0 <= self.version <= _VERSION_MAX:
            raise self.wrong(f"Version {self.version}: versions are from 0 to {_VERSION_MAX}.")
        if self.label is not None and not self.label:
            raise self.wrong("The label is empty.")

    def __str__(self) -> str:
        return f"Model {self.model}" + ("" if self.version is None else f", version {self.version},")

    def wrong(self, message: str) -> InvalidRequestError:
        """The error of a request for it that is not sent."""
        return InvalidRequestError(Code.INVALID_ARGUMENT, message, model=self.model)

    def write(self, spec: ModelSpec) -> None:
        """Fills an empty ModelSpec."""
        spec.name = self.model
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label
        if self.signature is not None:
            spec.signature_name = self.signature


@dataclass(frozen=True, slots=True)
class Terms:
    """How a call is made.

    Attributes:
        timeout_s: for the whole call, retries and pauses included; none: the client's own.
        routing_key: who asks, for a server that keeps one asker at one version.
    """

    timeout_s: float | None = None
    routing_key: str | None = None

    def __post_init__(self) -> None:
        if self.timeout_s is not None:
            check_timeout(self.timeout_s)
        key = self.routing_key
        if key is not None and not (
            key and key.isascii() and key.isprintable() and len(key) <= KEY_BYTES_MAX
        ):
            raise InvalidRequestError(
                Code.INVALID_ARGUMENT,
                f"A routing key is from 1 to {KEY_BYTES_MAX} printable ASCII characters.",
            )


def check_metadata(metadata: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The same as gRPC takes it.

    Raises:
        InvalidRequestError: for what gRPC would refuse with each call.
    """
    for key, value in metadata.items():
        if not _METADATA_KEY.fullmatch(key) or key.startswith("grpc-") or key.endswith("-bin"):
            raise InvalidRequestError(
                Code.INVALID_ARGUMENT,
                f"Metadata {key!r}: a key has lower-case letters, digits and _-. alone, does not begin with "
                "grpc- and does not end with -bin.",
            )
        if not (value.isascii() and value.isprintable()):
            raise InvalidRequestError(
                Code.INVALID_ARGUMENT, f"Metadata {key!r}: its value must be printable ASCII."
            )
    return tuple(metadata.items())


def check_timeout(timeout_s: float) -> float:
    """The same; it must be a time that ends."""
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise InvalidRequestError(
            Code.INVALID_ARGUMENT, f"A timeout of {timeout_s} s: it must be finite and greater than 0."
        )
    return timeout_s
