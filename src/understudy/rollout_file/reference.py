"""The reference page of plans, from the table by which they are read and what the dataclasses say of it."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, Final

from understudy.rollout.plan import Plan, Strategy
from understudy.rollout_file.records import (
    PLAN,
    STARTS_ITSELF,
    STARTS_ITSELF_KIND,
    Field,
    Many,
    Named,
    Record,
)
from understudy.rollout_file.writing import format_plan
from understudy.routing.traffic import Traffic

_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)
_SEE_TRAFFIC: Final = re.compile(r"^(lower case; )?see `Traffic`\.$")

_HEAD: Final = """\
# Plans

<!-- Generated from the table by which plans are read; tests/unit/test_rollout_reference.py compares and \
rewrites it. -->

A file of strategies says how new versions of models are rolled out. It is YAML:

```yaml
defaults:             # what is the same in all models below
  duration_max: 12 h
models:
  digits:             # a model that is named here is managed: only what a rollout promoted serves
    steps: [1 %, 5 %, 25 %, 50 %]
    quality: log_loss
  ranking:
    starts_itself: false
    shadow: none
    steps:
      - weight: 5 %
        dwell: 10 min
        needs_approval: true
      - 50 %
    analysis:
      metrics:
        errors: {margin: 1.2}
        slow:p99: {muted: true}
```

`defaults` may have every key that a model may have; a model's own keys go before it, key by key. A list is \
replaced whole. A plan for one rollout (`understudy rollout start --plan`) is the same mapping without \
`starts_itself`.

* A **duration** has its unit: `500 ms`, `60 s`, `5 min`, `1 h`, `2 d`. A **share** is in per cent: `0.5 %`. \
Numbers without a unit are not taken for either.
* `none` switches off what may be off.
* A **step** may be its weight alone, and **shadow** its share; **quality** its metric.
* A key that is not known, a key that is there twice, and a value of another kind are refused with their \
line and column. Tags, anchors, aliases and further documents are not taken. A text has up to 1 MiB.

"""


def build_reference() -> str:
    """The page, in Markdown."""
    tables = "\n".join(_tables())
    return f"{_HEAD}{tables}\n## The plan by default, written out\n\n```yaml\n{format_plan(Plan())}```\n"


def _tables() -> Iterator[str]:
    told = _documented(Strategy)
    yield "## Of a model alone\n"
    yield from _table([_row(STARTS_ITSELF, STARTS_ITSELF_KIND.expected, "true", told[STARTS_ITSELF])])
    waiting: list[tuple[str, Record, Any]] = [("The plan", PLAN, Plan())]
    seen: set[type] = set()
    while waiting:
        title, record, example = waiting.pop(0)
        if record.of in seen:
            continue
        seen.add(record.of)
        yield f"## {title}\n"
        documented = _documented(record.of)
        yield from _table(
            _row(key, _describe(field), _default(field, example), documented[field.attribute])
            for key, field in record.fields.items()
        )
        waiting += _below(title, record, example)


def _below(title: str, record: Record, example: Any) -> Iterator[tuple[str, Record, Any]]:  # noqa: ANN401
    """The records within a record, each with an example of its defaults."""
    for key, field in record.fields.items():
        path = f"`{key}`" if record is PLAN else f"{title}, `{key}`"
        match field.shape:
            case Record() as inner:
                yield path, inner, getattr(example, field.attribute) or inner.of()
            case Many(of=Record() as inner):
                yield f"{path}, each", inner, getattr(example, field.attribute)[0]
            case Named() as named:
                yield f"{path}, each by its name", named.of, None
            case _:
                pass


def _describe(field: Field) -> str:
    match field.shape:
        case Record(short=str(short)) as record:
            expected = f"a mapping (below), or its `{short}` alone: {_describe(record.fields[short])}"
        case Record():
            expected = "a mapping (below)"
        case Many(of=Record()) as many:
            expected = f"a list (below) of at most {many.items_max}"
        case Many() as many:
            expected = f"a list of at most {many.items_max}, each {many.of.expected}"  # type: ignore[union-attr]
        case Named() as named:
            expected = f"a mapping (below) from {named.names.expected}"
        case kind:
            expected = kind.expected
    return f"{expected}; or `none`" if field.may_be_none else expected


def _default(field: Field, example: Any) -> str:  # noqa: ANN401
    if example is None:
        return "as written out below"
    value = getattr(example, field.attribute)
    if value is None:
        return "`none`"
    if isinstance(field.shape, Record | Many | Named):
        return "as written out below"
    return f"`{field.shape.write(value)}`"


def _documented(of: type) -> dict[str, str]:
    """What a dataclass says of its attributes."""
    text = inspect.cleandoc(of.__doc__ or "")
    told = {name: " ".join(said.split()) for name, said in _ATTRIBUTE.findall(text)}
    return {
        name: _documented(Traffic)[name] if _SEE_TRAFFIC.match(said) else said for name, said in told.items()
    }


def _table(rows: Iterator[str] | list[str]) -> Iterator[str]:
    yield "| key | what it may be | by default | what it is |"
    yield "| --- | --- | --- | --- |"
    yield from rows
    yield ""


def _row(key: str, expected: str, default: str, said: str) -> str:
    cells = (f"`{key}`", expected, default, said[:1].upper() + said[1:])
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
