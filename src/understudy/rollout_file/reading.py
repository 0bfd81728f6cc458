"""From a text to plans and strategies: every key known, every value of its kind, every error placed."""

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from understudy.rollout.plan import Plan, Strategy
from understudy.rollout_file.document import Entries, Items, Part, Scalar, read_document
from understudy.rollout_file.kinds import Kind
from understudy.rollout_file.records import (
    PLAN,
    STARTS_ITSELF,
    STARTS_ITSELF_KIND,
    Field,
    Many,
    Named,
    Record,
)

DEFAULT_PLAN: Final = Plan()
MODEL_NAME_CHARS_MAX: Final = 1_024
_NOTHING: Final = frozenset({"", "~", "null", "none"})
_QUOTED_CHARS_MAX: Final = 60
_DEFAULTS: Final = "defaults"
_MODELS: Final = "models"


def parse_strategies(text: str, path: str | None = None) -> dict[str, Strategy]:
    """The strategies of a file, by model. A text that says nothing holds none.

    Args:
        text: in YAML: `models`, and `defaults` for what is the same in all of them.
        path: of the file, for errors.

    Raises:
        ConfigError: INVALID_ARGUMENT, with the place and what was expected there.
    """
    document = read_document(text, path)
    if document is None:
        return {}
    top = _as_entries(document, "the file", "a mapping with `models`")
    parts = dict(_known(top, "the file", (_DEFAULTS, _MODELS)))
    defaults = Strategy()
    if _DEFAULTS in parts:
        defaults = _read_strategy(parts[_DEFAULTS], defaults, _DEFAULTS)
    if _MODELS not in parts or _is_nothing(parts[_MODELS]):
        return {}
    models = _as_entries(parts[_MODELS], _MODELS, "a mapping from names of models to their plans")
    return {
        _model_name(key): _read_strategy(part, defaults, f"{_MODELS}.{key.text}")
        for key, part in models.entries
    }


def parse_plan(text: str, path: str | None = None, *, base: Plan = DEFAULT_PLAN) -> Plan:
    """One plan. A text that says nothing is the one it starts from; JSON is taken, too, for it is YAML.

    Args:
        text: in YAML.
        path: of the file, for errors.
        base: what holds of all that the text does not say.

    Raises:
        ConfigError: INVALID_ARGUMENT, with the place and what was expected there.
    """
    document = read_document(text, path)
    if document is None:
        return base
    plan: Plan = _read_record(document, PLAN, base, "")
    return plan


def _read_strategy(part: Part, base: Strategy, where: str) -> Strategy:
    """The keys of a plan, and one more."""
    if _is_nothing(part):
        return base
    entries = _as_entries(part, where, "a mapping")
    known = tuple(_known(entries, where, (STARTS_ITSELF, *PLAN.fields)))
    starts_itself = base.starts_itself
    for key, value in known:
        if key == STARTS_ITSELF:
            starts_itself = bool(_read_kind(value, STARTS_ITSELF_KIND, f"{where}.{key}"))
    of_plan = Entries(
        entries.place, tuple(entry for entry in entries.entries if entry[0].text != STARTS_ITSELF)
    )
    return Strategy(starts_itself=starts_itself, plan=_read_record(of_plan, PLAN, base.plan, where))


def _read_record(part: Part, record: Record, base: Any, where: str) -> Any:  # noqa: ANN401 - of the record's own dataclass
    """A dataclass with what the text says, and the rest as it was."""
    if isinstance(part, Scalar) and record.short is not None and not _is_nothing(part):
        field = record.fields[record.short]
        changes = {field.attribute: _read_field(part, field, None, _join(where, record.short))}
    else:
        entries = _as_entries(part, where or "the plan", "a mapping")
        changes = {}
        for key, value in _known(entries, where or "the plan", record.fields):
            field = record.fields[key]
            changes[field.attribute] = _read_field(
                value, field, getattr(base, field.attribute, None), _join(where, key)
            )
    made = replace(base, **changes) if base is not None else record.of(**changes)
    wrong = record.check(made) if record.check else None
    if wrong is not None:
        raise part.place.refuse(f"{where or 'the plan'}: {wrong}")
    return made


def _read_field(part: Part, field: Field, base: Any, where: str) -> Any:  # noqa: ANN401 - of the field's own type
    if field.may_be_none and _is_nothing(part):
        return None
    match field.shape:
        case Record() as record:
            return _read_record(part, record, base, where)
        case Many() as many:
            return _read_many(part, many, where)
        case Named() as named:
            return _read_named(part, named, base, where)
        case kind:
            return _read_kind(part, kind, where)


def _read_many(part: Part, many: Many, where: str) -> tuple[Any, ...]:
    if not isinstance(part, Items):
        raise part.place.refuse(f"{where}: a list was expected{_found(part)}")
    if len(part.items) > many.items_max:
        raise part.place.refuse(
            f"{where}: at most {many.items_max} are taken, and there are {len(part.items)}"
        )
    return tuple(
        _read_record(item, many.of, None, f"{where}[{index}]")
        if isinstance(many.of, Record)
        else _read_kind(item, many.of, f"{where}[{index}]")
        for index, item in enumerate(part.items)
    )


def _read_named(part: Part, named: Named, base: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """What is named replaces what was there under its name, or comes after it."""
    entries = _as_entries(part, where, "a mapping by name")
    made = {item.name: item for item in base}
    for key, value in entries.entries:
        name = named.names.read(key.text)
        if name is None:
            raise key.place.refuse(f"{where}: {named.names.expected} was expected{_found(key)}")
        made[name] = _read_record(
            value, named.of, made.get(name) or named.of.of(name=name), f"{where}.{name}"
        )
    if len(made) > named.items_max:
        raise part.place.refuse(f"{where}: at most {named.items_max} are taken, and there are {len(made)}")
    return tuple(made.values())


def _read_kind(part: Part, kind: Kind, where: str) -> Any:  # noqa: ANN401 - of the kind's own type
    value = kind.read(part.text) if isinstance(part, Scalar) else None
    if value is None:
        raise part.place.refuse(f"{where}: {kind.expected} was expected{_found(part)}")
    return value


def _known(entries: Entries, where: str, keys: Iterable[str]) -> Iterable[tuple[str, Part]]:
    """Its entries, when all their keys are known."""
    keys = tuple(keys)
    for key, value in entries.entries:
        if key.text not in keys:
            quoted = key.text[:_QUOTED_CHARS_MAX]
            raise key.place.refuse(f"{where}: there is no key `{quoted}`; {_suggest(key.text, keys)}")
        yield key.text, value


def _suggest(key: str, keys: tuple[str, ...]) -> str:
    near = get_close_matches(key[:_QUOTED_CHARS_MAX], keys, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known are {', '.join(f'`{known}`' for known in keys)}"


def _as_entries(part: Part, where: str, expected: str) -> Entries:
    if isinstance(part, Entries):
        return part
    raise part.place.refuse(f"{where}: {expected} was expected{_found(part)}")


def _is_nothing(part: Part) -> bool:
    return isinstance(part, Scalar) and part.is_plain and part.text in _NOTHING


def _found(part: Part) -> str:
    match part:
        case Scalar(text=""):
            return ", and nothing is there"
        case Scalar():
            return f", not `{part.text[:_QUOTED_CHARS_MAX]}`"
        case Items():
            return ", not a list"
        case Entries():
            return ", not a mapping"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _model_name(key: Scalar) -> str:
    if 0 < len(key.text) <= MODEL_NAME_CHARS_MAX:
        return key.text
    raise key.place.refuse(f"{_MODELS}: a model's name has 1 to {MODEL_NAME_CHARS_MAX} characters")
