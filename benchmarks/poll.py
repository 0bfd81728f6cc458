"""Measures one poll of many unchanged models: from the looks to the control loop's decision.

    python -m benchmarks.poll                  ten thousand models
    python -m benchmarks.poll --models 1000

Every model has one version, which serves and is guarded: looked at, found unchanged, and decided on.
Processor time of the whole process, over polls one second apart, as a server makes them. Beside it, in the
same process, what it costs to list each base path, with nothing remembered and nothing decided.
"""

import argparse
import datetime as dt
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.machine import Machine, describe
from understudy.clock import SystemClock
from understudy.control.desk import Desk
from understudy.control.facts import ConfigOrder
from understudy.control.judging import Judge
from understudy.control.traffic_desk import TrafficDesk
from understudy.lifecycle.manager import Manager
from understudy.model_config import ModelConfig, ServerConfig
from understudy.servable import FoundVersions, Inspected, Loaded
from understudy.sources.directory import fingerprint
from understudy.sources.filesystem import FileSystemSource
from understudy.store.revision import Draft, Origin
from understudy.store.store import Store

BUDGET_S = 0.5
"""Of one core, for a poll of ten thousand models: what the project has set itself."""
ROUNDS = 15
LONG_AGO = 1_600_000_000.0
PLATFORM = "synthetic"
RESULTS = Path(__file__).parent / "results"


class PollResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how. Seconds are processor seconds of one poll.

    Attributes:
        date: of the run.
        machine: it was made on.
        command: that makes it again.
        models: looked at, each with one version, which serves.
        poll_s: median of the rounds.
        poll_max_s: the slowest round.
        look_s: of the median, what source and looks cost; the rest is the control loop's.
        naive_s: listing each base path, and nothing else.
    """

    date: str
    machine: Machine
    command: str
    models: int
    poll_s: float
    poll_max_s: float
    look_s: float
    naive_s: float


class Server:
    """A source and a desk without threads of their own, and without a data plane: loads succeed at once."""

    def __init__(self, folder: Path, models: int) -> None:
        self.clock = SystemClock()
        store = Store(self.clock)
        self.desk = Desk(
            Manager(),
            Judge(platforms=frozenset({PLATFORM})),
            ledger=store.revisions,
            traffic=TrafficDesk(store.rollouts),
        )
        self.source = FileSystemSource(self.clock, self._take, poll_interval_s=-1)
        self.look_s = 0.0
        self._looks: tuple[FoundVersions, ...] = ()
        named = [f"model-{number:05}" for number in range(models)]
        config = ServerConfig(tuple(ModelConfig(name, str(folder / name), PLATFORM) for name in named))
        self.desk.take_order(ConfigOrder(config=config, record=Draft(Origin.STARTUP, "benchmark", "")))

    def poll(self) -> int:
        """One poll and what follows from it; how many inspections and loads that were."""
        begun_at = time.process_time()
        self.source.poll()
        self.look_s = time.process_time() - begun_at
        self.desk.see(self._looks, self.clock.now())
        return self._tick()

    def settle(self) -> None:
        """Until every version serves and is guarded, and nothing is watched any more."""
        self._tick()
        while self.poll() or self._tick():
            pass

    def _take(self, looks: tuple[FoundVersions, ...]) -> None:
        self._looks = looks

    def _tick(self) -> int:
        turn = self.desk.decide(self.clock.now())
        if turn.models is not None:
            self.source.set_models(turn.models)
        if turn.guarded is not None:
            self.source.guard(turn.guarded)
        if turn.watched:
            self.source.watch(turn.watched)
        if turn.routes is not None:
            self.desk.note_published(turn.routes)
        for inspect in turn.inspections:
            self.desk.finish(Inspected(inspect.servable, inspect.path, 0, fingerprint(inspect.path)))
        for load, _ in turn.loads:
            self.desk.finish(Loaded(load.servable, 0.0))
        return len(turn.inspections) + len(turn.loads)


def lay_out(folder: Path, models: int) -> None:
    """Base paths of one version each, last changed long ago."""
    for number in range(models):
        base_path = folder / f"model-{number:05}"
        (base_path / "1").mkdir(parents=True)
        (base_path / "1" / "saved_model.pb").write_bytes(b"a graph")
        os.utime(base_path, (LONG_AGO, LONG_AGO))


def list_each(folder: Path, models: int) -> float:
    """Processor seconds of listing every base path."""
    begun_at = time.process_time()
    for number in range(models):
        with os.scandir(folder / f"model-{number:05}") as entries:
            sorted(entry.name for entry in entries if entry.is_dir())
    return time.process_time() - begun_at


def run(folder: Path, models: int) -> PollResults:
    """Lays the models out, lets them settle, polls."""
    machine = describe()
    lay_out(folder, models)
    server = Server(folder, models)
    server.settle()
    polls, looks, naive = [], [], []
    for _ in range(ROUNDS):
        naive.append(list_each(folder, models))
        begun_at = time.process_time()
        orders = server.poll()
        polls.append(time.process_time() - begun_at)
        looks.append(server.look_s)
        assert orders == 0  # noqa: S101 - of an unchanged model nothing is ordered
        time.sleep(1.0)
    return PollResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command=f"python -m benchmarks.poll --models {models}",
        models=models,
        poll_s=median(polls),
        poll_max_s=max(polls),
        look_s=median(looks),
        naive_s=median(naive),
    )


def render(results: PollResults) -> str:
    """The page."""
    machine = results.machine
    return f"""\
# One poll of {results.models:,} unchanged models, {results.date}

{machine.cpu_model}, {machine.cores} cores, {machine.kernel}, Python {machine.python}; commit {machine.commit}; load average before: {machine.load_average}.

`{results.command}`

| processor time of one poll | seconds | times the budget of {BUDGET_S:g} s |
| --- | ---: | ---: |
| median of {ROUNDS} | {results.poll_s:.3f} | {results.poll_s / BUDGET_S:.2f} |
| slowest of {ROUNDS} | {results.poll_max_s:.3f} | {results.poll_max_s / BUDGET_S:.2f} |
| of the median: source and looks | {results.look_s:.3f} | |
| listing every base path, and nothing else | {results.naive_s:.3f} | |

A poll costs {results.poll_s / results.naive_s:.2f} times what listing alone would cost.

How: every model has one version, which serves; its base path last changed long ago. Source, looks, fingerprints
in turn, `Desk.see` and `Desk.decide` in one process; polls one second apart, each with its listing beside it;
processor time of all threads of the process. Directories and inodes are in the kernel's cache.
"""  # noqa: E501 - lines of the page


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures one poll of many unchanged models.")
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="understudy-poll-") as folder:
        results = run(Path(folder), arguments.models)
    page = render(results)
    stem = f"poll-{results.date}-{results.machine.slug}"
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / f"{stem}.md").write_text(page, encoding="utf-8")
    (arguments.results / f"{stem}.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(results)) + b"\n"
    )
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
