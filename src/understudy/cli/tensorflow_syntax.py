"""TensorFlow Serving's command line syntax, to the letter: `--flag=value`, and nothing cleverer.

Works for any table of flags; the table itself is tensorflow_flags.py.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from understudy.cli.tensorflow_flags import Flag, FlagType, FlagValue

_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+", re.ASCII)
_FLOAT = re.compile(
    r"[ \t\n\v\f\r]*[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?)", re.ASCII
)
_INTEGER_CHARS_MAX = 64
_BITS = {FlagType.INT32: 32, FlagType.INT64: 64}
_USAGE_COLUMN = 33


@dataclass(frozen=True, slots=True)
class FlagValues:
    """A value for every flag of a table."""

    _values: Mapping[str, FlagValue]

    def boolean(self, name: str) -> bool:
        """The value of a bool flag."""
        value = self._values[name]
        assert isinstance(value, bool), name  # noqa: S101 - the table says what type a flag has
        return value

    def integer(self, name: str) -> int:
        """The value of an int32 or int64 flag."""
        value = self._values[name]
        assert isinstance(value, int), name  # noqa: S101 - the table says what type a flag has
        return value

    def real(self, name: str) -> float:
        """The value of a float flag."""
        value = self._values[name]
        assert isinstance(value, float), name  # noqa: S101 - the table says what type a flag has
        return value

    def text(self, name: str) -> str:
        """The value of a string flag."""
        value = self._values[name]
        assert isinstance(value, str), name  # noqa: S101 - the table says what type a flag has
        return value

    def is_default(self, flag: Flag) -> bool:
        """Whether the flag asks for nothing else than leaving it out does."""
        return self._values[flag.name] == flag.default


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line, read.

    Attributes:
        values: for every flag of the table.
        given: names of the flags that stood there, with or without their default.
        unknown: arguments that are no flag of the table, in order.
        errors: sentences about values that could not be read.
    """

    values: FlagValues
    given: frozenset[str]
    unknown: tuple[str, ...]
    errors: tuple[str, ...]

    @property
    def wants_usage(self) -> bool:
        """Whether usage is all there is to answer: a bad value, or `--help` as the first unknown argument."""
        return bool(self.errors) or self.unknown[:1] == ("--help",)


def parse_arguments(arguments: Sequence[str], flags: Iterable[Flag]) -> CommandLine:
    """Reads a command line, as TensorFlow's own parser does.

    A flag that stands twice has its last value; all from a bare `--` on is unknown.
    """
    table = tuple(flags)
    values = {flag.name: flag.default for flag in table}
    given: set[str] = set()
    unknown: list[str] = []
    errors: list[str] = []
    for position, argument in enumerate(arguments):
        if argument == "--":
            unknown += arguments[position:]
            break
        found = _find(argument, table)
        if found is None:
            unknown.append(argument)
            continue
        flag, written = found
        value = _parse_value(flag.type, written)
        if value is None:
            errors.append(f"Couldn't interpret value {written} for flag {flag.name}.")
        else:
            values[flag.name] = value
            given.add(flag.name)
    return CommandLine(FlagValues(values), frozenset(given), tuple(unknown), tuple(errors))


def build_usage(program: str, flags: Iterable[Flag]) -> str:
    """The text that explains every flag, with its default, in TensorFlow's layout."""
    lines = [f"usage: {program}", "Flags:"]
    for flag in flags:
        example = f"--{flag.name}={_show(flag)}"
        lines.append(f"\t{example:<{_USAGE_COLUMN}}\t{flag.type.value}\t{flag.summary}")
    return "\n".join(lines) + "\n"


def _find(argument: str, flags: Iterable[Flag]) -> tuple[Flag, str] | None:
    """The flag that an argument sets, and what stands for its value.

    A bool flag claims every argument that begins with its name, as in TensorFlow: the rest is a bad value.
    """
    for flag in flags:
        name = f"--{flag.name}"
        if flag.type is FlagType.BOOL and argument.startswith(name):
            return flag, argument.removeprefix(name)
        if argument.startswith(f"{name}="):
            return flag, argument.removeprefix(f"{name}=")
    return None


def _parse_value(kind: FlagType, written: str) -> FlagValue | None:
    match kind:
        case FlagType.STRING:
            return written
        case FlagType.BOOL:
            return {"": True, "=true": True, "=false": False}.get(written)
        case FlagType.FLOAT:
            return float(written) if _FLOAT.fullmatch(written) else None
        case FlagType.INT32 | FlagType.INT64:
            return _parse_integer(written, _BITS[kind])


def _parse_integer(written: str, bits: int) -> int | None:
    if len(written) > _INTEGER_CHARS_MAX or not _INTEGER.fullmatch(written):
        return None
    value = int(written)
    return value if -(1 << bits - 1) <= value < 1 << bits - 1 else None


def _show(flag: Flag) -> str:
    match flag.default:
        case bool(value):
            return "true" if value else "false"
        case str(value):
            return f'"{value}"'
        case float(value):
            return f"{value:f}"
        case value:
            return str(value)
