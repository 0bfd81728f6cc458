"""Plans and strategies as YAML: what is taken, what is refused and where, and that writing is read as the same."""

import re
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from understudy.errors import Code, ConfigError
from understudy.rollout.plan import Plan, Quality, QualitySettings, ShadowStage, Step, Strategy
from understudy.rollout_file import format_plan, format_strategies, parse_plan, parse_strategies
from understudy.rollout_file.document import DEPTH_MAX, PARTS_MAX, TEXT_BYTES_MAX
from understudy.rollout_file.kinds import Choice, Count, Duration, Flag, Kind, Number, Share, Text, Weight
from understudy.rollout_file.records import PLAN, Field, Many, Named, Record


def test_a_text_that_says_nothing_is_the_plan_by_default() -> None:
    assert parse_plan("") == parse_plan("# nothing\n") == parse_plan("{}") == Plan()
    assert parse_strategies("") == parse_strategies("models:") == {}


def test_a_step_may_be_its_weight_alone() -> None:
    plan = parse_plan("steps:\n- 0.5 %\n- weight: 20 %\n  dwell: 5 min\n  needs_approval: true\n")
    assert plan.steps == (Step(weight=50), Step(weight=2_000, dwell_s=300.0, needs_approval=True))


def test_what_is_off_is_said_so() -> None:
    assert parse_plan("shadow: none").shadow is None
    assert parse_plan("shadow: ~\nsteps: [1 %]").shadow is None
    assert parse_plan("shadow: 20 %").shadow == ShadowStage(share=2_000)


def test_json_is_taken() -> None:
    plan = parse_plan('{"quality": {"metric": "log_loss", "window": "2 h"}, "automatic": false}')
    assert plan.quality == QualitySettings(metric=Quality.LOG_LOSS, window_s=7_200.0)
    assert not plan.is_automatic


def test_a_plan_starts_from_another() -> None:
    base = Plan(duration_max_s=60.0, crashes_max=7)
    assert parse_plan("crashes_max: 1", base=base) == replace(base, crashes_max=1)
    assert parse_plan("", base=base) == base


def test_one_metric_can_be_changed_and_the_others_stay() -> None:
    changed = parse_plan("analysis: {metrics: {errors: {margin: 2}, slow:p50: {muted: true}}}").analysis
    before = {metric.name: metric for metric in Plan().analysis.metrics}
    after = {metric.name: metric for metric in changed.metrics}
    assert after["errors"] == replace(before["errors"], margin=2.0)
    assert after["slow:p50"].is_muted
    assert {name: after[name] for name in before if name != "errors"} == {
        name: before[name] for name in before if name != "errors"
    }


def test_a_model_starts_from_the_defaults() -> None:
    strategies = parse_strategies(
        "defaults: {starts_itself: false, shadow: {share: 50 %, dwell: 1 h}, quality: log_loss}\n"
        "models:\n  digits:\n  on: {shadow: {share: 1 %}, quality: none}\n"
    )
    digits, other = strategies["digits"], strategies["on"]
    assert not digits.starts_itself
    assert digits.plan.shadow == ShadowStage(share=5_000, dwell_s=3_600.0)
    assert other.plan.shadow == ShadowStage(share=100, dwell_s=3_600.0)
    assert (digits.plan.quality, other.plan.quality) == (QualitySettings(metric=Quality.LOG_LOSS), None)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("steps: 5 %", (1, 8), "steps: a list was expected, not `5 %`"),
        ("steps:\n- weight: 5\n", (2, 11), "steps[0].weight: a share of traffic, such as `5 %`, from 0.01 % to 99.99 % was expected, not `5`"),
        ("steps: [0.005 %]", (1, 9), "steps[0].weight: a share"),
        ("steps: [5 %, 5 %]", (1, 1), "the plan: the weights of `steps` must grow"),
        ("shadow: none\nsteps: []", (1, 1), "the plan: without `shadow` and without `steps`"),
        ("duration_max: 60", (1, 15), "duration_max: a duration with its unit"),
        ("duration_max: 31 d", (1, 15), "duration_max: a duration with its unit"),
        ("stpes: []", (1, 1), "the plan: there is no key `stpes`; did you mean `steps`?"),
        ("qqqq: 1", (1, 1), "the plan: there is no key `qqqq`; known are `shadow`, `steps`, "),
        ("steps: [{wieght: 1 %}]", (1, 10), "steps[0]: there is no key `wieght`; did you mean `weight`?"),
        ("newer: Queue", (1, 8), "newer: `queue` or `supersede` was expected, not `Queue`"),
        ("may_override: yes", (1, 15), "may_override: `true` or `false` was expected, not `yes`"),
        ("crashes_max: -1", (1, 14), "crashes_max: a whole number from 0 to 1000 was expected, not `-1`"),
        ("crashes_max:", (1, 13), "crashes_max: a whole number from 0 to 1000 was expected, and nothing is there"),
        ("key_header: X-User", (1, 13), "key_header: the name of a header in lower case"),
        ("analysis: {metrics: {slow: {}}}", (1, 22), "analysis.metrics: a kind of bad event"),
        ("analysis: {metrics: {slow:p97: {}}}", (1, 22), "analysis.metrics: a kind of bad event"),
        ("analysis: {metrics: {slow:p99: {margin: 1.05}}}", (1, 32), "analysis.metrics.slow:p99: `margin` (1.05) must be above"),
        ("analysis: {alpha: 0 %}", (1, 19), "analysis.alpha: a share"),
        ("quality: custom", (1, 10), "quality: `metric: custom` needs `entry_point`"),
        ("quality: {entry_point: 'a:b'}", (1, 10), "quality: `entry_point` is for `metric: custom` alone"),
        ("quality: {wrong_above: 1}", (1, 10), "quality: `wrong_above` says nothing of `accuracy`"),
        ("- 1 %", (1, 1), "the plan: a mapping was expected, not a list"),
        ("wait: {}", (1, 7), "wait: a duration"),
        ("wait: 1 h\nwait: 2 h", (2, 1), "`wait` is there twice; the first is in line 1."),
        ("wait: &a 1 h", (1, 7), "anchors and aliases are not taken"),
        ("wait: *a", (1, 7), "anchors and aliases are not taken"),
        ("wait: !!str 1 h", (1, 7), "tags are not taken; remove `tag:yaml.org,2002:str`"),
        ("!!python/object:os.system {}", (1, 1), "tags are not taken"),
        ("? [a]\n: b", (1, 3), "a key is a word"),
        ("wait: 1 h\n---\nwait: 2 h", (2, 1), "a second document begins"),
        ("wait: [", (1, 8), "Invalid YAML: "),
        ("wait: a: b", (1, 8), "Invalid YAML: "),
        ("wait: \x01", (1, 7), "Invalid YAML: a character that YAML does not allow"),
        ('wait: "\\UFFFFFFFF"', None, "Invalid YAML: "),
        ("[" * (DEPTH_MAX + 1), (1, DEPTH_MAX + 1), f"it is nested more than {DEPTH_MAX} deep"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_its_place(
    text: str, place: tuple[int, int] | None, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_plan(text, "plan.yaml")
    assert refused.value.message.startswith(message)
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert refused.value.path == "plan.yaml"
    assert place is None or (refused.value.line, refused.value.column) == place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "models: [digits]",
            "models: a mapping from names of models to their plans was expected, not a list",
        ),
        ("model: {}", "the file: there is no key `model`; did you mean `models`?"),
        (
            "models: {digits: {starts_itself: maybe}}",
            "models.digits.starts_itself: `true` or `false` was expected",
        ),
        ("models: {digits: {steps: [200 %]}}", "models.digits.steps[0].weight: a share of traffic"),
        ("models: {'': {}}", "models: a model's name has 1 to 1024 characters"),
        ("defaults: 3", "defaults: a mapping was expected, not `3`"),
    ],
)
def test_a_file_that_cannot_be_taken_says_where(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_strategies(text)
    assert refused.value.message.startswith(message)


def test_a_text_beyond_the_limits_is_refused() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        parse_plan("#" * (TEXT_BYTES_MAX + 1))


@pytest.mark.slow
def test_more_values_than_the_limit_are_refused() -> None:
    with pytest.raises(ConfigError, match=f"more than {PARTS_MAX} values"):
        parse_plan(f"steps: [{'1,' * PARTS_MAX}]")


ANY_TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
NAMED: dict[str, tuple[Any, ...]] = {"metrics": Plan().analysis.metrics, "scores": Plan().analysis.scores}


def values(shape: Kind | Record | Many | Named) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - a table
    """Values of a shape that its text can say."""
    match shape:
        case Duration():
            milliseconds = st.integers(int(shape.shortest_s * 1_000), int(shape.longest_s * 1_000))
            return milliseconds.map(lambda count: count / 1_000)
        case Weight() | Count():
            return st.integers(shape.lowest, shape.highest)
        case Share() | Number():
            return st.floats(max(shape.lowest, 1e-9), shape.highest)
        case Flag():
            return st.booleans()
        case Choice():
            return st.sampled_from(list[Enum](shape.of))
        case Text():
            any_text = "x00" in shape.pattern
            return (
                ANY_TEXT if any_text else st.from_regex(re.compile(shape.pattern, re.ASCII), fullmatch=True)
            )
        case Many():
            return st.lists(values(shape.of), max_size=3).map(tuple)
        case Record():
            fields = {field.attribute: field_values(field) for field in shape.fields.values()}
            return st.builds(shape.of, **fields).filter(lambda made: fits(made, shape))
        case _:
            raise AssertionError(shape)


def field_values(field: Field) -> st.SearchStrategy[Any]:
    match field.shape:
        case Named() as named:
            return st.dictionaries(values(named.names), named_values(named.of), max_size=3).map(
                lambda changed: merge(field.attribute, changed)
            )
        case Many(of=Record(of=of)) if of is Step:
            return values(field.shape).map(ascending)
        case shape:
            return st.none() | values(shape) if field.may_be_none else values(shape)


def named_values(record: Record) -> st.SearchStrategy[Any]:
    fields = {field.attribute: values(field.shape) for field in record.fields.values()}
    return st.builds(record.of, name=st.just(""), **fields).filter(lambda made: fits(made, record))


def fits(made: object, record: Record) -> bool:
    return record.check is None or record.check(made) is None


def merge(attribute: str, changed: dict[str, Any]) -> tuple[Any, ...]:
    """As a text is read: over the defaults, new names after them."""
    named: dict[str, Any] = {item.name: item for item in NAMED[attribute]}
    return tuple({**named, **{name: replace(item, name=name) for name, item in changed.items()}}.values())


def ascending(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple({step.weight: step for step in sorted(steps, key=lambda step: step.weight)}.values())


PLANS = values(PLAN)


@pytest.mark.slow
@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(PLANS)
def test_what_is_written_is_read_as_the_same(plan: Plan) -> None:
    assert parse_plan(format_plan(plan)) == plan


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(ANY_TEXT, st.booleans(), max_size=3))
def test_strategies_are_written_and_read_as_the_same(started: dict[str, bool]) -> None:
    strategies = {name: Strategy(starts_itself=starts) for name, starts in started.items()}
    assert parse_strategies(format_strategies(strategies)) == strategies


PIECES = st.sampled_from(
    [*PLAN.fields, "models", "defaults", "{", "}", "[", "]", ":", ": ", "- ", "\n", "\n  ", ",", "5 %", "1 h", "none",
     "&a ", "*a", "!!", "!x ", "|\n", ">", '"', "'", "\\", "\\u", "%YAML 1.1", "---", "...", "? ", "#", "<<", "\t"]
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=1_500, deadline=None, derandomize=True)
@given(st.lists(PIECES | st.text(max_size=5), max_size=25).map("".join))
def test_no_text_brings_anything_but_a_refusal(text: str) -> None:
    for parse in (parse_plan, parse_strategies):
        with suppress(ConfigError):
            parse(text)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.data())
def test_a_plan_with_something_broken_brings_nothing_but_a_refusal(data: st.DataObject) -> None:
    text = format_plan(Plan())
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 10)))
    with suppress(ConfigError):
        parse_plan(text[:start] + data.draw(st.text(max_size=5)) + text[stop:])
