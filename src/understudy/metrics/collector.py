"""All readings of a live server at one moment, and counters by name for whoever asks for a few of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from understudy.clock import Calendar
from understudy.control.picture import Picture
from understudy.dataplane._native import Statistics
from understudy.metrics import catalogue
from understudy.metrics.catalogue import Kind
from understudy.metrics.control_plane import read_picture
from understudy.metrics.data_plane import read_statistics
from understudy.metrics.readings import Reading, Spread
from understudy.metrics.tallies import Tallies

MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where readings come from. Each function may be called from any thread, and waits for nobody.

    Attributes:
        calendar: of the control loop's clock.
        picture: the control loop's last one.
        statistics: a snapshot of the data plane's.
        tallies: what is counted as it happens.
        phase: where the server is in its life.
        phases: all that it may be in.
        software_version: of this program.
        memory_limit_bytes: of all reservations together; none: no limit.
    """

    calendar: Calendar
    picture: Callable[[], Picture]
    statistics: Callable[[], Statistics]
    tallies: Tallies
    phase: Callable[[], str]
    phases: Sequence[str]
    software_version: str
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
        yield from (each for each in self._sources.tallies.read() if _is_of_here(each, picture))
        yield from read_statistics(self._sources.statistics())

    def value(self, name: str) -> int:
        """The sum of a counter over all its labels; 0 when there is none of the name.

        Args:
            name: as on the metrics page, or one of TensorFlow Serving's that has an equivalent here.
        """
        equivalent = self.EQUIVALENTS.get(name)
        if equivalent is not None:
            return equivalent(self)
        return round(sum(each.value for each in self._counts() if each.metric.name == name))

    def _read_server(self, picture: Picture) -> Iterator[Reading]:
        sources = self._sources
        yield Reading(catalogue.BUILD_INFO, (sources.software_version,), 1)
        phase = sources.phase()
        yield from (Reading(catalogue.PHASE, (each,), each == phase) for each in sources.phases)
        yield Reading(catalogue.CONFIG_REVISION, (), picture.config_revision)
        if sources.memory_limit_bytes is not None:
            yield Reading(catalogue.MEMORY_LIMIT, (), sources.memory_limit_bytes)

    def _counts(self) -> Iterator[Reading]:
        for each in (*self._sources.tallies.read(), *read_statistics(self._sources.statistics())):
            if isinstance(each, Reading) and each.metric.kind is Kind.COUNTER:
                yield each

    def _requests(self) -> int:
        return self.value(catalogue.REQUESTS.name)

    def _load_attempts(self) -> int:
        return sum(each.count for each in self._loads())

    def _load_microseconds(self) -> int:
        return round(sum(each.sum for each in self._loads()) * MICROSECONDS)

    def _loads(self) -> list[Spread]:
        read = self._sources.tallies.read()
        return [each for each in read if isinstance(each, Spread) and each.metric is catalogue.LOAD_DURATION]

    EQUIVALENTS: Final = {
        "/tensorflow/serving/request_count": _requests,
        "/tensorflow/cc/saved_model/load_attempt_count": _load_attempts,
        "/tensorflow/cc/saved_model/load_latency": _load_microseconds,
    }
    """TensorFlow Serving's names: requests answered; attempts to load that ended, and their microseconds."""


def _is_of_here(reading: Reading | Spread, picture: Picture) -> bool:
    """Counts of models that nobody remembers any more are not told."""
    if reading.metric.labels[:1] != ("model",):
        return True
    model = reading.labels[0]
    return model in picture.configured or model in picture.models
