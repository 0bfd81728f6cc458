"""Values of metrics at one moment, as data; which library writes them down is page.py's affair."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from understudy.metrics.metric import Metric


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a gauge or a counter.

    Attributes:
        metric: of which.
        labels: values of its labels, in the metric's order.
        value: now.
    """

    metric: Metric
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Spread:
    """One histogram's counts.

    Attributes:
        metric: of which.
        labels: values of its labels, in the metric's order.
        bounds: upper bounds, ascending.
        counts: how many observations were at most as large as each bound.
        count: of all observations.
        sum: of all observations.
    """

    metric: Metric
    labels: tuple[str, ...]
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    sum: float


@dataclass(slots=True)
class Observations:
    """A histogram that grows. Owned by whoever made it."""

    bounds: tuple[float, ...]
    sum: float = 0.0
    _within: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._within = [0] * (len(self.bounds) + 1)

    def add(self, size: float) -> None:
        """Counts one observation."""
        self._within[bisect_left(self.bounds, size)] += 1
        self.sum += size

    def read(self, metric: Metric, labels: tuple[str, ...]) -> Spread:
        """What was counted so far."""
        counts = _running_sums(self._within)
        return Spread(metric, labels, self.bounds, counts[:-1], counts[-1], self.sum)


def _running_sums(numbers: Sequence[int]) -> tuple[int, ...]:
    sums = []
    total = 0
    for number in numbers:
        total += number
        sums.append(total)
    return tuple(sums)
