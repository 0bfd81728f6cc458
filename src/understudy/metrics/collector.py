"""All readings of a live server at one moment, and counters by name for whoever asks for a few of them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from understudy.clock import Calendar
from understudy.control.picture import Picture
from understudy.dataplane._native import Statistics
from understudy.dataplane.options import DataPlaneOptions
from understudy.metrics import catalogue
from understudy.metrics.control_plane import read_picture
from understudy.metrics.data_plane import read_statistics
from understudy.metrics.metric import Kind
from understudy.metrics.readings import Reading, Spread
from understudy.metrics.tallies import Tallies
from understudy.metrics.traffic import read_traffic

MICROSECONDS: Final = 1_000_000

LOAD_ATTEMPTS_IN_TENSORFLOW: Final = "/tensorflow/cc/saved_model/load_attempt_count"
LOAD_LATENCY_IN_TENSORFLOW: Final = "/tensorflow/cc/saved_model/load_latency"
"""TensorFlow's own counts cannot be read: told are attempts to load that ended, and their microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where readings come from. Each function may be called from any thread, and waits for nobody.

    Attributes:
        calendar: of the control loop's clock.
        picture: the control loop's last one.
        statistics: a snapshot of the data plane's.
        serving_counters: what the data plane counts under TensorFlow Serving's names, over all labels.
        tallies: what is counted as it happens.
        phase: where the server is in its life.
        phases: all that it may be in.
        software_version: of this program.
        limits: what the doors allow.
        memory_limit_bytes: of all reservations together; none: no limit.
    """

    calendar: Calendar
    picture: Callable[[], Picture]
    statistics: Callable[[], Statistics]
    serving_counters: Callable[[], Mapping[str, int]]
    tallies: Tallies
    phase: Callable[[], str]
    phases: Sequence[str]
    software_version: str
    limits: DataPlaneOptions
    memory_limit_bytes: int | None = None


class Collector:
    """Reads everything when asked, and keeps nothing. Every method may be called from any thread."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def readings(self) -> Iterator[Reading | Spread]:
        """All of them; each pair of metric and labels once."""
        picture = self._sources.picture()
        yield from self._read_server(picture)
        yield from read_picture(picture, self._sources.calendar.seconds)
        yield from read_traffic(picture, self._sources.calendar.seconds)
        yield from (each for each in self._sources.tallies.read() if _is_of_here(each, picture))
        yield from read_statistics(self._sources.statistics())

    def values(self, names: Collection[str]) -> dict[str, int]:
        """The sum of each of these counters over all its labels; 0 when there is none of the name.

        Args:
            names: as on the metrics page; of TensorFlow Serving's as it registers them, with slashes.
        """
        if not names:
            return {}
        sums: defaultdict[str, float] = defaultdict(float, self._sources.serving_counters())
        for each in self._counts():
            sums[each.metric.name] += each.value
        loads = self._loads()
        sums[LOAD_ATTEMPTS_IN_TENSORFLOW] = sum(each.count for each in loads)
        sums[LOAD_LATENCY_IN_TENSORFLOW] = sum(each.sum for each in loads) * MICROSECONDS
        return {name: round(sums.get(name, 0)) for name in names}

    def _read_server(self, picture: Picture) -> Iterator[Reading]:
        sources = self._sources
        yield Reading(catalogue.BUILD_INFO, (sources.software_version,), 1)
        phase = sources.phase()
        yield from (Reading(catalogue.PHASE, (each,), each == phase) for each in sources.phases)
        yield Reading(catalogue.CONFIG_REVISION, (), picture.config_revision)
        limits = sources.limits
        yield Reading(catalogue.IN_FLIGHT_LIMIT, (), limits.in_flight_max)
        yield Reading(catalogue.CONNECTIONS_LIMIT, (), limits.connections_max)
        yield Reading(catalogue.BUFFERED_BYTES_LIMIT, (), limits.buffered_bytes_max)
        if sources.memory_limit_bytes is not None:
            yield Reading(catalogue.MEMORY_LIMIT, (), sources.memory_limit_bytes)

    def _counts(self) -> Iterator[Reading]:
        for each in (*self._sources.tallies.read(), *read_statistics(self._sources.statistics())):
            if isinstance(each, Reading) and each.metric.kind is Kind.COUNTER:
                yield each

    def _loads(self) -> list[Spread]:
        read = self._sources.tallies.read()
        return [each for each in read if isinstance(each, Spread) and each.metric is catalogue.LOAD_DURATION]


def _is_of_here(reading: Reading | Spread, picture: Picture) -> bool:
    """Counts of models that nobody remembers any more are not told."""
    if reading.metric.labels[:1] != ("model",):
        return True
    model = reading.labels[0]
    return model in picture.configured or model in picture.models
