"""How answers are shown to people: durations, sizes, labels, notes, and what counts as a change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType

from understudy.admin.view import (
    FailureView,
    LabelView,
    ModelView,
    Phase,
    PolicyView,
    ServerView,
    VersionView,
)
from understudy.cli.changes import FRESH_S, Changes
from understudy.cli.status_tables import (
    NOTES_MAX,
    build_model,
    build_server,
    build_watched_server,
    explain_label,
)
from understudy.cli.tables import show_bytes, show_elapsed, show_seconds
from understudy.servable import State

NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)
READY = VersionView(2, State.READY, NOON, "Loaded", in_state_s=7200.0)
MODEL = ModelView(
    name="digits",
    configured=True,
    base_path="/models/digits",
    platform="tensorflow",
    policy=PolicyView(kind="latest", count=1),
    default_version=2,
    found_at=NOON,
    versions=(READY,),
)
SERVER = ServerView(
    software="Understudy 1",
    phase=Phase.SERVING,
    started_at=NOON,
    at=NOON + timedelta(seconds=30),
    generation=7,
    models=(MODEL,),
)
KEY = ("digits", 2, 0)


def lines(shown: RenderableType, width: int = 100) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()]


def with_versions(*versions: VersionView, labels: tuple[LabelView, ...] = ()) -> ServerView:
    return replace(SERVER, models=(replace(MODEL, versions=versions, labels=labels),))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0.0, "<1 ms"),
        (0.0004, "<1 ms"),
        (0.037, "37 ms"),
        (0.42, "0.42 s"),
        (1.25, "1.25 s"),
        (72.46, "72.5 s"),
        (119.0, "119 s"),
        (121.0, "2 min"),
        (7_199.0, "119 min"),
        (7_200.0, "2 h"),
        (172_800.0, "2 d"),
    ],
)
def test_a_duration_is_short(seconds: float | None, shown: str) -> None:
    assert show_seconds(seconds) == shown


def test_time_that_seems_to_run_backwards_is_no_time() -> None:
    assert show_elapsed(-0.2) == "0 s"


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (-2048, "-2 KiB"),
        (5 * 2**30, "5 GiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_a_size_is_short(size: int | None, shown: str) -> None:
    assert show_bytes(size) == shown


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (LabelView("stable", 2, ready=True), "2"),
        (LabelView("stable", 2, ready=False), "2 (not ready)"),
        (LabelView("stable", 2, ready=False, missing=True), "2 (is not there)"),
        (LabelView("stable", 2, ready=True, target=3), "2, to move to 3 (not there yet)"),
        (
            LabelView("stable", 2, ready=True, target=3, target_state=State.LOADING),
            "2, to move to 3 (loading)",
        ),
    ],
)
def test_a_label_is_explained(label: LabelView, said: str) -> None:
    assert explain_label(label) == said
    one = build_model(replace(MODEL, labels=(label,)))
    assert f"label stable     {said}" in lines(one)


def test_a_row_fits_on_eighty_columns() -> None:
    shown = lines(build_server(with_versions(READY, labels=(LabelView("stable", 2, ready=True),))), width=80)
    assert shown[0] == "Understudy 1  serving, up 30 s  gRPC off  REST off  generation 7"
    assert shown[2].split() == ["digits", "2", "2", "ready", "2", "h", "0", "0", "0", "stable"]
    assert len(shown) == 3


@pytest.mark.parametrize(
    ("version", "note"),
    [
        (replace(READY, state=State.ERROR, reason="cut\nshort"), "digits: version 2: cut short"),
        (
            replace(READY, state=State.RETRYING, reason="cut", next_attempt_at=NOON),
            f"digits: version 2: cut; next attempt at {NOON.astimezone():%H:%M:%S}",
        ),
        (replace(READY, state=State.OVERDUE, reason="hangs"), "digits: version 2: hangs"),
        (
            replace(READY, state=State.UNLOADING, aspired=False, in_flight=3),
            "digits: version 2 drains: 3 requests hold it for 2 h",
        ),
        (
            replace(READY, files_changed_at=NOON),
            "digits: version 2 serves on, but its files were changed in place",
        ),
    ],
)
def test_what_is_wrong_has_a_line_of_its_own(version: VersionView, note: str) -> None:
    assert lines(build_server(with_versions(version)))[-1] == note


def test_a_label_that_does_not_answer_has_a_line_even_when_its_version_has_none() -> None:
    ended = replace(READY, state=State.END, aspired=False)
    shown = lines(build_server(with_versions(ended, labels=(LabelView("stable", 2, ready=False),))))
    assert shown[-2].split() == ["digits", "2", "-", "none"]
    assert shown[-1] == "digits: label stable leads to 2 (not ready)"


def test_a_watched_screen_begins_with_what_is_wrong_and_is_not_filled_with_it() -> None:
    failure = FailureView("NOT_FOUND", "no such directory" + ", none at all" * 20)
    models = tuple(replace(MODEL, name=f"m{n}", source_failure=failure) for n in range(NOTES_MAX + 2))
    shown = lines(build_watched_server(replace(SERVER, models=models), frozenset()))
    assert shown[1].startswith("m0: NOT_FOUND: no such directory, none at all, ")
    assert shown[1].endswith("…"), "a line each"
    assert shown[1 + NOTES_MAX] == "... and 2 more: `understudy models` lists all"
    assert shown[2 + NOTES_MAX].startswith("MODEL")


def test_counts_and_passing_time_are_no_change() -> None:
    changes = Changes()
    assert changes.take(SERVER, 0.0)
    later = replace(READY, in_state_s=7300.0, serving_s=5.0, in_flight=1, requests=9, failures=1)
    busy = replace(with_versions(later), at=NOON + timedelta(seconds=99), in_flight=1, connections=2)
    assert not changes.take(busy, 1.0)
    assert changes.fresh(1.0) == frozenset()


@pytest.mark.parametrize(
    "changed",
    [
        with_versions(replace(READY, state=State.UNLOADING)),
        with_versions(replace(READY, reason="Kept")),
        with_versions(READY, labels=(LabelView("stable", 2, ready=True),)),
        replace(SERVER, generation=8),
        replace(SERVER, phase=Phase.DRAINING),
        replace(SERVER, models=()),
    ],
    ids=["state", "reason", "label", "generation", "phase", "models"],
)
def test_everything_else_is_a_change(changed: ServerView) -> None:
    changes = Changes()
    changes.take(SERVER, 0.0)
    assert changes.take(changed, 1.0)
    assert not changes.take(changed, 2.0)


def test_a_version_that_changed_is_fresh_for_a_while() -> None:
    changes = Changes()
    changes.take(SERVER, 0.0)
    assert changes.fresh(0.0) == frozenset(), "all is new in the first picture, so nothing stands out"
    changes.take(with_versions(replace(READY, state=State.UNLOADING)), 1.0)
    assert changes.fresh(1.0) == {KEY}
    assert changes.fresh(1.0 + FRESH_S) == frozenset()
    changes.take(with_versions(), 2.0)
    assert changes.fresh(2.0) == frozenset(), "what is gone cannot stand out"


def test_one_model_is_compared_like_the_server() -> None:
    changes = Changes()
    assert changes.take(MODEL, 0.0)
    assert not changes.take(replace(MODEL, found_at=NOON + timedelta(seconds=1)), 1.0)
    assert changes.take(replace(MODEL, versions=(replace(READY, reason="Kept"),)), 2.0)
    assert changes.fresh(2.0) == {KEY}
