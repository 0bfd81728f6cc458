"""The order of measuring: always A, B, A, B, so that a slow minute of the machine hits both."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.half_plus_two_model import publish, withdraw
from benchmarks.load import Load, Measurement, Question, measure
from benchmarks.server_process import ServerProcess
from benchmarks.summary import Series

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that are measured in turn.

    Attributes:
        name: of the server, for the report.
        situation: `steady` or `changing`.
        server: to ask.
        around: what goes on during each round.
    """

    name: str
    situation: str
    server: ServerProcess
    around: Callable[[], AbstractContextManager[None]] = nullcontext


class Publisher:
    """Publishes one version after another, and takes the oldest away; numbers never repeat."""

    def __init__(self, variants: Path, base_path: Path, *, interval_s: float) -> None:
        self._variants = variants
        self._base_path = base_path
        self._interval_s = interval_s
        self.newest = 1
        publish(variants, base_path, self.newest)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Changes versions for as long as the context lasts."""
        stopped = threading.Event()
        thread = threading.Thread(target=self._publish_until, args=(stopped,))
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()

    def _publish_until(self, stopped: threading.Event) -> None:
        while not stopped.wait(self._interval_s):
            publish(self._variants, self._base_path, self.newest + 1)
            self.newest += 1
            if self.newest > 2:  # the version before stays until it is replaced
                withdraw(self._base_path, self.newest - 2)


def alternate(sides: list[Side], load: Load, question: Question, *, rounds: int, say: Say) -> list[Series]:
    """Measures each side in turn, `rounds` times; one series for each side."""
    measured: list[list[Measurement]] = [[] for _ in sides]
    for number in range(rounds):
        for side, results in zip(sides, measured, strict=True):
            with side.around():
                result = measure(side.server, load, question)
            results.append(result)
            shown = f"{result.throughput:8.0f}/s, {result.failed} failed"
            rate = "" if load.rate is None else f" at {load.rate:.0f}/s"
            say(
                f"{load.protocol} x {load.concurrency}{rate}, {side.name} {side.situation}, "
                f"round {number + 1} of {rounds}: {shown}"
            )
    return [
        Series(server=side.name, situation=side.situation, load=load, rounds=tuple(results))
        for side, results in zip(sides, measured, strict=True)
    ]
