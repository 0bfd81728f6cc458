"""Weights by hand become buckets, by the one rule for buckets, whichever version answers the rest."""

from random import Random

import pytest

from understudy.rollout.weights import Split, resplit
from understudy.routing.traffic import BUCKETS


def owners(split: Split) -> list[int]:
    answers = [split.rest] * BUCKETS
    for each in split.ranges:
        answers[each.start : each.stop] = [each.version] * (each.stop - each.start)
    return answers


def shares(split: Split) -> dict[int, int]:
    answers = owners(split)
    return {version: answers.count(version) for version in set(answers)}


def test_growing_takes_only_from_the_rest() -> None:
    before = resplit(Split(1), {1: 7_000, 2: 2_000, 3: 1_000}, 1)
    after = resplit(before, {1: 4_000, 2: 5_000, 3: 1_000}, 1)
    changed = {(a, b) for a, b in zip(owners(before), owners(after), strict=True) if a != b}
    assert changed == {(1, 2)}


def test_another_version_for_the_rest_moves_only_what_has_to() -> None:
    before = resplit(Split(1), {1: 9_000, 2: 1_000}, 1)
    after = resplit(before, {1: 1_000, 2: 9_000}, 2)
    moved = sum(a != b for a, b in zip(owners(before), owners(after), strict=True))
    assert shares(after) == {1: 1_000, 2: 9_000}
    assert moved == 8_000


@pytest.mark.parametrize("seed", range(20))
def test_any_change_gives_the_shares(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a test, not a secret
    split = Split(1)
    for _ in range(5):
        versions = random.sample(range(1, 6), random.choice((1, 2, 3)))
        cuts = [0, *sorted(random.sample(range(1, BUCKETS), len(versions) - 1)), BUCKETS]
        weights = {each: stop - start for each, start, stop in zip(versions, cuts, cuts[1:], strict=False)}
        split = resplit(split, weights, random.choice(versions))
        assert shares(split) == weights


@pytest.mark.parametrize("seed", range(20))
def test_whoever_does_not_get_less_keeps_its_callers(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a test, not a secret
    split = Split(1)
    for _ in range(5):
        cuts = [0, *sorted(random.sample(range(1, BUCKETS), 2)), BUCKETS]
        weights = {each: stop - start for each, start, stop in zip((1, 2, 3), cuts, cuts[1:], strict=False)}
        before, had, rest = owners(split), shares(split), split.rest
        split = resplit(split, weights, random.choice((1, 2, 3)))
        after = owners(split)
        assert shares(split) == weights
        for version in weights.keys() - {rest, split.rest}:
            if weights[version] < had.get(version, 0):
                continue
            lost = [b for b in range(BUCKETS) if before[b] == version and after[b] != version]
            assert lost == [], f"version {version} gave {len(lost)} of its callers away"
