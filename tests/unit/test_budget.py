"""Memory reserved by estimate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.lifecycle.resources import Budget
from understudy.servable import ServableId

ONE, TWO = ServableId("m", 1), ServableId("m", 2)


def test_without_a_limit_everything_fits() -> None:
    budget = Budget()
    assert budget.reserve(ONE, 2**70)
    assert budget.reserved_bytes == 2**70


def test_exactly_the_limit_fits_and_one_byte_more_does_not() -> None:
    budget = Budget(100)
    assert budget.reserve(ONE, 100)
    assert not budget.reserve(TWO, 1)
    assert budget.reservations() == {ONE: 100}


def test_what_is_released_can_be_reserved_again() -> None:
    budget = Budget(100)
    budget.reserve(ONE, 60)
    assert not budget.has_room_for(50)
    budget.release(ONE)
    assert budget.has_room_for(100)
    assert budget.reserved_bytes == 0


def test_reserving_twice_for_one_version_is_a_fault_of_ours() -> None:
    budget = Budget(100)
    budget.reserve(ONE, 1)
    with pytest.raises(AssertionError, match="m/1: reserved twice"):
        budget.reserve(ONE, 1)


def test_a_negative_estimate_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError, match="negative"):
        Budget(100).reserve(ONE, -1)


def test_releasing_what_was_never_reserved_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        Budget(100).release(ONE)


def test_the_reason_names_need_what_is_left_and_the_limit() -> None:
    budget = Budget(100)
    budget.reserve(ONE, 60)
    assert budget.why_no_room(50) == "needs 50 bytes; 40 bytes of 100 bytes are left"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5), st.integers(0, 60))))
def test_however_it_is_used_the_sum_is_true_and_never_past_the_limit(
    deeds: list[tuple[bool, int, int]],
) -> None:
    budget = Budget(100)
    expected: dict[ServableId, int] = {}
    for is_release, number, estimate_bytes in deeds:
        servable = ServableId("m", number)
        if servable in expected:
            if is_release:
                budget.release(servable)
                del expected[servable]
        elif budget.reserve(servable, estimate_bytes):
            expected[servable] = estimate_bytes
        assert budget.reservations() == expected
        assert budget.reserved_bytes == sum(expected.values()) <= 100
