"""Sides that took turns are compared: what is told is true, within its bounds, on a machine that is not alone."""

import random

import pytest
from benchmarks.turns import compare_turns

ROUNDS = 3_000


def take(costs: tuple[float, ...], seed: int) -> list[list[float]]:
    """How long turns take, side by side: the machine drifts, every turn is a little longer, some much longer."""
    draw = random.Random(seed)  # noqa: S311 - nothing is secret
    drift = 1.0
    rounds = []
    for _ in range(ROUNDS):
        drift = 0.95 * drift + 0.05 * draw.lognormvariate(0.0, 0.5)
        rounds.append(
            [
                cost * drift * (1 + draw.expovariate(12)) * (10 if draw.random() < 0.01 else 1)
                for cost in costs
            ]
        )
    return [list(turns) for turns in zip(*rounds, strict=True)]


@pytest.mark.parametrize("cost", [1.0, 1.01, 1.02])
def test_a_hundredth_is_told_from_two(cost: float) -> None:
    compared = []
    for seed in range(20):
        alone, again, dearer = take((1.0, 1.0, cost), seed)
        compared.append(compare_turns(dearer, [alone, again]))
    truth = 1 / cost
    assert all(abs(ratio.ratio - truth) < 0.01 for ratio in compared)
    assert sum(ratio.ratio for ratio in compared) / len(compared) == pytest.approx(truth, abs=0.0015)
    covered = sum(ratio.low <= truth <= ratio.high for ratio in compared)
    assert covered >= 14, "nine times in ten, of twenty: fewer than 14 once in 400"
    assert all(0.002 < ratio.high - ratio.low < 0.02 for ratio in compared)


def test_one_round_tells_a_ratio_without_bounds() -> None:
    single = compare_turns([2.0], [[1.0]])
    assert (single.ratio, single.low, single.high) == (0.5, 0.0, float("inf"))
