"""When the client sends again: the policy, the pauses, the budget. No clock, no chance, no server."""

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.client import NO_RETRIES, ClientCounts, Code, RetryPolicy
from understudy.client.retry import ATTEMPTS_MAX, RetryBudget, Tries

LONG_S = 1e6


def pauses(policy: RetryPolicy, *, draw: float = 1.0, left_s: float = LONG_S) -> list[float]:
    """The pauses of a call that never finds a server."""
    tries = Tries(policy, RetryBudget(policy))
    found = []
    tries.begin()
    while (pause := tries.pause_s(Code.UNAVAILABLE, left_s=left_s, draw=draw)) is not None:
        found.append(pause)
        tries.begin()
    assert tries.sent == len(found) + 1
    return found


def test_pauses_grow_to_a_longest() -> None:
    policy = RetryPolicy(attempts_max=6, backoff_first_s=0.1, backoff_factor=3, backoff_max_s=1.0)
    assert pauses(policy) == pytest.approx([0.1, 0.3, 0.9, 1.0, 1.0])


@pytest.mark.slow
@settings(deadline=None)
@given(draw=st.floats(0, 1))
def test_a_pause_is_any_part_of_the_longest(draw: float) -> None:
    policy = RetryPolicy(attempts_max=4)
    assert pauses(policy, draw=draw) == pytest.approx([longest * draw for longest in pauses(policy)])


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.UNAVAILABLE])
def test_only_a_server_that_was_not_there_is_asked_again(code: Code) -> None:
    policy = RetryPolicy()
    tries = Tries(policy, RetryBudget(policy))
    tries.begin()
    assert tries.pause_s(code, left_s=LONG_S, draw=0.5) is None


def test_a_server_without_room_is_asked_again_when_told() -> None:
    policy = RetryPolicy(codes=frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED}))
    tries = Tries(policy, RetryBudget(policy))
    tries.begin()
    assert tries.pause_s(Code.RESOURCE_EXHAUSTED, left_s=LONG_S, draw=0.5) == pytest.approx(0.05)


def test_a_pause_that_would_outlast_the_deadline_is_not_begun() -> None:
    assert pauses(RetryPolicy(attempts_max=9, backoff_first_s=1, backoff_factor=2), left_s=3) == [1, 2]


def test_no_retries_is_no_retries() -> None:
    assert pauses(NO_RETRIES) == []


def test_a_spent_budget_ends_the_retries_of_all_calls_and_answers_refill_it() -> None:
    policy = RetryPolicy(attempts_max=10, budget_max=3, budget_per_success=0.5)
    budget = RetryBudget(policy)

    def call() -> int:
        tries = Tries(policy, budget)
        tries.begin()
        while tries.pause_s(Code.UNAVAILABLE, left_s=LONG_S, draw=0) is not None:
            tries.begin()
        return tries.sent

    assert [call(), call()] == [4, 1]
    budget.earn()
    assert call() == 1
    budget.earn()
    assert call() == 2
    for _ in range(100):
        budget.earn()
    assert call() == 4
    assert budget.counts() == ClientCounts(calls=0, failures=0, retries=7, retries_refused=5)


@pytest.mark.slow
@settings(deadline=None)
@given(
    calls=st.integers(1, 60),
    budget_max=st.floats(0, 30),
    per_success=st.floats(0, 1),
    fails=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_retries_never_exceed_the_budget(
    calls: int, budget_max: float, per_success: float, fails: list[bool]
) -> None:
    policy = RetryPolicy(attempts_max=100, budget_max=budget_max, budget_per_success=per_success)
    budget = RetryBudget(policy)
    answered = 0
    for fail in fails[:calls]:
        tries = Tries(policy, budget)
        tries.begin()
        while fail and tries.pause_s(Code.UNAVAILABLE, left_s=LONG_S, draw=0) is not None:
            tries.begin()
        if not fail:
            budget.earn()
            answered += 1
    assert budget.counts().retries <= budget_max + answered * per_success + 1e-6


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("attempts_max", 0), ("attempts_max", ATTEMPTS_MAX + 1), ("backoff_first_s", -1.0),
        ("backoff_max_s", float("inf")), ("backoff_factor", 0.5), ("budget_max", float("nan")),
        ("budget_per_success", -0.1), ("codes", frozenset({Code.INTERNAL})),
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(member: str, value: float | frozenset[Code]) -> None:
    with pytest.raises(ValueError, match=member):
        replace(RetryPolicy(), **{member: cast(Any, value)})
