"""What a metric is. Which there are is the catalogues' affair."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a metric's values behave."""

    GAUGE = "gauge"
    """Goes up and down."""
    COUNTER = "counter"
    """Only grows, from the start of the process."""
    HISTOGRAM = "histogram"
    """Counts observations by size, with their sum."""


class Subject(Enum):
    """What a metric is about."""

    SERVER = "The server"
    MODEL = "A model"
    VERSION = "A version"
    ROLLOUT = "A rollout"
    REQUESTS = "Requests"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as Prometheus knows it, unit last; a counter's ends in `_total`.
        kind: how its values behave.
        subject: what it is about.
        labels: names of its labels.
        help: what it means; a sentence without its full stop.
    """

    name: str
    kind: Kind
    subject: Subject
    labels: tuple[str, ...]
    help: str
