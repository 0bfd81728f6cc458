"""How one model's traffic is split, as it crosses into Rust, field by field (crates/python/src/routes.rs).

Requests that name neither version nor label are assigned to one of `BUCKETS` buckets: by a salted hash of
their key, or by chance when they bring none. Buckets that no range names belong to the model's default
version. understudy.buckets says who gets which bucket.
"""

from dataclasses import dataclass
from typing import Final

from understudy.buckets import BUCKETS, BucketRange

__all__ = [
    "BUCKETS",
    "KEY_HEADER",
    "BucketRange",
    "Remembering",
    "ShadowRoute",
    "Tolerance",
    "Traffic",
]

KEY_HEADER: Final = "x-routing-key"
"""Where a request's routing key is unless its model says otherwise: gRPC metadata, or an HTTP header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far apart two outputs' floats may be and still agree: |a - b| <= absolute + relative * |b|.

    Attributes:
        absolute: of any float.
        relative: of the baseline's.
        top_1: of outputs of scores, it is enough that the highest score is at the same place.
    """

    absolute: float = 1e-5
    relative: float = 1e-3
    top_1: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRoute:
    """Requests that another version runs too, unseen.

    Attributes:
        version: which.
        share: of the requests that the default version answers, in hundredths of a per cent.
        tolerance: of its outputs.
    """

    version: int
    share: int
    tolerance: Tolerance = Tolerance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembering:
    """Predictions that are kept until the truth comes, by request id.

    Attributes:
        output: of which output; none: of the only one, or the one that a classification answers with.
        window_s: how long.
    """

    output: str | None = None
    window_s: float = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How the traffic of one model is split, and what is counted of it.

    Attributes:
        trial: whose counts these requests add to; the same across changes of the split.
        epoch: of the trial; grows when the ranges change.
        candidate: the version that is compared with the default one; none: nothing is compared.
        salt: of the hash. The same salt and key give the same bucket, in every server.
        key_header: lower case; gRPC metadata or HTTP header that holds the key.
        key_input: an input (string or integer, one element), or a feature of the only Example, that holds it
            where the header does not.
        ranges: disjoint; those of one version in the order in which it got them.
        may_override: a tester may ask for a version in `x-understudy-version`.
        shadow: none: no request is run twice.
        slow_after_s: names of latency thresholds, and the seconds beyond which an answer counts as slow.
        remembering: none: no prediction is kept.
    """

    trial: str
    epoch: int
    candidate: int | None
    salt: str
    key_header: str = KEY_HEADER
    key_input: str | None = None
    ranges: tuple[BucketRange, ...] = ()
    may_override: bool = False
    shadow: ShadowRoute | None = None
    slow_after_s: tuple[tuple[str, float], ...] = ()
    remembering: Remembering | None = None
