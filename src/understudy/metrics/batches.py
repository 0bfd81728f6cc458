"""Readings of the batches of each version. Pure."""

from collections.abc import Iterable, Iterator

from understudy.dataplane._native import BatchStatistics, ServableStatistics
from understudy.metrics import catalogue
from understudy.metrics.readings import Reading, Spread


def read_batches(servables: Iterable[ServableStatistics]) -> Iterator[Reading | Spread]:
    """Of the versions that are batched; what is loaded twice under one number is added up."""
    batches: dict[tuple[str, str], list[BatchStatistics]] = {}
    for each in servables:
        if each.batches is not None:
            batches.setdefault((each.model, str(each.version)), []).append(each.batches)
    for labels, rows in batches.items():
        yield Reading(catalogue.BATCH_FILLED_ROWS, labels, sum(each.filled_rows for each in rows))
        yield _read_sizes(labels, rows)
        yield _read_queue_times(labels, rows)


def _read_sizes(labels: tuple[str, str], rows: list[BatchStatistics]) -> Spread:
    """The last bound stands for all that are larger, too."""
    bounds = tuple(float(bound) for bound, _ in rows[0].counts_by_rows)
    counts = _add_up([count for _, count in each.counts_by_rows] for each in rows)
    total = float(sum(each.rows for each in rows))
    return Spread(catalogue.BATCH_ROWS, labels, bounds[:-1], counts[:-1], counts[-1], total)


def _read_queue_times(labels: tuple[str, str], rows: list[BatchStatistics]) -> Spread:
    bounds = tuple(bound for bound, _ in rows[0].queue_counts_s)
    counts = _add_up([count for _, count in each.queue_counts_s] for each in rows)
    total_s = sum(each.queue_sum_s for each in rows)
    return Spread(catalogue.BATCH_QUEUE_TIME, labels, bounds[:-1], counts[:-1], counts[-1], total_s)


def _add_up(counts: Iterable[list[int]]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*counts, strict=True))
