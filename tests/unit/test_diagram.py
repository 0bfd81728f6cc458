"""The page about states is the table of states."""

from pathlib import Path

from understudy.lifecycle.diagram import MEANINGS, TRIGGERS, mermaid, page
from understudy.lifecycle.harness import TRANSITIONS, Trigger
from understudy.servable import State

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "version-states.md"


def test_the_page_in_the_docs_is_the_table(rewrite: bool) -> None:  # noqa: FBT001 - a fixture
    if rewrite:
        PAGE.write_text(page())
    else:
        assert PAGE.read_text() == page()


def test_every_state_and_trigger_is_explained() -> None:
    assert MEANINGS.keys() == set(State)
    assert TRIGGERS.keys() == set(Trigger)


def test_the_diagram_has_an_arrow_for_every_change() -> None:
    assert mermaid().count("-->") == len(TRANSITIONS) + 1
