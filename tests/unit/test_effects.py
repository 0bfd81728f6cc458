"""Effects on their pools: what is reported of loads that change under their feet, hang, or are withdrawn."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from understudy.control.effects import Effects, EffectSettings, Hands, Inspection
from understudy.errors import Code, DataPlaneError
from understudy.lifecycle import Inspect, Load, Unload, Withdraw
from understudy.servable import (
    Inspected,
    Loaded,
    LoadFailed,
    LoadOverdue,
    LoadWithdrawn,
    Outcome,
    ServableId,
    Unloaded,
    WarmUp,
)
from understudy.sources.directory import look_at_files
from understudy.testing import ManualClock

TIMEOUT_S = 20
GROWN_BYTES = 50_000_000
ONE = ServableId("m", 1)


class Models:
    """The edge of the world: a loader whose loads do what their version's number says."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.began = threading.Event()
        self.held: dict[ServableId, bytes] = {}
        self.unloaded: list[ServableId] = []

    def load(self, servable: ServableId, path: str, platform: str) -> WarmUp:
        assert platform == "test"
        match Path(path).name:
            case "hangs":
                self.began.set()
                assert self.let_go.wait(TIMEOUT_S)
            case "rewritten":
                (Path(path) / "weights").write_text("other contents")
            case "broken":
                raise DataPlaneError(Code.DATA_LOSS, "cannot be read")
            case "large":
                self.held[servable] = b"x" * GROWN_BYTES
            case "brings requests":
                return WarmUp(3, 0.1)
        return WarmUp()

    def unload(self, servable: ServableId, *, drain_timeout_s: float) -> int:
        del drain_timeout_s
        self.unloaded.append(servable)
        return 0


class Bench:
    """Effects, and what they report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = Models()
        self.clock = ManualClock()
        self.outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        settings = EffectSettings(load_threads=1, unload_threads=1, load_timeout_s=30.0)
        hands = Hands(self.models, self.inspect)
        self.effects = Effects(self.clock, hands, self.outcomes.put, settings)

    def inspect(self, path: str) -> Inspection:
        files = look_at_files(path)
        return Inspection(files.size_bytes, files.fingerprint)

    def next(self) -> Outcome:
        return self.outcomes.get(timeout=TIMEOUT_S)

    def order(self, name: str, servable: ServableId = ONE) -> Load:
        path = self.folder / name
        path.mkdir(exist_ok=True)
        (path / "weights").write_text("contents")
        self.effects.inspect(Inspect(servable, str(path)))
        inspected = self.next()
        assert isinstance(inspected, Inspected)
        assert inspected.estimate_bytes == len("contents")
        load = Load(servable, str(path), 1, inspected.fingerprint)
        self.effects.load(load, "test")
        return load


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.models.let_go.set()
    bench.effects.stop()


def test_a_load_from_files_that_changed_meanwhile_is_thrown_away(bench: Bench) -> None:
    bench.order("rewritten")
    outcome = bench.next()
    assert isinstance(outcome, LoadFailed)
    assert outcome.failure.code is Code.ABORTED
    assert "changed while they were being loaded" in outcome.failure.message
    assert bench.models.unloaded == [ONE]


def test_a_load_of_files_that_nobody_could_inspect_is_taken_at_its_word(bench: Bench) -> None:
    path = bench.folder / "rewritten"
    path.mkdir()
    bench.effects.load(Load(ONE, str(path), 1), "test")
    assert isinstance(bench.next(), Loaded)


def test_what_a_load_did_to_warm_up_is_told(bench: Bench) -> None:
    bench.order("brings requests")
    outcome = bench.next()
    assert isinstance(outcome, Loaded)
    assert outcome.warm_up == WarmUp(3, 0.1)


def test_a_failure_is_reported_with_its_code(bench: Bench) -> None:
    bench.order("broken")
    outcome = bench.next()
    assert isinstance(outcome, LoadFailed)
    assert outcome.failure.code is Code.DATA_LOSS


def test_memory_that_one_load_took_is_measured_when_it_ran_alone(bench: Bench) -> None:
    bench.order("large")
    outcome = bench.next()
    assert isinstance(outcome, Loaded)
    assert outcome.growth_bytes is not None
    assert outcome.growth_bytes > GROWN_BYTES / 2


def test_memory_is_not_told_of_loads_beside_which_something_else_ran(bench: Bench) -> None:
    bench.order("hangs")
    assert bench.models.began.wait(TIMEOUT_S)
    bench.effects.unload(Unload(ServableId("m", 2), "no longer aspired"))
    assert isinstance(bench.next(), Unloaded)
    bench.models.let_go.set()
    outcome = bench.next()
    assert isinstance(outcome, Loaded)
    assert outcome.growth_bytes is None


def test_a_load_that_hangs_is_overdue_once_others_go_on_and_its_own_end_is_still_told(bench: Bench) -> None:
    bench.order("hangs")
    assert bench.models.began.wait(TIMEOUT_S)
    bench.order("fine", ServableId("m", 2))
    bench.clock.advance(30.0)
    bench.effects.watch_deadlines()
    bench.effects.watch_deadlines()
    told = {bench.next(), bench.next()}
    assert LoadOverdue(ONE, 30.0) in told
    assert {type(each) for each in told} == {LoadOverdue, Loaded}
    bench.models.let_go.set()
    outcome = bench.next()
    assert isinstance(outcome, Loaded)
    assert (outcome.servable, outcome.duration_s) == (ONE, 30.0)


def test_a_load_is_withdrawn_only_while_it_waits(bench: Bench) -> None:
    bench.order("hangs")
    assert bench.models.began.wait(TIMEOUT_S)
    waiting = ServableId("m", 2)
    bench.order("fine", waiting)
    bench.effects.withdraw(Withdraw(ONE))
    bench.effects.withdraw(Withdraw(waiting))
    assert bench.next() == LoadWithdrawn(waiting)
    bench.models.let_go.set()
    outcome = bench.next()
    assert isinstance(outcome, Loaded)
    assert outcome.servable == ONE


def test_an_inspection_that_hangs_says_in_time_that_it_saw_nothing(tmp_path: Path) -> None:
    let_go, began = threading.Event(), threading.Event()

    def hang(path: str) -> Inspection:
        del path
        began.set()
        assert let_go.wait(TIMEOUT_S)
        return Inspection(7, "late")

    clock = ManualClock()
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    settings = EffectSettings(load_threads=1, unload_threads=1)
    effects = Effects(clock, Hands(Models(), hang), outcomes.put, settings)
    effects.inspect(Inspect(ONE, str(tmp_path)))
    assert began.wait(TIMEOUT_S)
    clock.advance(5.0)
    effects.watch_deadlines()
    assert outcomes.get(timeout=TIMEOUT_S) == Inspected(ONE, str(tmp_path), 0, None)
    let_go.set()
    assert outcomes.get(timeout=TIMEOUT_S) == Inspected(ONE, str(tmp_path), 7, "late")
    effects.stop()
