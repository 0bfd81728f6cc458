"""Weights by hand become buckets, so that as few callers as can be change their version."""

from collections.abc import Mapping
from dataclasses import dataclass

from understudy.buckets import Ranges, remainder, reweigh


@dataclass(frozen=True, slots=True)
class Split:
    """Who answers which buckets.

    Attributes:
        rest: the version that answers what no range names.
        ranges: of the others.
    """

    rest: int
    ranges: Ranges = ()


def resplit(before: Split, weights: Mapping[int, int], rest: int) -> Split:
    """The split by new weights, by the rule of `reweigh`.

    Another version may answer the rest from now on: both keep the buckets they had, as far as weights go.

    Args:
        before: who answers so far.
        weights: of each version, in buckets; together all of them.
        rest: the version that is to answer the rest.
    """
    named = {version: weight for version, weight in weights.items() if version != rest}
    if rest == before.rest:
        return Split(rest, reweigh(before.ranges, named))
    whole = (*before.ranges, *remainder(before.rest, before.ranges))
    ranges = reweigh(whole, {**named, rest: weights.get(rest, 0)})
    return Split(rest, tuple(each for each in ranges if each.version != rest))
