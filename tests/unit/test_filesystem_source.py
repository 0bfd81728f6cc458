"""The polling source: each model on its own, unchanged models as the same object."""

import os
import queue
from pathlib import Path

from understudy.clock import SystemClock
from understudy.errors import Code
from understudy.servable import FoundVersions, Place
from understudy.sources.filesystem import FileSystemSource

LONG_AGO = 1_000_000_000.0


class Seen:
    """Takes what a source reports, in order."""

    def __init__(self) -> None:
        self._reports: queue.SimpleQueue[tuple[FoundVersions, ...]] = queue.SimpleQueue()

    def __call__(self, report: tuple[FoundVersions, ...]) -> None:
        self._reports.put(report)

    def next(self) -> dict[str, FoundVersions]:
        return {found.name: found for found in self._reports.get(timeout=10)}


def numbers(found: FoundVersions) -> list[int]:
    return [version.version for version in found.versions]


def source_by_hand(seen: Seen, models: dict[str, Path]) -> FileSystemSource:
    source = FileSystemSource(SystemClock(), seen, poll_interval_s=-1)
    source.set_models({name: Place(str(path)) for name, path in models.items()})
    return source


def test_a_broken_base_path_disturbs_no_other_model(tmp_path: Path) -> None:
    (tmp_path / "good" / "1").mkdir(parents=True)
    seen = Seen()
    source = source_by_hand(seen, {"bad": tmp_path / "missing", "good": tmp_path / "good"})
    source.poll()
    report = seen.next()
    assert numbers(report["good"]) == [1]
    failure = report["bad"].failure
    assert failure is not None
    assert failure.code is Code.NOT_FOUND


def test_a_base_path_that_is_a_file_is_a_failure_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    seen = Seen()
    source_by_hand(seen, {"m": tmp_path / "file"}).poll()
    failure = seen.next()["m"].failure
    assert failure is not None
    assert failure.code is Code.FAILED_PRECONDITION


def test_an_unchanged_model_is_the_same_object_and_a_changed_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    os.utime(tmp_path, (LONG_AGO, LONG_AGO))
    seen = Seen()
    source = source_by_hand(seen, {"m": tmp_path})
    source.poll()
    first = seen.next()["m"]
    source.poll()
    assert seen.next()["m"] is first
    (tmp_path / "2").mkdir()
    source.poll()
    assert numbers(seen.next()["m"]) == [1, 2]


def test_a_change_right_after_a_look_is_seen_although_the_time_stays(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    now = SystemClock().wall()
    os.utime(tmp_path, (now, now))
    seen = Seen()
    source = source_by_hand(seen, {"m": tmp_path})
    source.poll()
    seen.next()
    (tmp_path / "2").mkdir()
    os.utime(tmp_path, (now, now))
    source.poll()
    assert numbers(seen.next()["m"]) == [1, 2]


def test_a_base_path_that_vanishes_and_returns_is_seen_again(tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "1").mkdir(parents=True)
    seen = Seen()
    source = source_by_hand(seen, {"m": base})
    source.poll()
    assert numbers(seen.next()["m"]) == [1]
    base.rename(tmp_path / "away")
    source.poll()
    assert seen.next()["m"].failure is not None
    (tmp_path / "away").rename(base)
    source.poll()
    back = seen.next()["m"]
    assert back.failure is None
    assert numbers(back) == [1]


def test_only_watched_versions_have_a_fingerprint_and_it_follows_their_contents(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
    seen = Seen()
    source = source_by_hand(seen, {"m": tmp_path})
    source.watch({"m": frozenset({2})})
    source.poll()
    one, two = seen.next()["m"].versions
    assert one.fingerprint is None
    assert two.fingerprint is not None
    (tmp_path / "2" / "saved_model.pb").write_text("whole now")
    source.poll()
    assert seen.next()["m"].versions[1].fingerprint != two.fingerprint


def test_the_thread_looks_at_once_when_models_are_set_even_if_it_polls_only_once(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    seen = Seen()
    source = FileSystemSource(SystemClock(), seen, poll_interval_s=0)
    source.start()
    source.set_models({"m": Place(str(tmp_path))})
    assert numbers(seen.next()["m"]) == [1]
    source.set_models({"m": Place(str(tmp_path)), "n": Place(str(tmp_path))})
    assert set(seen.next()) == {"m", "n"}
    source.stop(timeout_s=5)


def test_the_thread_polls_again_and_again(tmp_path: Path) -> None:
    seen = Seen()
    source = FileSystemSource(SystemClock(), seen, poll_interval_s=0.001)
    source.set_models({"m": Place(str(tmp_path))})
    source.start()
    seen.next()
    (tmp_path / "1").mkdir()
    while not numbers(seen.next()["m"]):
        pass
    source.stop(timeout_s=5)
