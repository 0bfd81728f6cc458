"""The page about plans is what their table and their dataclasses say."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from understudy.rollout_file import parse_strategies
from understudy.rollout_file.records import PLAN, Many, Named, Record
from understudy.rollout_file.reference import build_reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rollout-plans.md"
NAMES = {"name"}
"""Attributes that a mapping's key says."""


def records(record: Record) -> Iterator[Record]:
    yield record
    for field in record.fields.values():
        match field.shape:
            case Record() as inner:
                yield from records(inner)
            case Many(of=Record() as inner) | Named(of=inner):
                yield from records(inner)
            case _:
                pass


def test_the_page_in_the_docs_is_made_from_the_table(rewrite: bool) -> None:  # noqa: FBT001 - a fixture
    if rewrite:
        PAGE.write_text(build_reference())
    else:
        assert PAGE.read_text() == build_reference()


@pytest.mark.parametrize("record", list(records(PLAN)), ids=lambda record: record.of.__name__)
def test_every_attribute_has_a_key_and_a_sentence(record: Record) -> None:
    attributes = {field.name for field in fields(record.of)} - NAMES
    assert {field.attribute for field in record.fields.values()} == attributes
    for attribute in attributes:
        assert f"{attribute}: " in (record.of.__doc__ or "")


def test_the_pages_example_is_taken() -> None:
    example = build_reference().split("```yaml\n")[1].split("```")[0]
    strategies = parse_strategies(example)
    assert sorted(strategies) == ["digits", "ranking"]
    assert strategies["ranking"].plan.duration_max_s == 12 * 3_600
