"""Buckets: which one a key is in, and who gets which when weights change. Pure.

The hash is a promise to every program that assigns by itself; docs/reference/traffic-assignment.md shows it
to them, with vectors, and crates/dataplane/src/traffic/bucket.rs is the data plane's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias

import xxhash

BUCKETS: Final = 10_000
"""A weight of one bucket is a hundredth of a per cent."""
KEY_BYTES_MAX: Final = 1_024
"""A longer key is none."""
RANGES_MAX: Final = 64
"""Of one model; the data plane refuses more."""


@dataclass(frozen=True, slots=True)
class BucketRange:
    """Buckets from `start` up to and without `stop`, which `version` answers."""

    version: int
    start: int
    stop: int


Ranges: TypeAlias = tuple[BucketRange, ...]
Pieces: TypeAlias = list[tuple[int, int]]
"""Buckets as runs, each its first one and the first after it; in the order in which a version got them."""


def key_bytes(key: str | int | bytes) -> bytes | None:
    """What is hashed of a key: text as UTF-8, an integer as decimal text; none for what can be no key."""
    raw = key if isinstance(key, bytes) else str(key).encode()
    return raw if 1 <= len(raw) <= KEY_BYTES_MAX else None


def bucket_of(salt: str, key: bytes) -> int:
    """The bucket of a key's bytes under a salt: `xxh3_64(salt + 0x00 + key) mod 10000`."""
    return xxhash.xxh3_64_intdigest(salt.encode() + b"\0" + key) % BUCKETS


def owner(ranges: Ranges, bucket: int) -> int | None:
    """The version that answers this bucket; none: the default one."""
    return next((each.version for each in ranges if each.start <= bucket < each.stop), None)


def remainder(version: int, ranges: Ranges) -> Ranges:
    """The buckets that these ranges leave over, as this version's."""
    return tuple(BucketRange(version, *gap) for gap in _gaps([(each.start, each.stop) for each in ranges]))


def weights_of(ranges: Ranges) -> dict[int, int]:
    """How many buckets each version has."""
    return {version: _size(pieces) for version, pieces in _by_version(ranges).items()}


def reweigh(ranges: Ranges, weights: Mapping[int, int]) -> Ranges:
    """The ranges after a change of weights, which moves as few callers as can be.

    A version that gets less gives back what it got last; one that gets more takes what nobody had, from where
    it stands upwards and on from 0. So a ramp up only adds, a ramp down only removes, and nobody moves from
    one version to another as long as the default version has buckets to give. A ramp down and up again comes
    back to the same callers, unless other versions have given back buckets on its way meanwhile. A split that
    would come to more than `RANGES_MAX` pieces is laid out anew.

    Args:
        ranges: in force; those of one version in the order in which it got them.
        weights: by version, in buckets; the default version is not named, and gets what is left. A version
            that is not named gets none.

    Raises:
        ValueError: a weight is below 0, or all together are more than there are buckets.
    """
    if any(weight < 0 for weight in weights.values()) or sum(weights.values()) > BUCKETS:
        raise ValueError(f"weights {dict(weights)}: none may be below 0, all together at most {BUCKETS}")
    before = _by_version(ranges)
    after = {version: _first(before.get(version, []), weight) for version, weight in sorted(weights.items())}
    had = list(chain.from_iterable(before.values()))
    for version, own in after.items():
        others = list(chain.from_iterable(pieces for other, pieces in after.items() if other != version))
        after[version] = _grow(own, weights[version], others=others, had=had)
    pieces = tuple(BucketRange(version, *piece) for version, own in after.items() for piece in own)
    return pieces if len(pieces) <= RANGES_MAX or not ranges else reweigh((), weights)


def _by_version(ranges: Ranges) -> dict[int, Pieces]:
    pieces: dict[int, Pieces] = {}
    for each in ranges:
        pieces.setdefault(each.version, []).append((each.start, each.stop))
    return pieces


def _grow(own: Pieces, weight: int, *, others: Pieces, had: Pieces) -> Pieces:
    """What a version has and gets: first of what nobody had, then of what others have just given back."""
    start = own[-1][1] if own else _home(weight, [*others, *had])
    for occupied in ([*others, *had], others):
        free = _upwards(_gaps([*own, *occupied]), start)
        own = _joined([*own, *_first(free, weight - _size(own))])
    return own


def _home(weight: int, occupied: Pieces) -> int:
    """Where a version begins that has nothing: at 0 if it is the first, else amid the widest gap."""
    if not occupied:
        return 0
    start, stop = max(_gaps(occupied), key=lambda gap: (gap[1] - gap[0], -gap[0]), default=(0, 0))
    return start + max(0, stop - start - weight) // 2


def _gaps(occupied: Pieces) -> Pieces:
    """What is free, ascending."""
    gaps, free_from = [], 0
    for start, stop in [*sorted(occupied), (BUCKETS, BUCKETS)]:
        if free_from < start:
            gaps.append((free_from, start))
        free_from = max(free_from, stop)
    return gaps


def _upwards(gaps: Pieces, first: int) -> Pieces:
    """The same buckets in the order from `first` up, and on from 0."""
    above = [(max(start, first), stop) for start, stop in gaps if stop > first]
    below = [(start, min(stop, first)) for start, stop in gaps if start < first]
    return [*above, *below]


def _first(pieces: Pieces, count: int) -> Pieces:
    """So many buckets of these, the first ones."""
    found = []
    for start, stop in pieces:
        if count <= 0:
            break
        found.append((start, min(stop, start + count)))
        count -= stop - start
    return found


def _joined(pieces: Pieces) -> Pieces:
    """The same, with what follows each other in one piece."""
    joined: Pieces = []
    for start, stop in pieces:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _size(pieces: Iterable[tuple[int, int]]) -> int:
    return sum(stop - start for start, stop in pieces)
