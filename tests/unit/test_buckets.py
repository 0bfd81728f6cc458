"""Who is in which bucket, and who gets which bucket when weights change."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.buckets import (
    BUCKETS,
    KEY_BYTES_MAX,
    RANGES_MAX,
    BucketRange,
    Ranges,
    bucket_of,
    key_bytes,
    owner,
    remainder,
    reweigh,
    weights_of,
)
from understudy.rollout.weights import Split, resplit

VECTORS = Path(__file__).parents[2] / "docs" / "reference" / "traffic-assignment.json"


def test_every_documented_key_has_its_documented_bucket() -> None:
    vectors = json.loads(VECTORS.read_text())
    assert len(vectors) > 20
    for each in vectors:
        assert bucket_of(each["salt"], bytes.fromhex(each["key_hex"])) == each["bucket"], each


@pytest.mark.parametrize(
    ("key", "expected"),
    [("user-1", b"user-1"), (-7, b"-7"), (b"\x00\xff", b"\x00\xff"), ("Zoë", "Zoë".encode())],
)
def test_a_key_is_its_bytes_and_an_integer_its_decimal_text(key: str | int | bytes, expected: bytes) -> None:
    assert key_bytes(key) == expected


def test_what_is_empty_or_too_long_is_no_key() -> None:
    assert key_bytes("") is None
    assert key_bytes("k" * KEY_BYTES_MAX) is not None
    assert key_bytes("k" * (KEY_BYTES_MAX + 1)) is None


@st.composite
def weights(draw: st.DrawFn, versions: int = 4) -> dict[int, int]:
    """Weights of some of these versions, together at most all buckets."""
    left = BUCKETS
    found = {}
    for version in range(2, 2 + draw(st.integers(0, versions))):
        found[version] = draw(
            st.one_of(st.sampled_from([0, 1, 100, 500, 2_500, 5_000]), st.integers(0, left))
        )
        found[version] = min(found[version], left)
        left -= found[version]
    return found


@st.composite
def splits(draw: st.DrawFn) -> Ranges:
    """What a few changes of weights came to."""
    ranges: Ranges = ()
    for _ in range(draw(st.integers(0, 3))):
        ranges = reweigh(ranges, draw(weights()))
    return ranges


def sets(ranges: Ranges) -> dict[int, set[int]]:
    """The buckets of each version."""
    found: dict[int, set[int]] = {}
    for each in ranges:
        found.setdefault(each.version, set()).update(range(each.start, each.stop))
    return found


@pytest.mark.slow
@settings(deadline=None)
@given(splits(), weights())
def test_each_version_has_as_many_buckets_as_its_weight_and_no_bucket_two_versions(
    before: Ranges, asked: dict[int, int]
) -> None:
    after = reweigh(before, asked)
    assert weights_of(after) == {version: weight for version, weight in asked.items() if weight}
    assert all(0 <= each.start < each.stop <= BUCKETS for each in after)
    assert sum(map(len, sets(after).values())) == len(set().union(*sets(after).values()))
    assert len(after) <= RANGES_MAX


@pytest.mark.slow
@settings(deadline=None)
@given(splits(), weights())
def test_who_gets_more_loses_nobody_and_who_gets_less_gains_nobody(
    before: Ranges, asked: dict[int, int]
) -> None:
    old, new = sets(before), sets(reweigh(before, asked))
    for version in old | new:
        had, has = old.get(version, set()), new.get(version, set())
        assert has >= had if len(has) >= len(had) else has < had


@pytest.mark.slow
@settings(deadline=None)
@given(splits(), weights())
def test_nobody_moves_between_two_versions_while_the_default_one_has_buckets_to_give(
    before: Ranges, asked: dict[int, int]
) -> None:
    old, new = sets(before), sets(reweigh(before, asked))
    moved = sum(len(new[to] & old[of]) for to in new for of in old if of != to)
    growth = sum(max(0, weight - len(old.get(version, ()))) for version, weight in asked.items())
    free = BUCKETS - sum(map(len, old.values()))
    assert moved == max(0, growth - free)


@pytest.mark.slow
@settings(deadline=None)
@given(weights(), st.floats(0, 1), st.integers(0, 3))
def test_a_ramp_down_and_up_again_comes_back_to_the_same_callers(
    asked: dict[int, int], share: float, which: int
) -> None:
    full = reweigh((), asked)
    at_full = weights_of(full)
    shrinking = list(at_full)[which : which + 1]
    less = at_full | {version: max(1, int(share * at_full[version])) for version in shrinking}
    assert sets(reweigh(reweigh(full, less), at_full)) == sets(full)
    assert reweigh(full, at_full) == full


def test_one_candidate_has_the_first_buckets() -> None:
    ranges: Ranges = ()
    for weight in (100, 500, 2_500, 5_000, BUCKETS, 500):
        ranges = reweigh(ranges, {2: weight})
        assert ranges == (BucketRange(2, 0, weight),)
    assert reweigh(ranges, {}) == ()


def test_the_second_version_begins_where_both_have_room() -> None:
    assert reweigh((), {2: 1_000, 3: 1_000}) == (BucketRange(2, 0, 1_000), BucketRange(3, 5_000, 6_000))
    assert reweigh((), {2: 5_000, 3: 5_000}) == (BucketRange(2, 0, 5_000), BucketRange(3, 5_000, BUCKETS))


def test_a_version_that_is_hemmed_in_goes_on_behind_the_other_and_comes_back_the_same_way() -> None:
    ranges = (BucketRange(2, 0, 100), BucketRange(3, 100, 200))
    wider = reweigh(ranges, {2: 300, 3: 100})
    assert wider == (BucketRange(2, 0, 100), BucketRange(2, 200, 400), BucketRange(3, 100, 200))
    assert reweigh(wider, {2: 100, 3: 100}) == ranges


def test_a_split_that_is_too_scattered_is_laid_out_anew() -> None:
    scattered = tuple(
        BucketRange(2 + number % 2, 10 * number, 10 * number + 1) for number in range(RANGES_MAX)
    )
    assert sets(reweigh(scattered, {2: 32, 3: 32})) == sets(scattered)
    assert len(reweigh(scattered, {2: 1_000, 3: 32})) == len(reweigh((), {2: 1_000, 3: 32})) == 2


@pytest.mark.slow
@settings(deadline=None)
@given(splits(), weights(), st.integers(0, 4))
def test_when_another_version_answers_the_rest_each_keeps_its_callers_as_far_as_its_weight_goes(
    before: Ranges, asked: dict[int, int], which: int
) -> None:
    shares = {1: BUCKETS - sum(asked.values()), **asked}
    rest = sorted(shares)[which % len(shares)]
    after = resplit(Split(1, before), shares, rest)
    assert after.rest == rest
    old = sets((*remainder(1, before), *before))
    new = sets((*remainder(rest, after.ranges), *after.ranges))
    assert {version: len(new.get(version, ())) for version in shares} == shares
    for version in shares.keys() - {rest}:
        had, has = old.get(version, set()), new.get(version, set())
        assert has >= had if len(has) >= len(had) else has < had


@pytest.mark.parametrize("wrong", [{2: -1}, {2: BUCKETS + 1}, {2: 6_000, 3: 6_000}])
def test_weights_that_cannot_be_are_refused(wrong: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="all together at most 10000"):
        reweigh((), wrong)


def test_a_bucket_has_one_owner_or_the_default_version() -> None:
    ranges = (BucketRange(2, 9_000, BUCKETS), BucketRange(2, 0, 10), BucketRange(3, 10, 20))
    owners = [owner(ranges, bucket) for bucket in (0, 9, 10, 20, 9_000, BUCKETS - 1)]
    assert owners == [2, 2, 3, None, 2, 2]
