"""From plans and strategies to YAML that is read as the same, with every key: nothing is left to defaults."""

import re
from collections.abc import Iterator, Mapping
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

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.%:-]*(?: [A-Za-z0-9_.%-]+)*(?<!:)")
_NOTHING: Final = frozenset({"null", "none"})
_NONE: Final = "none"
_INDENT: Final = "  "


def format_plan(plan: Plan) -> str:
    """A plan as YAML."""
    return "".join(f"{line}\n" for line in _record(plan, PLAN))


def format_strategies(strategies: Mapping[str, Strategy]) -> str:
    """A file of strategies as YAML, models by name."""
    lines = ["models:" if strategies else "models: {}"]
    for name in sorted(strategies):
        strategy = strategies[name]
        lines.append(f"{_INDENT}{_scalar(name)}:")
        own = [f"{STARTS_ITSELF}: {STARTS_ITSELF_KIND.write(strategy.starts_itself)}"]
        lines += [f"{_INDENT * 2}{line}" for line in (*own, *_record(strategy.plan, PLAN))]
    return "".join(f"{line}\n" for line in lines)


def _record(value: Any, record: Record) -> Iterator[str]:  # noqa: ANN401 - of the record's own dataclass
    for key, field in record.fields.items():
        yield from _field(key, getattr(value, field.attribute), field)


def _field(key: str, value: Any, field: Field) -> Iterator[str]:  # noqa: ANN401 - of the field's own type
    if value is None:
        yield f"{key}: {_NONE}"
        return
    match field.shape:
        case Record() as record:
            yield f"{key}:"
            yield from _indent(_record(value, record))
        case Many() as many:
            yield f"{key}:" if value else f"{key}: []"
            for item in value:
                yield from _indent(_item(item, many))
        case Named() as named:
            yield f"{key}:" if value else f"{key}: {{}}"
            for item in value:
                yield f"{_INDENT}{_scalar(item.name)}:"
                yield from _indent(_indent(_record(item, named.of)))
        case kind:
            yield f"{key}: {_scalar(kind.write(value))}"


def _item(item: Any, many: Many) -> Iterator[str]:  # noqa: ANN401 - of the list's own type
    """The first line after a dash, the others below it."""
    lines = _record(item, many.of) if isinstance(many.of, Record) else iter((_scalar(many.of.write(item)),))
    for index, line in enumerate(lines):
        yield f"- {line}" if index == 0 else f"{_INDENT}{line}"


def _indent(lines: Iterator[str]) -> Iterator[str]:
    return (f"{_INDENT}{line}" for line in lines)


def _scalar(text: str) -> str:
    """In quotes where YAML could take it for something else."""
    if _PLAIN.fullmatch(text) and text not in _NOTHING:
        return text
    return f'"{"".join(map(_escape, text))}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\U{ord(character):08x}"
