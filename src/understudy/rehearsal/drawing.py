"""Counts drawn by chance, many at once: how many requests came, and how many of them were bad."""

from math import exp, log1p, sqrt
from random import Random
from typing import Final

_SMALL: Final = 50.0
"""Below it counts are drawn exactly, one by one; above, a normal distribution is as good and as fast."""


def draw_poisson(random: Random, mean: float) -> int:
    """How many events there were, when there are so many on average."""
    if mean <= 0:
        return 0
    if mean > _SMALL:
        return max(round(random.gauss(mean, sqrt(mean))), 0)
    limit, product, count = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def draw_binomial(random: Random, total: int, share: float) -> int:
    """How many of so many, when each counts with this probability."""
    if share > 0.5:
        return total - draw_binomial(random, total, 1 - share)
    if total == 0 or share <= 0:
        return 0
    if total * share > _SMALL:
        drawn = round(random.gauss(total * share, sqrt(total * share * (1 - share))))
        return min(max(drawn, 0), total)
    # The gaps between hits are geometric: few draws when there are few hits (Devroye 1986, X.4.2).
    denominator, count, at = log1p(-share), 0, 0
    while True:
        at += int(log1p(-random.random()) / denominator) + 1
        if at > total:
            return count
        count += 1
