"""The page about a rollout's states is the table of its phases."""

from pathlib import Path

from understudy.rollout.diagram import CANDIDATE, MEANINGS, PAUSES, TRIGGERS, mermaid, page
from understudy.rollout.phases import TRANSITIONS, Trigger
from understudy.rollout.state import ENDS, Pause, Phase

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rollout-states.md"


def test_the_page_in_the_docs_is_the_table(rewrite: bool) -> None:  # noqa: FBT001 - a fixture
    if rewrite:
        PAGE.write_text(page())
    else:
        assert PAGE.read_text() == page()


def test_every_phase_trigger_and_pause_is_explained() -> None:
    assert MEANINGS.keys() == CANDIDATE.keys() == set(Phase)
    assert TRIGGERS.keys() == set(Trigger)
    assert PAUSES.keys() == set(Pause)


def test_the_page_has_a_row_for_every_change() -> None:
    rows = [
        line for line in page().splitlines() if any(line.startswith(f"| {each.name} |") for each in Phase)
    ]
    assert len(rows) == len(Phase) + len(TRANSITIONS)


def test_the_diagram_names_every_phase() -> None:
    assert [phase for phase in Phase if phase.name not in mermaid()] == []


def test_every_phase_but_the_ends_can_be_rolled_back_aborted_and_overruled() -> None:
    for phase in set(Phase) - ENDS:
        assert {Trigger.FAILED, Trigger.ABORTED, Trigger.OVERRULED} <= {
            trigger for before, trigger in TRANSITIONS if before is phase
        }


def test_nothing_follows_an_end() -> None:
    assert {before for before, _ in TRANSITIONS} & ENDS == set()
