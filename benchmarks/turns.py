"""Asks several sides over the same connections, each for some milliseconds at a time, and compares turns.

Sides that are asked for seconds, one after the other, are compared to some hundredths at best: what else the
machine does changes more than that meanwhile, and each process of the load generator is faster or slower than
its twin. Turns of milliseconds within one process meet the same machine.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import mean, median, stdev
from typing import Final, TypedDict

from benchmarks.load import LOADGEN, MICROSECONDS, Load, LoadFailedError, drive
from benchmarks.server_process import ServerProcess
from benchmarks.summary import Ratio

TURN_REQUESTS: Final = 400
TURN_WARM_UP: Final = 100
"""Of one side: some milliseconds; and the first of them, whose time does not count."""
ROUNDS_LEFT_OUT: Final = 20
"""The first: caches are cold."""
BATCHES: Final = 30
"""Of consecutive rounds: their means vary as chance has it, whatever one round has to do with the next."""
CUT: Final = 0.1
"""Of the ratios in a batch, at either end: a turn that was interrupted says nothing of its side."""
SPREAD: Final = 1.699
"""Student's t for nine draws of ten, with a degree of freedom less than there are batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request.

    Attributes:
        path: asked for.
        body: the file with it.
        headers: sent along, or as metadata.
        expectations: the file with what each version answers.
    """

    path: str
    body: Path
    headers: tuple[tuple[str, str], ...]
    expectations: Path

    def describe(self) -> dict[str, object]:
        """As the load generator reads it."""
        return {
            "path": self.path,
            "body": str(self.body),
            "header": [f"{name}={value}" for name, value in self.headers],
            "expect_output_by_version": str(self.expectations),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What came back for one side.

    Attributes:
        took_us: its turns, but for their first requests.
        failed: requests without a good answer, or with another version's.
        histogram: good answers by latency, at the upper bounds of buckets in microseconds.
    """

    took_us: tuple[float, ...]
    failed: int
    histogram: Counter[float]

    @property
    def throughput(self) -> float:
        """Answers a second, in the turn in the middle."""
        return (TURN_REQUESTS - TURN_WARM_UP) * MICROSECONDS / median(self.took_us)


def take_turns(
    server: ServerProcess, load: Load, sides: Sequence[Sequence[Asked]], folder: Path
) -> tuple[Turns, ...]:
    """Asks the sides in turn; of each, its requests one after the other.

    Args:
        server: that is asked.
        load: by which protocol, how many at once, and for how long all in all.
        sides: what takes turns.
        folder: for files.

    Raises:
        LoadFailedError: the load generator says why.
    """
    address = server.grpc if load.protocol == "grpc" else server.rest
    beside = [_write(folder / f"beside-{number}.json", side) for number, side in enumerate(sides)]
    command = [
        *(str(LOADGEN), "--protocol", load.protocol, "--address", str(address)),
        *(f"--beside={file}" for file in beside),
        *("--connections", str(load.connections), "--streams-per-connection", str(load.streams)),
        *("--turn-requests", str(TURN_REQUESTS), "--turn-warm-up", str(TURN_WARM_UP)),
        *("--duration", f"{load.seconds:g}", "--histogram"),
    ]
    return _parse(json.loads(drive(server, load, command)))


def compare_turns(own: Sequence[float], others: Sequence[Sequence[float]]) -> Ratio:
    """The ratio of answers a second to those of others, and where chance leaves it nine times in ten.

    Each round gives a ratio for each of the others. Their logarithms are as likely to be above what is looked
    for as below it, whatever hits one turn or another, so that those at both ends can be cut off alike.

    Args:
        own: how long its turns took, round by round.
        others: the same of those that it is compared with.
    """
    size = max(1, len(own) // BATCHES)
    starts = range(0, len(own) - size + 1, size)
    batches = [_log_ratio(own, others, slice(start, start + size)) for start in starts]
    middle = mean(batches)
    margin = SPREAD * stdev(batches) / math.sqrt(len(batches)) if len(batches) > 1 else math.inf
    low, ratio, high = (math.exp(value) for value in (middle - margin, middle, middle + margin))
    return Ratio(ratio=round(ratio, 4), low=round(low, 4), high=round(high, 4))


def _log_ratio(own: Sequence[float], others: Sequence[Sequence[float]], rounds: slice) -> float:
    pairs = chain.from_iterable(zip(own[rounds], other[rounds], strict=True) for other in others)
    logs = sorted(math.log(theirs / mine) for mine, theirs in pairs)
    cut = int(CUT * len(logs))
    return mean(logs[cut : len(logs) - cut])


def _write(file: Path, side: Sequence[Asked]) -> Path:
    file.write_text(json.dumps([asked.describe() for asked in side]), encoding="utf-8")
    return file


class _Side(TypedDict):
    failed: int
    mixed: int
    latency_histogram_us: list[tuple[float, int]]


class _Report(TypedDict):
    sides: list[_Side]
    rounds_us: list[list[float]]


def _parse(report: _Report) -> tuple[Turns, ...]:
    rounds = report["rounds_us"][ROUNDS_LEFT_OUT:]
    if not rounds:
        raise LoadFailedError(f"too short a time: it came to no more than {ROUNDS_LEFT_OUT} rounds")
    return tuple(
        Turns(
            took_us=took_us,
            failed=side["failed"] + side["mixed"],
            histogram=Counter(dict(side["latency_histogram_us"])),
        )
        for side, took_us in zip(report["sides"], zip(*rounds, strict=True), strict=True)
    )
