"""Played rollouts: the drawn counts are what they claim, and plans do what they say; `rollout simulate`."""

import json
from pathlib import Path
from random import Random
from statistics import mean, variance

import pytest
from click.testing import CliRunner, Result

from understudy.cli.rollout_simulate import simulate
from understudy.rehearsal.drawing import draw_binomial, draw_poisson
from understudy.rehearsal.play import Outcome, play
from understudy.rehearsal.summary import measure_proportion, play_many, summarise
from understudy.rehearsal.world import Effect, World
from understudy.rollout.plan import Inconclusive, Plan, Step

DRAWS = 4_000
SHORT = Plan(shadow=None, steps=(Step(weight=5_000, dwell_s=10.0),), duration_max_s=3_600.0)


def chance() -> Random:
    return Random(1)  # noqa: S311 - made-up traffic, no secret


@pytest.mark.parametrize("expected", [0.3, 7.0, 200.0])
def test_a_poisson_draw_has_its_mean_and_its_variance(expected: float) -> None:
    random = chance()
    drawn = [draw_poisson(random, expected) for _ in range(DRAWS)]
    assert mean(drawn) == pytest.approx(expected, rel=0.1)
    assert variance(drawn) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(("total", "share"), [(40, 0.02), (10_000, 0.0005), (10_000, 0.2), (30, 0.9)])
def test_a_binomial_draw_has_its_mean_and_its_variance(total: int, share: float) -> None:
    random = chance()
    drawn = [draw_binomial(random, total, share) for _ in range(DRAWS)]
    assert mean(drawn) == pytest.approx(total * share, rel=0.1)
    assert variance(drawn) == pytest.approx(total * share * (1 - share), rel=0.15)
    assert 0 <= min(drawn) <= max(drawn) <= total


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw_poisson(chance(), 0.0) == draw_binomial(chance(), 0, 0.5) == 0
    assert draw_binomial(chance(), 7, 1.0) == 7
    assert draw_binomial(chance(), 7, 0.0) == 0


def test_a_candidate_without_errors_is_promoted() -> None:
    ending = play(SHORT, World(rate=500.0, effects={"errors": Effect(0.0)}), chance())
    assert ending.outcome is Outcome.PROMOTED
    assert ending.weight_max == 5_000


def test_a_candidate_that_fails_ten_times_as_often_is_rolled_back() -> None:
    ending = play(SHORT, World(rate=500.0, effects={"errors": Effect(0.01, 10.0)}), chance())
    assert ending.outcome is Outcome.ROLLED_BACK
    assert ending.bad > 0


@pytest.mark.parametrize(
    ("inconclusive", "outcome"),
    [(Inconclusive.HOLD, Outcome.HELD), (Inconclusive.ROLL_BACK, Outcome.ROLLED_BACK)],
)
def test_too_little_traffic_ends_as_the_plan_says(inconclusive: Inconclusive, outcome: Outcome) -> None:
    plan = Plan(shadow=None, steps=SHORT.steps, duration_max_s=600.0, inconclusive=inconclusive)
    assert play(plan, World(rate=0.2, effects={"errors": Effect(0.005)}), chance()).outcome is outcome


def test_an_approval_is_given() -> None:
    steps = (Step(weight=5_000, dwell_s=10.0, needs_approval=True),)
    plan = Plan(shadow=None, steps=steps, is_automatic=False)
    assert play(plan, World(rate=500.0), chance()).outcome is Outcome.PROMOTED


def test_a_rollout_is_the_same_whoever_plays_the_others() -> None:
    world = World(rate=100.0, effects={"errors": Effect(0.01, 3.0)})
    together = list(play_many(SHORT, world, seed=7, numbers=range(4)))
    alone = [ending for number in range(4) for ending in play_many(SHORT, world, seed=7, numbers=[number])]
    assert together == alone
    assert len({ending.requests for ending in together}) > 1


def test_endings_are_counted_by_how_they_ended() -> None:
    world = World(rate=500.0, effects={"errors": Effect(0.0)})
    summary = summarise(list(play_many(SHORT, world, seed=1, numbers=range(3))))
    assert summary.rollouts == 3
    assert list(summary.ended) == [Outcome.PROMOTED]
    assert summary.ended[Outcome.PROMOTED].proportion.share == 1.0


def test_an_interval_is_wilsons() -> None:
    """Newcombe 1998, table I: 81 of 263."""
    measured = measure_proportion(81, 263)
    assert (measured.low, measured.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(simulate, [*arguments, "--rollouts", "3"])


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("shadow: none\nsteps: [50 %]\nquality: accuracy\n")
    told = run(str(plan), "--rate", "500/s", "--errors", "0%")
    assert told.exit_code == 0
    assert "promoted" in told.stdout
    assert "100.0 %" in told.stdout
    harmed = json.loads(run(str(plan), "--rate", "500/s", "--wrong-ratio", "4", "--json").stdout)
    assert harmed["rollouts"] == 3
    assert list(harmed["ended"]) == ["rolled back"]


def test_the_command_plays_a_models_strategy(tmp_path: Path) -> None:
    file = tmp_path / "rollouts.yaml"
    file.write_text("models: {digits: {shadow: none, steps: [50 %]}}\n")
    assert run(str(file), "--model", "digits", "--rate", "600/min", "--ratio", "30").exit_code == 0
    refused = run(str(file), "--model", "letters")
    assert refused.exit_code == 2
    assert "has no model letters; it has digits" in refused.output


@pytest.mark.parametrize(
    "arguments", [("--rate", "fast"), ("--rate", "0/s"), ("--errors", "0.5"), ("--errors", "101%")]
)
def test_the_command_refuses_what_it_does_not_understand(arguments: tuple[str, str]) -> None:
    told = run(*arguments)
    assert told.exit_code == 2
    assert "write `" in told.output


def test_the_command_tells_where_a_plan_is_wrong(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("steps: [5]\n")
    told = run(str(plan))
    assert told.exit_code == 2
    assert f"({plan}:1:9)" in told.output
