"""Which configuration a start puts in force: every combination of what is on record and what is declared."""

import pytest

from understudy.server.start_rule import Resume, Take, choose_start
from understudy.store.revision import Draft, Origin, Revision, RevisionHead
from understudy.store.store import Store
from understudy.testing import ManualClock


def revision(number: int, text: str) -> Revision:
    return Revision(RevisionHead(number, 0.0, Origin.RPC, ""), text)


@pytest.mark.parametrize(
    ("newest", "is_as_before", "resumes"),
    [
        (None, None, False),
        (None, True, False),
        (None, False, False),
        ("said", None, True),
        ("said", True, True),
        ("said", False, True),
        ("other", None, False),
        ("other", True, True),
        ("other", False, False),
    ],
)
def test_the_table(newest: str | None, is_as_before: bool | None, resumes: bool) -> None:  # noqa: FBT001
    on_record = None if newest is None else revision(4, newest)
    choice = choose_start("said", is_as_before=is_as_before, newest=on_record)
    assert isinstance(choice, Resume if resumes else Take)
    assert choice.reason
    if isinstance(choice, Resume):
        assert choice.revision is on_record


STARTUP, FILE, RPC, NOTED = Origin.STARTUP, Origin.FILE, Origin.RPC, None


@pytest.mark.parametrize(
    ("history", "declared", "resumed"),
    [
        ([(STARTUP, "A")], "A", "A"),
        ([(STARTUP, "A"), (RPC, "B")], "A", "B"),
        ([(STARTUP, "A"), (RPC, "B")], "B", "B"),
        ([(STARTUP, "A"), (RPC, "B")], "C", None),
        ([(STARTUP, "A"), (FILE, "B")], "B", "B"),
        ([(STARTUP, "A"), (FILE, "B")], "A", None),
        ([(STARTUP, "A"), (FILE, "B"), (RPC, "A")], "B", "A"),
        ([(STARTUP, "A"), (RPC, "B"), (STARTUP, "C")], "A", None),
        ([(STARTUP, "A"), (RPC, "B"), (NOTED, "B"), (RPC, "C")], "B", "C"),
    ],
)
def test_what_a_start_resumes_after_a_history(
    history: list[tuple[Origin | None, str]], declared: str, resumed: str | None
) -> None:
    with Store(ManualClock()) as opened:
        store = opened.revisions
        for origin, text in history:
            if origin is None:
                store.note_declared(text)
            else:
                store.record(Draft(origin, "", text))
        choice = choose_start(declared, is_as_before=store.is_declared(declared), newest=store.newest())
    assert (choice.revision.text if isinstance(choice, Resume) else None) == resumed
