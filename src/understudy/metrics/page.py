"""The metrics page in Prometheus' text format. The only file that knows prometheus_client.

It is imported when the first page is asked for: it costs a tenth of a second, which a start need not pay.
"""

import threading
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import (
    Metric as Family,
)

from understudy.metrics.catalogue import CATALOGUE
from understudy.metrics.collector import Collector
from understudy.metrics.metric import Kind, Metric
from understudy.metrics.readings import Reading, Spread

_COUNTER_SUFFIX = "_total"
_INFINITY = "+Inf"


class _Readings:
    """Prometheus' idea of a collector, over ours."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def describe(self) -> Iterable[Family]:
        """What it will yield; asked once, so that nothing need be read at that time."""
        return [_new_family(metric) for metric in CATALOGUE]

    def collect(self) -> Iterable[Family]:
        families = {metric.name: _new_family(metric) for metric in CATALOGUE}
        for reading in self._collector.readings():
            _add(families[reading.metric.name], reading)
        return [family for family in families.values() if family.samples]


class MetricsPage:
    """Draws the page; one at a time, because of ten thousand models it is large."""

    def __init__(self, collector: Collector) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Readings(collector))
        ProcessCollector(registry=self._registry)
        self._drawing = threading.Lock()

    def draw(self) -> bytes:
        """The page, now."""
        with self._drawing:
            return generate_latest(self._registry)


def _new_family(metric: Metric) -> Family:
    match metric.kind:
        case Kind.COUNTER:
            name = metric.name.removesuffix(_COUNTER_SUFFIX)
            return CounterMetricFamily(name, metric.help, labels=metric.labels)
        case Kind.HISTOGRAM:
            return HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        case _:
            return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _add(family: Family, reading: Reading | Spread) -> None:
    match family, reading:
        case (GaugeMetricFamily() | CounterMetricFamily(), Reading()):
            family.add_metric(reading.labels, reading.value)
        case (HistogramMetricFamily(), Spread()):
            counts = (
                *zip(map(str, reading.bounds), reading.counts, strict=True),
                (_INFINITY, reading.count),
            )
            family.add_metric(reading.labels, counts, reading.sum)
        case _:
            raise AssertionError(f"{reading.metric.name} is read as what it is not")
