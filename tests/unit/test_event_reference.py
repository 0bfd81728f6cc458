"""Every event and log line that the code can write stands in the reference, and nothing else does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from understudy.rollout.phases import TRANSITIONS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "events.md"
OF_MODELS = {"Event", "event", "_event", "_tell", "_note"}
"""Functions that take the kind of an event of a model."""
OF_SERVER = {"info", "warning", "error", "critical", "exception", "_report_failure"}
"""Functions that take the name of a log line."""
OF_ROLLOUTS = {"tell", "note", "settle_on", "_record"}
"""Functions of the rollout's core that take the kind of a decision."""
NAME = re.compile(r"[a-z]+(_[a-z]+)*")
"""What a name looks like; a sentence has a space."""


def names_in_code(functions: set[str], *, folder: str = "src") -> set[str]:
    """The literal names given to these functions anywhere in the folder."""
    return {name for path in (ROOT / folder).rglob("*.py") for name in _names(path, functions)}


def _names(path: Path, functions: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and _called(node) in functions:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield from [argument.value] if NAME.fullmatch(argument.value) else []


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def names_on_page(heading: str) -> set[str]:
    """The first column of the table below a heading."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_every_event_of_a_model_is_explained_and_none_that_is_not_written() -> None:
    written = names_in_code(OF_MODELS)
    assert len(written) > 15
    assert names_on_page("What happens to models") == written


def test_every_decision_about_a_rollout_is_explained_and_none_that_is_not_taken() -> None:
    named = names_in_code(OF_ROLLOUTS, folder="src/understudy/rollout")
    assert len(named) > 10
    entered = {f"rollout_{phase.value}" for phase in TRANSITIONS.values()}
    assert names_on_page("What happens to rollouts") == named | entered


def test_every_log_line_of_the_server_is_explained_and_none_that_is_not_written() -> None:
    written = names_in_code(OF_SERVER)
    assert len(written) > 10
    assert names_on_page("What happens to the server") == written
