"""Looks that hang, looks that are spared, and fingerprints taken in turn: the polling source under strain."""

import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from understudy.errors import Code
from understudy.servable import FoundVersions, Place, ServableId
from understudy.sources.filesystem import LOOK_TIMEOUT_S, PATIENCE_S, FileSystemSource
from understudy.sources.guard import CHECK_BUDGET_S, CHECKED_PER_POLL_MAX, Guard
from understudy.sources.lookers import LOOKERS_MAX
from understudy.testing import ManualClock

LONG_AGO = 1_000_000_000.0
TIMEOUT_S = 20


class Disk:
    """The file system, parts of which hang until they are released. Time passes while one waits for them."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._hanging: dict[str, threading.Event] = {}
        self._mounted: set[str] = set()
        self.asked: list[str] = []
        self.hang_s = PATIENCE_S

    def hang(self, *paths: Path) -> None:
        self._hanging.update({str(path): threading.Event() for path in paths})

    def mount(self, *paths: Path) -> None:
        """From now on these are on another file system, all on the same one."""
        self._mounted.update(map(str, paths))

    def release(self) -> None:
        for event in self._hanging.values():
            event.set()

    def stat(self, path: str) -> os.stat_result:
        self.asked.append(path)
        event = self._hanging.get(path)
        if event is not None and not event.is_set():
            self._clock.advance(self.hang_s)
            assert event.wait(TIMEOUT_S)
        seen = Path(path).stat()
        if path not in self._mounted:
            return seen
        fields = list(seen)
        fields[stat.ST_DEV] += 1
        return os.stat_result(fields, {"st_mtime_ns": seen.st_mtime_ns})


class Polling:
    """A source that is polled by hand, or by its own thread once it is started."""

    def __init__(self, poll_interval_s: float = -1) -> None:
        self.clock = ManualClock(wall_at_zero_s=LONG_AGO + 1_000)
        self.disk = Disk(self.clock)
        self._reports: queue.SimpleQueue[tuple[FoundVersions, ...]] = queue.SimpleQueue()
        self.source = FileSystemSource(
            self.clock, self._reports.put, poll_interval_s=poll_interval_s, stat=self.disk.stat
        )

    def set_models(self, models: Mapping[str, Path]) -> None:
        self.source.set_models({name: Place(str(path)) for name, path in models.items()})

    def next(self) -> dict[str, FoundVersions]:
        return {found.name: found for found in self._reports.get(timeout=TIMEOUT_S)}

    def poll(self) -> dict[str, FoundVersions]:
        self.source.poll()
        return self.next()

    def poll_until_read(self, name: str) -> FoundVersions:
        while (found := self.poll().get(name)) is None or found.failure is not None:
            pass
        return found


def base_path(folder: Path, *versions: str) -> Path:
    """A base path that last changed long ago."""
    folder.mkdir()
    for version in versions:
        (folder / version).mkdir()
    os.utime(folder, (LONG_AGO, LONG_AGO))
    return folder


def numbers(found: FoundVersions) -> list[int]:
    return [version.version for version in found.versions]


def counted(real: Callable[..., object], name: str, calls: list[str]) -> Callable[..., object]:
    def count(*arguments: object, **named: object) -> object:
        calls.append(name)
        return real(*arguments, **named)

    return count


@pytest.fixture
def polling() -> Iterator[Polling]:
    polling = Polling()
    yield polling
    polling.disk.release()


def test_a_look_that_hangs_holds_up_no_other_and_is_reported_after_a_while(
    polling: Polling, tmp_path: Path
) -> None:
    bad, good = base_path(tmp_path / "bad", "1"), base_path(tmp_path / "good", "1")
    polling.disk.hang(bad)
    polling.set_models({"bad": bad, "good": good})
    assert numbers(polling.poll_until_read("good")) == [1]
    polling.clock.advance(LOOK_TIMEOUT_S)
    report = polling.poll()
    failure = report["bad"].failure
    assert failure is not None
    assert failure.code is Code.DEADLINE_EXCEEDED
    assert str(bad) in failure.message
    assert numbers(report["good"]) == [1]
    assert polling.poll()["bad"] is report["bad"]
    assert polling.disk.asked.count(str(bad)) == 1
    polling.disk.release()
    assert numbers(polling.poll_until_read("bad")) == [1]


def test_when_no_looker_is_left_the_others_are_told_so_and_are_seen_when_one_returns(
    polling: Polling, tmp_path: Path
) -> None:
    hanging = {f"bad{number}": base_path(tmp_path / f"bad{number}") for number in range(LOOKERS_MAX)}
    polling.disk.hang(*hanging.values())
    polling.set_models({**hanging, "good": base_path(tmp_path / "good", "1")})
    while len(polling.disk.asked) < LOOKERS_MAX:
        polling.poll()
    polling.clock.advance(LOOK_TIMEOUT_S)
    failure = polling.poll()["good"].failure
    assert failure is not None
    assert failure.code is Code.UNAVAILABLE
    polling.disk.release()
    assert numbers(polling.poll_until_read("good")) == [1]


def test_a_dead_mount_with_many_models_keeps_few_lookers_and_the_others_are_seen(
    polling: Polling, tmp_path: Path
) -> None:
    dead = {f"a{number}": base_path(tmp_path / f"a{number}", "1") for number in range(2 * LOOKERS_MAX)}
    good = {f"b{number}": base_path(tmp_path / f"b{number}", "1") for number in range(2 * LOOKERS_MAX)}
    polling.disk.mount(*dead.values())
    polling.set_models(dead | good)
    assert set(polling.poll()) == dead.keys() | good.keys()
    polling.disk.hang(*dead.values())
    polling.disk.asked.clear()
    seen: set[str] = set()
    while not good.keys() <= seen:
        seen |= polling.poll().keys() - dead.keys()
    polling.poll()
    assert len(set(polling.disk.asked) & set(map(str, dead.values()))) < LOOKERS_MAX // 4
    polling.clock.advance(LOOK_TIMEOUT_S)
    codes = {found.failure.code for name, found in polling.poll().items() if found.failure is not None}
    assert codes == {Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE}
    polling.disk.release()
    for name in dead:
        assert numbers(polling.poll_until_read(name)) == [1]


def test_a_model_that_moves_away_from_a_place_that_hangs_is_looked_at_where_it_is_now(
    polling: Polling, tmp_path: Path
) -> None:
    bad, good = base_path(tmp_path / "bad", "1"), base_path(tmp_path / "good", "2")
    polling.disk.hang(bad)
    polling.set_models({"m": bad})
    assert polling.poll() == {}
    polling.set_models({"m": good})
    assert numbers(polling.poll()["m"]) == [2]
    polling.disk.release()
    assert numbers(polling.poll()["m"]) == [2]


def test_a_late_answer_is_reported_by_itself_even_if_nothing_is_polled_again(tmp_path: Path) -> None:
    polling = Polling(poll_interval_s=0)
    polling.disk.hang_s = LOOK_TIMEOUT_S
    path = base_path(tmp_path / "m", "1")
    polling.disk.hang(path)
    polling.set_models({"m": path})
    polling.source.start()
    assert polling.next()["m"].failure is not None
    polling.disk.release()
    assert numbers(polling.next()["m"]) == [1]
    polling.source.stop(TIMEOUT_S)
    assert polling.disk.asked == [str(path)]


def test_a_machine_without_a_thread_to_spare_looks_a_little_later(
    polling: Polling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refusals = threading.Thread.start, [1]

    def start(thread: threading.Thread) -> None:
        if refusals:
            refusals.pop()
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    polling.set_models({"m": base_path(tmp_path / "m", "1")})
    assert numbers(polling.poll()["m"]) == [1]
    assert refusals == []


def test_a_source_that_never_polls_never_looks(tmp_path: Path) -> None:
    polling = Polling(poll_interval_s=-1)
    polling.source.start()
    polling.set_models({"m": base_path(tmp_path / "m", "1")})
    polling.source.stop(TIMEOUT_S)
    assert polling.disk.asked == []


def test_a_path_that_no_file_system_can_have_is_a_failure_of_its_own(
    polling: Polling, tmp_path: Path
) -> None:
    polling.set_models({"bad": Path("/nul\0inside"), "good": base_path(tmp_path / "good", "1")})
    report = polling.poll()
    assert numbers(report["good"]) == [1]
    failure = report["bad"].failure
    assert failure is not None
    assert failure.code is Code.INVALID_ARGUMENT


def test_unchanged_models_cost_one_question_each_and_no_listing(
    polling: Polling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {f"m{number}": base_path(tmp_path / f"m{number}", "1", "2") for number in range(50)}
    polling.set_models(models)
    first = polling.poll()
    polling.disk.asked.clear()
    others: list[str] = []
    for call in ("stat", "lstat", "scandir", "listdir"):
        monkeypatch.setattr(os, call, counted(getattr(os, call), call, others))
    second = polling.poll()
    assert len(polling.disk.asked) == len(models)
    assert others == ["stat"] * len(models)  # those of the disk above, and none besides
    assert all(second[name] is first[name] for name in models)


def test_versions_asked_for_by_name_are_found_without_a_listing(
    polling: Polling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = base_path(tmp_path / "m", "1", "2", "3")

    def refuse(*args: object) -> None:
        raise AssertionError(f"listed: {args}")

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse)
        polling.source.set_models({"m": Place(str(path), (1, 3))})
        found = polling.poll()["m"]
    assert numbers(found) == [1, 3]
    assert found.only == (1, 3)
    (path / "3").rename(path / "003")
    found = polling.poll()["m"]
    assert [(each.version, Path(each.path).name) for each in found.versions] == [
        (1, "1"),
        (2, "2"),
        (3, "003"),
    ]
    assert found.only is None


@pytest.mark.parametrize("what", ["file", "nothing"])
def test_a_version_asked_for_by_name_that_is_no_directory_is_none(
    polling: Polling, tmp_path: Path, what: str
) -> None:
    path = base_path(tmp_path / "m", "1")
    if what == "file":
        (path / "2").write_text("not a model")
    polling.source.set_models({"m": Place(str(path), (1, 2))})
    found = polling.poll()["m"]
    assert numbers(found) == [1]
    assert len(found.ignored) == (what == "file")


def test_a_version_asked_for_by_name_may_be_a_link(polling: Polling, tmp_path: Path) -> None:
    path = base_path(tmp_path / "m")
    base_path(tmp_path / "elsewhere")
    (path / "7").symlink_to(tmp_path / "elsewhere")
    os.utime(path, (LONG_AGO, LONG_AGO))
    polling.source.set_models({"m": Place(str(path), (7,))})
    assert numbers(polling.poll()["m"]) == [7]
    (tmp_path / "elsewhere").rmdir()
    assert numbers(polling.poll()["m"]) == []


def test_a_version_renamed_to_something_else_is_gone(polling: Polling, tmp_path: Path) -> None:
    path = base_path(tmp_path / "m", "5")
    polling.set_models({"m": path})
    assert numbers(polling.poll()["m"]) == [5]
    (path / "5").rename(path / "5.denied")
    found = polling.poll()["m"]
    assert (numbers(found), found.failure) == ([], None)


def test_a_guarded_version_keeps_its_fingerprint_until_its_files_change(
    polling: Polling, tmp_path: Path
) -> None:
    path = base_path(tmp_path / "m", "1", "2")
    (path / "2" / "saved_model.pb").write_text("loaded")
    polling.set_models({"m": path})
    unguarded = polling.poll()["m"]
    polling.source.guard(frozenset({ServableId("m", 2)}))
    first = polling.poll()["m"]
    assert [each.fingerprint is None for each in first.versions] == [True, False]
    assert polling.poll()["m"] is first
    (path / "2" / "saved_model.pb").write_text("overwritten in place")
    assert polling.poll()["m"].versions[1].fingerprint != first.versions[1].fingerprint
    polling.source.guard(frozenset())
    assert polling.poll()["m"] == unguarded


def test_a_watched_version_that_becomes_guarded_keeps_its_fingerprint(
    polling: Polling, tmp_path: Path
) -> None:
    servables = frozenset({ServableId("m", 1)})
    polling.set_models({"m": base_path(tmp_path / "m", "1")})
    polling.source.watch({"m": frozenset({1})})
    watched = polling.poll()["m"]
    polling.source.guard(servables)
    polling.source.watch({"m": frozenset()})
    assert polling.poll()["m"] is watched


def test_guarded_versions_have_their_turns_one_after_the_other() -> None:
    servables = [ServableId("m", number) for number in range(3 * CHECKED_PER_POLL_MAX)]
    guard = Guard()
    guard.set(frozenset(servables))
    seen: list[ServableId] = []
    while len(seen) < len(servables):
        picked = guard.pick()
        assert 0 < len(picked) <= CHECKED_PER_POLL_MAX
        guard.note(len(picked), 0.0)
        seen += picked
    assert seen[: len(servables)] == servables


def test_a_check_that_costs_ten_budgets_is_followed_by_nine_polls_without_any() -> None:
    guard = Guard()
    guard.set(frozenset({ServableId("m", 1)}))
    assert guard.pick() == [ServableId("m", 1)]
    guard.note(1, 10.5 * CHECK_BUDGET_S)
    assert [bool(guard.pick()) for _ in range(11)] == [False] * 9 + [True] * 2


def test_who_is_guarded_already_keeps_its_turn_when_others_come_and_go() -> None:
    a, b, c = (ServableId(name, 1) for name in "abc")
    guard = Guard()
    guard.set(frozenset({a, b}))
    guard.set(frozenset({b, c}))
    assert guard.pick() == [b, c]
