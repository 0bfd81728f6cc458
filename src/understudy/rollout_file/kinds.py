"""Kinds of single values in a plan: what their text looks like, what it means, how it is written again."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final, Protocol

from understudy.evidence import WHOLE

_NUMBER: Final = r"(\d{1,15}(?:\.\d{1,60})?)"
_DURATION: Final = re.compile(rf"{_NUMBER}\s*(ms|s|min|h|d)")
_SHARE: Final = re.compile(rf"{_NUMBER}\s*%")
_PLAIN: Final = re.compile(rf"{_NUMBER}(?:e[-+]?\d{{1,2}})?")
_COUNT: Final = re.compile(r"\d{1,12}")
_SECONDS: Final = {"ms": "0.001", "s": "1", "min": "60", "h": "3600", "d": "86400"}
_FLAGS: Final = {"true": True, "false": False}
TEXT_CHARS_MAX: Final = 256


class Kind(Protocol):
    """What a value may be."""

    @property
    def expected(self) -> str:
        """What to write, with an example."""
        ...

    def read(self, text: str) -> object:
        """What the text means; none: it is not of this kind."""
        ...

    def write(self, value: object) -> str:
        """A text that is read as this value."""
        ...


@dataclass(frozen=True, slots=True)
class Duration:
    """A time span, kept in seconds."""

    shortest_s: float = 0.0
    longest_s: float = 30 * 86_400.0

    @property
    def expected(self) -> str:
        """What to write."""
        return (
            f"a duration with its unit, such as `60 s`, `5 min` or `1 h`, "
            f"from {self.write(self.shortest_s)} to {self.write(self.longest_s)}"
        )

    def read(self, text: str) -> float | None:
        """Seconds."""
        match = _DURATION.fullmatch(text)
        if match is None:
            return None
        seconds = float(Decimal(match[1]) * Decimal(_SECONDS[match[2]]))
        return seconds if self.shortest_s <= seconds <= self.longest_s else None

    def write(self, value: object) -> str:
        """In the largest unit that leaves a whole number."""
        assert isinstance(value, int | float)  # noqa: S101 - the field's own type
        seconds = Decimal(str(value))
        for unit in ("d", "h", "min", "s"):
            count = seconds / Decimal(_SECONDS[unit])
            if count and count == int(count):
                return f"{int(count)} {unit}"
        return f"{_plain(seconds)} s"


@dataclass(frozen=True, slots=True)
class Weight:
    """A share of traffic, kept in hundredths of a per cent."""

    lowest: int = 1
    highest: int = WHOLE - 1

    @property
    def expected(self) -> str:
        """What to write."""
        return (
            f"a share of traffic, such as `5 %`, from {self.write(self.lowest)} to {self.write(self.highest)}"
        )

    def read(self, text: str) -> int | None:
        """Hundredths of a per cent; there are no smaller ones."""
        match = _SHARE.fullmatch(text)
        if match is None:
            return None
        weight = Decimal(match[1]) * 100
        return int(weight) if weight == int(weight) and self.lowest <= weight <= self.highest else None

    def write(self, value: object) -> str:
        """In per cent."""
        return f"{_plain(Decimal(str(value)) / 100)} %"


@dataclass(frozen=True, slots=True)
class Share:
    """A share of any kind, or a probability, kept as a number from 0 to 1."""

    lowest: float = 0.0
    highest: float = 1.0

    @property
    def expected(self) -> str:
        """What to write."""
        return f"a share, such as `0.5 %`, from {self.write(self.lowest)} to {self.write(self.highest)}"

    def read(self, text: str) -> float | None:
        """From 0 to 1."""
        match = _SHARE.fullmatch(text)
        if match is None:
            return None
        share = float(Decimal(match[1]) / 100)
        return share if self.lowest <= share <= self.highest else None

    def write(self, value: object) -> str:
        """In per cent."""
        return f"{_plain(Decimal(str(value)) * 100)} %"


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is not negative."""

    lowest: float = 0.0
    highest: float = 1e12

    @property
    def expected(self) -> str:
        """What to write."""
        return f"a number, such as `1.5`, from {self.lowest:g} to {self.highest:g}"

    def read(self, text: str) -> float | None:
        """The number."""
        if _PLAIN.fullmatch(text) is None:
            return None
        number = float(text)
        return number if self.lowest <= number <= self.highest else None

    def write(self, value: object) -> str:
        """With as many digits as it takes to be read as the same number."""
        assert isinstance(value, int | float)  # noqa: S101 - the field's own type
        return repr(float(value)).removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number."""

    lowest: int = 0
    highest: int = 1_000_000_000

    @property
    def expected(self) -> str:
        """What to write."""
        return f"a whole number from {self.lowest} to {self.highest}"

    def read(self, text: str) -> int | None:
        """The number."""
        count = int(text) if _COUNT.fullmatch(text) else -1
        return count if self.lowest <= count <= self.highest else None

    def write(self, value: object) -> str:
        """In digits."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    @property
    def expected(self) -> str:
        """What to write."""
        return "`true` or `false`"

    def read(self, text: str) -> bool | None:
        """Only these two words: others mean different things in different YAML."""
        return _FLAGS.get(text)

    def write(self, value: object) -> str:
        """The word."""
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    of: type[Enum]

    @property
    def expected(self) -> str:
        """What to write."""
        return " or ".join(f"`{choice.value}`" for choice in self.of)

    def read(self, text: str) -> Enum | None:
        """The choice."""
        return next((choice for choice in self.of if choice.value == text), None)

    def write(self, value: object) -> str:
        """Its word."""
        assert isinstance(value, Enum)  # noqa: S101 - the field's own type
        return str(value.value)


@dataclass(frozen=True, slots=True)
class Text:
    """Words, of which a pattern says which."""

    what: str
    pattern: str = rf"[^\x00-\x1f\x7f]{{1,{TEXT_CHARS_MAX}}}"

    @property
    def expected(self) -> str:
        """What to write."""
        return self.what

    def read(self, text: str) -> str | None:
        """The text itself."""
        return text if re.fullmatch(self.pattern, text) else None

    def write(self, value: object) -> str:
        """In quotes where YAML could take it for something else."""
        return str(value)


def _plain(number: Decimal) -> str:
    """Without an exponent and without zeros at the end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
