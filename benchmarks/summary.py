"""From measurements to the numbers that are published: pure functions of what was measured."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.load import Load, Measurement

DRAWS = 1_000
"""Of rounds, for the bounds of a ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Rounds of one kind.

    Attributes:
        server: `understudy` or `peer`.
        situation: `steady`, or `changing` while versions are published.
        load: what was sent in each round.
        rounds: what came back, in order.
    """

    server: str
    situation: str
    load: Load
    rounds: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A series in numbers: medians over its rounds, and quantiles over all its answers (microseconds)."""

    server: str
    situation: str
    protocol: str
    concurrency: int
    rate: float | None
    rounds: int
    throughput: float
    throughput_min: float
    throughput_max: float
    p50: float
    p99: float
    p999: float
    max: float
    ok: int
    failed: int
    mixed: int
    unsent: int
    server_cpu_us: float
    generator_cpu_us: float


def summarize(series: Series) -> Row:
    """One row of the published table."""
    rounds = series.rounds
    throughputs = [each.throughput for each in rounds]
    merged = merge(each.histogram for each in rounds)
    return Row(
        server=series.server,
        situation=series.situation,
        protocol=series.load.protocol,
        concurrency=series.load.concurrency,
        rate=series.load.rate,
        rounds=len(rounds),
        throughput=median(throughputs),
        throughput_min=min(throughputs),
        throughput_max=max(throughputs),
        p50=quantile(merged, 0.5),
        p99=quantile(merged, 0.99),
        p999=quantile(merged, 0.999),
        max=max(merged, default=0.0),
        ok=sum(each.ok for each in rounds),
        failed=sum(each.failed for each in rounds),
        mixed=sum(each.mixed for each in rounds),
        unsent=sum(each.unsent for each in rounds),
        server_cpu_us=round(median(each.server_cpu_us for each in rounds), 1),
        generator_cpu_us=round(median(each.generator_cpu_us for each in rounds), 1),
    )


def merge(histograms: Iterable[Counter[float]]) -> Counter[float]:
    """All answers of several rounds as one distribution."""
    merged: Counter[float] = Counter()
    for histogram in histograms:
        merged.update(histogram)
    return merged


def quantile(histogram: Counter[float], share: float) -> float:
    """The latency that this share of answers did not exceed; 0 without answers."""
    wanted = share * histogram.total()
    passed = 0
    for upper_bound in sorted(histogram):
        passed += histogram[upper_bound]
        if passed >= wanted:
            return upper_bound
    return 0.0


def pair_ratios(above: Sequence[float], below: Sequence[float], *, digits: int = 2) -> list[float]:
    """Ratio of each round to the round beside it: what drifts on the machine over minutes cancels out."""
    return [round(top / bottom, digits) for top, bottom in zip(above, below, strict=True) if bottom > 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How two sides compare, and within which bounds chance leaves it nine times in ten."""

    ratio: float
    low: float
    high: float


def compare(own: Sequence[float], alone: Sequence[float], share: float) -> Ratio:
    """The ratio of two sides' values at this share of their rounds; its bounds by drawing rounds again."""
    rounds = list(zip(own, alone, strict=True))
    draw = random.Random(0)  # noqa: S311 - nothing is secret
    drawn = sorted(_ratio(draw.choices(rounds, k=len(rounds)), share) for _ in range(DRAWS))
    return Ratio(ratio=_ratio(rounds, share), low=drawn[DRAWS // 20], high=drawn[-1 - DRAWS // 20])


def _ratio(rounds: Sequence[tuple[float, float]], share: float) -> float:
    place = int(share * (len(rounds) - 1))
    own, alone = (sorted(each[side] for each in rounds)[place] for side in (0, 1))
    return round(own / alone, 3)
