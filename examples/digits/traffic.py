"""A client process: asks for held-out digits at a steady pace, and writes down each answer. Run by the demo.

    python -m examples.digits.traffic --door grpc --address 127.0.0.1:8500 --staging DIR --record FILE

Ends when its standard input closes, on SIGTERM, or after --seconds, whichever comes first.
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from examples.digits.answers import DOORS, Answer
from examples.digits.doors import Door, FailedRequestError, Image, Reply, open_door

BATCH = 4
RATE_PER_S = 40.0
SECONDS_MAX = 600.0
TOLERANCE = 1e-4
HELD_OUT_FILE = "held_out.json"
ANSWERS_FILE = "answers.json"


class Digits:
    """The held-out digits, and what each version scores them, as its training wrote it down."""

    def __init__(self, staging: Path) -> None:
        held_out = json.loads((staging / HELD_OUT_FILE).read_text(encoding="utf-8"))
        self._images: list[list[float]] = held_out["images"]
        self._labels: list[int] = held_out["labels"]
        scores = json.loads((staging / ANSWERS_FILE).read_text(encoding="utf-8"))
        self._scores: dict[int, list[list[float]]] = {int(version): rows for version, rows in scores.items()}

    def batches(self) -> Iterator[range]:
        """Which images to ask for, round and round."""
        while True:
            for start in range(0, len(self._images) - BATCH + 1, BATCH):
                yield range(start, start + BATCH)

    def images(self, batch: range) -> list[Image]:
        """The images of a batch."""
        return [self._images[index] for index in batch]

    def count_right(self, batch: range, classes: Sequence[int]) -> int:
        """How many were recognised."""
        return sum(seen == self._labels[index] for index, seen in zip(batch, classes, strict=True))

    def version_of(self, batch: range, scores: Sequence[Sequence[float]]) -> int | None:
        """The version that scores these images so; none: no single one does."""
        for version, expected in self._scores.items():
            if all(_close(row, expected[index]) for index, row in zip(batch, scores, strict=True)):
                return version
        return None


def _close(left: Sequence[float], right: Sequence[float]) -> bool:
    return all(abs(a - b) < TOLERANCE for a, b in zip(left, right, strict=True))


def ask(door: Door, name: str, digits: Digits, batch: range) -> Answer:
    """One request, whatever becomes of it."""
    try:
        reply = door.classify(digits.images(batch))
    except FailedRequestError as error:
        return Answer(
            at=time.time(), door=name, version=None, asked=0, right=0, mixed=False, failure=str(error)
        )
    return judge(reply, name, digits, batch)


def judge(reply: Reply, name: str, digits: Digits, batch: range) -> Answer:
    """Who answered, whether the numbers are that version's, and how many are right."""
    by_scores = digits.version_of(batch, reply.scores)
    named = by_scores if reply.version is None else reply.version
    return Answer(
        at=time.time(),
        door=name,
        version=named,
        asked=len(batch),
        right=digits.count_right(batch, reply.classes),
        mixed=by_scores is None or by_scores != named,
        failure="",
    )


def paced(seconds: float, stopped: threading.Event, *, rate_per_s: float = RATE_PER_S) -> Iterator[None]:
    """One turn at each due time, until time is up or somebody says stop."""
    start = time.monotonic()
    for number in range(int(seconds * rate_per_s)):
        if stopped.wait(max(0.0, start + number / rate_per_s - time.monotonic())):
            return
        yield


def wait_stdin_closed(stopped: threading.Event) -> None:
    """Stops the client when whoever started it is gone."""
    sys.stdin.read()
    stopped.set()


def main() -> int:
    """Parses the command line and asks."""
    parser = argparse.ArgumentParser(description="Steady traffic from one client.")
    parser.add_argument("--door", choices=DOORS, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--staging", type=Path, required=True, help="what examples.digits.train wrote")
    parser.add_argument("--record", type=Path, required=True, help="one JSON line for each request")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX)
    arguments = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopped.set())
    threading.Thread(target=wait_stdin_closed, args=(stopped,), daemon=True).start()
    name, digits = arguments.door, Digits(arguments.staging)
    door = open_door(name, arguments.address)
    turns = paced(min(arguments.seconds, SECONDS_MAX), stopped)
    with arguments.record.open("w", encoding="utf-8", buffering=1) as record:
        for batch, _turn in zip(digits.batches(), turns, strict=False):
            record.write(ask(door, name, digits, batch).to_line())
    return 0


if __name__ == "__main__":
    sys.exit(main())
