"""Weights by hand become buckets, so that as few callers as can be change their version."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from understudy.routing.traffic import BUCKETS, BucketRange


@dataclass(frozen=True, slots=True)
class Split:
    """Who answers which buckets.

    Attributes:
        rest: the version that answers what no range names.
        ranges: of the others, ascending.
    """

    rest: int
    ranges: tuple[BucketRange, ...] = ()


def resplit(before: Split, weights: Mapping[int, int], rest: int) -> Split:
    """The split by new weights.

    A version keeps the buckets it has, the first ones, as far as its weight goes; what it gives up is free,
    and whoever grows takes the first free buckets. So growing only adds to a version's callers, shrinking
    only takes some away, and whom a change does not concern stays where he was.

    Args:
        before: who answers so far.
        weights: of each version, in buckets; together all of them.
        rest: the version that is to answer the rest.
    """
    owners = [before.rest] * BUCKETS
    for each in before.ranges:
        owners[each.start : each.stop] = [each.version] * (each.stop - each.start)
    kept = _free_beyond(owners, weights, rest)
    free = iter([bucket for bucket, owner in enumerate(owners) if owner == rest])
    for version in sorted(weights.keys() - {rest}):
        for _ in range(weights[version] - kept[version]):
            owners[next(free)] = version
    return Split(rest, tuple(_ranges(owners, rest)))


def _free_beyond(owners: list[int], weights: Mapping[int, int], rest: int) -> Counter[int]:
    """Frees what versions have beyond their weight, for the rest; how many buckets each keeps."""
    kept: Counter[int] = Counter()
    for bucket, owner in enumerate(owners):
        if owner == rest or kept[owner] >= weights.get(owner, 0):
            owners[bucket] = rest
        else:
            kept[owner] += 1
    return kept


def _ranges(owners: Sequence[int], rest: int) -> Iterator[BucketRange]:
    start = 0
    for owner, group in groupby(owners):
        stop = start + sum(1 for _ in group)
        if owner != rest:
            yield BucketRange(owner, start, stop)
        start = stop
