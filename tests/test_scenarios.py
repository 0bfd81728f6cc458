"""Every script in tests/scenarios prints what it says; `pytest --rewrite` writes what it prints now."""

from pathlib import Path

import pytest

from tests import scenario_script

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_scenario_prints_what_it_says(path: Path, rewrite: bool) -> None:  # noqa: FBT001 - a fixture
    written = path.read_text()
    printed = scenario_script.render(scenario_script.run(scenario_script.parse(written)))
    if rewrite:
        path.write_text(printed)
    else:
        assert printed == written


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 10
