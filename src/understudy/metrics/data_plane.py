"""Readings of one snapshot of the data plane's statistics: requests, runs, what is held. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from understudy.dataplane._native import (
    MethodStatistics,
    RequestLogStatistics,
    ServableStatistics,
    Statistics,
)
from understudy.errors import Code
from understudy.metrics import catalogue
from understudy.metrics.batches import read_batches
from understudy.metrics.readings import Reading, Spread

REQUEST_BOUNDS_S: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
"""From a small model's run to a request that waits."""

_Labels = tuple[str, str, str, str]
"""Model, version, method, door."""


def read_statistics(statistics: Statistics) -> Iterator[Reading | Spread]:
    """All that the snapshot tells."""
    yield from _read_totals(statistics)
    yield from _read_servables(statistics.servables)
    yield from _read_request_logs(statistics.request_logs)
    yield from read_batches(statistics.servables)
    for labels, rows in _by_labels(statistics.methods).items():
        yield from _read_answers(labels, rows)
        yield _read_durations(labels, rows)


def _read_totals(statistics: Statistics) -> Iterator[Reading]:
    yield Reading(catalogue.IN_FLIGHT, (), statistics.in_flight)
    yield Reading(catalogue.CONNECTIONS, ("grpc",), statistics.grpc_connections)
    yield Reading(catalogue.CONNECTIONS, ("rest",), statistics.rest_connections)
    yield Reading(catalogue.BUFFERED_BYTES, (), statistics.buffered_bytes)
    yield Reading(catalogue.OVERLOAD_REFUSALS, (), statistics.refused_overload)
    yield Reading(catalogue.RUN_THREADS, (), statistics.run_threads)
    yield Reading(catalogue.UNLOADED_LATE, (), statistics.unloaded_late)
    yield Reading(catalogue.PANICS, (), statistics.panics)


def _read_servables(servables: Iterable[ServableStatistics]) -> Iterator[Reading]:
    """One number may be loaded twice for a while, from two places: its readings are added up."""
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in servables:
        counts = (each.in_flight, each.runs_inline, each.runs_pooled)
        key = (each.model, str(each.version))
        sums[key] = [before + more for before, more in zip(sums[key], counts, strict=True)]
    for labels, (in_flight, runs_inline, runs_pooled) in sums.items():
        yield Reading(catalogue.VERSION_IN_FLIGHT, labels, in_flight)
        yield Reading(catalogue.VERSION_RUNS, (*labels, "inline"), runs_inline)
        yield Reading(catalogue.VERSION_RUNS, (*labels, "pooled"), runs_pooled)


def _read_request_logs(logs: Iterable[RequestLogStatistics]) -> Iterator[Reading]:
    for each in logs:
        yield Reading(catalogue.REQUEST_LOG_RECORDS, (each.model, "written"), each.written)
        yield Reading(catalogue.REQUEST_LOG_RECORDS, (each.model, "dropped"), each.dropped)
        yield Reading(catalogue.REQUEST_LOG_RECORDS, (each.model, "failed"), each.failed)


def _by_labels(methods: Iterable[MethodStatistics]) -> dict[_Labels, list[MethodStatistics]]:
    """Rows that differ in their signature or in the load that they count since belong together."""
    rows: dict[_Labels, list[MethodStatistics]] = {}
    for row in methods:
        method, _, door = row.method.partition(":")
        version = "" if row.version is None else str(row.version)
        rows.setdefault((row.model, version, method, door), []).append(row)
    return rows


def _read_answers(labels: _Labels, rows: Iterable[MethodStatistics]) -> Iterator[Reading]:
    """OK always, so that there is something to divide by; other codes once they occur."""
    sums = [sum(counts) for counts in zip(*(row.counts_by_code for row in rows), strict=True)]
    for code, count in enumerate(sums):
        if count or code == Code.OK:
            yield Reading(catalogue.REQUESTS, (*labels, Code(code).name), count)


def _read_durations(labels: _Labels, rows: Iterable[MethodStatistics]) -> Spread:
    each = [(row.latency_counts(REQUEST_BOUNDS_S), row) for row in rows]
    counts = tuple(sum(column) for column in zip(*(counts for counts, _ in each), strict=True))
    # A row's counts are read before its histogram, while requests go on: no bucket may count more than all.
    count = max(sum(row.counts_by_code[Code.OK] for _, row in each), counts[-1])
    total_s = sum(row.latency_sum_s for _, row in each)
    return Spread(catalogue.REQUEST_DURATION, labels, REQUEST_BOUNDS_S, counts, count, total_s)
