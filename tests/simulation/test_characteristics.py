"""The tests of evidence keep their promises in played rollouts, and the page about them says what was found."""

import re
from pathlib import Path

import pytest

from tests.simulation.characteristics import (
    ALPHA,
    BETA,
    SHARE,
    by_key,
    judged,
    judged_for_a_day,
    passed,
    play_all,
    tables,
    threshold,
    wald_requests,
)

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "how-a-candidate-is-judged.md"
TABLES = re.compile(r"(<!-- tables: [^\n]* -->\n\n).*?(\n?<!-- end of tables -->)", re.DOTALL)

pytestmark = pytest.mark.slow


def test_a_harmless_candidate_is_rarely_taken_back() -> None:
    """Of 500 rollouts looked at after each event; the interval holds what the test promises."""
    fired = play_all(judged, SHARE, 1.0)
    assert fired.proportion.low <= ALPHA


@pytest.mark.parametrize(("ratio", "at_least"), [(2.0, 0.4), (5.0, 0.99)])
def test_a_harmful_one_is_found_as_often_as_the_analysis_says(ratio: float, at_least: float) -> None:
    """Half an hour of 20 requests a second, 10 % of them the candidate's: 0.58 without a floor, and 1."""
    fired = play_all(judged, SHARE, ratio)
    assert fired.proportion.low >= at_least


def test_a_threshold_takes_nearly_every_harmless_candidate_back() -> None:
    assert play_all(threshold, SHARE, 1.0).proportion.low > 0.95


def test_a_few_users_with_most_errors_do_not_take_a_harmless_candidate_back() -> None:
    assert play_all(by_key, SHARE, 1.0, rollouts=300).proportion.low <= ALPHA
    assert play_all(by_key, SHARE, 10.0, rollouts=300).proportion.low > 0.8


@pytest.mark.parametrize(("share", "ratio"), [(SHARE, 1.5), (0.0005, 3.0)])
def test_a_candidate_at_margin_and_floor_rarely_passes(share: float, ratio: float) -> None:
    assert play_all(passed, share, ratio, rollouts=100).proportion.low <= BETA


@pytest.mark.parametrize("ratio", [2.0, 5.0, 10.0])
def test_harm_is_found_within_twice_the_least_that_any_test_needs(ratio: float) -> None:
    fired = play_all(judged_for_a_day, SHARE, ratio, rollouts=200)
    assert fired.count == fired.rollouts
    assert fired.requests is not None
    assert fired.requests < 2 * wald_requests(SHARE, ratio)


def test_the_page_says_what_was_found(rewrite: bool) -> None:  # noqa: FBT001 - a fixture
    made = "".join(f"{line}\n" for line in tables())
    page = PAGE.read_text()
    assert TABLES.search(page)
    if rewrite:
        PAGE.write_text(TABLES.sub(lambda match: f"{match[1]}{made}\n<!-- end of tables -->", page))
    else:
        assert made in page
