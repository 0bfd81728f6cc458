"""A program that assigns by itself comes to what the server comes to."""

import json
from pathlib import Path

import pytest

from understudy.client import Assignment, BucketRange, InvalidRequestError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "traffic-assignment.json").read_text()
)


def test_every_documented_key_has_its_documented_bucket() -> None:
    for each in VECTORS:
        assignment = Assignment(each["salt"], {})
        assert assignment.bucket(bytes.fromhex(each["key_hex"])) == each["bucket"], each


def test_the_page_shows_every_vector() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "traffic-assignment.md").read_text()
    rows = {tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in page.splitlines()}
    for each in VECTORS:
        key = each.get("key", f"the bytes `{each['key_hex']}")
        assert (each["salt"], key, str(each["bucket"])) in rows, each


def test_integers_are_their_decimal_text() -> None:
    assignment = Assignment("digits/2", {})
    assert assignment.bucket(7) == assignment.bucket("7") == assignment.bucket(b"7") == 9_091


def test_a_caller_belongs_to_a_version_or_to_the_default_one_and_so_to_a_label() -> None:
    assignment = Assignment("digits/2", {2: 500, 3: 2_000}, labels={3: "third"})
    assert assignment.ranges == (BucketRange(2, 0, 500), BucketRange(3, 4_250, 6_250))
    keys = (9_223_372_036_854_775_807, "user-1", "0")
    owners = [(assignment.version(key), assignment.label(key)) for key in keys]
    assert owners == [(2, "canary"), (3, "third"), (None, "stable")]


def test_ranges_are_taken_as_the_server_tells_them() -> None:
    assignment = Assignment("digits/2", [BucketRange(2, 5_731, 5_732), BucketRange(2, 0, 10)])
    assert (assignment.version("user-1"), assignment.version("user-2")) == (2, None)


@pytest.mark.parametrize(
    "split", [{2: 10_001}, {2: -1}, [BucketRange(2, 0, 10), BucketRange(3, 9, 20)], [BucketRange(2, 5, 5)]]
)
def test_what_is_no_split_is_refused(split: dict[int, int] | list[BucketRange]) -> None:
    with pytest.raises(InvalidRequestError, match="Not a split"):
        Assignment("digits/2", split)


@pytest.mark.parametrize("key", ["", b"", "k" * 1_025])
def test_what_is_no_key_is_refused_since_the_server_would_draw(key: str | bytes) -> None:
    with pytest.raises(InvalidRequestError, match="from 1 to 1024 bytes"):
        Assignment("digits/2", {2: 500}).version(key)
