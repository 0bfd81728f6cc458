"""A YAML text as a tree that knows where each of its parts stands. Knows nothing of plans.

Only what a person writes by hand is taken: mappings, lists and scalars. Tags, anchors, aliases, further
documents and keys said twice are refused, and scalars stay text: what `on`, `1e3` or `0x10` mean is the
field's business, not YAML's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import yaml

from understudy.errors import Code, ConfigError

TEXT_BYTES_MAX: Final = 1024 * 1024
"""Of one text: some thousand models, each with a plan of its own."""
DEPTH_MAX: Final = 16
PARTS_MAX: Final = 50_000
"""Scalars, lists and mappings together."""
REASON_CHARS_MAX: Final = 300


_TAG_CHARS_MAX: Final = 40


class _Mark(Protocol):
    """A place as the parser tells it."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a text, and in which.

    Attributes:
        path: of the file, or another name for where the text came from; none: it has no name.
        line: counted from 1.
        column: counted from 1.
    """

    path: str | None
    line: int
    column: int

    def refuse(self, message: str) -> ConfigError:
        """The error that this place makes of a message; the caller raises it."""
        return ConfigError(Code.INVALID_ARGUMENT, message, path=self.path, line=self.line, column=self.column)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text.

    Attributes:
        place: where it begins.
        text: as it stands there, without quotes.
        is_plain: it has no quotes, so that `null` and nothing at all mean nothing.
    """

    place: Place
    text: str
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    items: tuple["Part", ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping: keys in the order of the text, each once."""

    place: Place
    entries: tuple[tuple[Scalar, "Part"], ...]


Part = Scalar | Items | Entries


def read_document(text: str, path: str | None = None) -> Part | None:
    """The tree of a text; none when it holds nothing but white space and comments.

    Args:
        text: in YAML.
        path: of the file that it was read from, for errors.

    Raises:
        ConfigError: INVALID_ARGUMENT, with the place.
    """
    if len(text.encode(errors="replace")) > TEXT_BYTES_MAX:
        raise ConfigError(
            Code.INVALID_ARGUMENT, f"Invalid plan: it is larger than {TEXT_BYTES_MAX} bytes", path=path
        )
    reader = _Reader(path)
    try:
        return reader.read(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        reason = f"Invalid YAML: {error.problem or error.context or 'it cannot be read'}"
        raise reader.place(error.problem_mark or error.context_mark).refuse(
            reason[:REASON_CHARS_MAX]
        ) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(path, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise place.refuse("Invalid YAML: a character that YAML does not allow; remove it") from error
    except (ValueError, OverflowError) as error:  # the parser's own, of an escape
        raise reader.here().refuse("Invalid YAML: an escape that stands for no character") from error


class _Reader:
    """Builds the tree from the parser's events, which come one by one: nothing grows before it is counted."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._parts = 0
        self._last = Place(path, 1, 1)

    def read(self, events: Iterator[yaml.Event]) -> Part | None:
        document: Part | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.place(event.start_mark).refuse(
                        "a second document begins; write one document a file"
                    )
            elif isinstance(event, yaml.NodeEvent):
                document = self._part(event, events, depth=1)
        nothing = isinstance(document, Scalar) and document.is_plain and not document.text
        return None if nothing else document

    def place(self, mark: _Mark | None) -> Place:
        """The parser counts from 0."""
        return self._last if mark is None else Place(self._path, mark.line + 1, mark.column + 1)

    def here(self) -> Place:
        """The last place that was read."""
        return self._last

    def _part(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], *, depth: int) -> Part:
        place = self._last = self.place(event.start_mark)
        self._check(event, place, depth)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place, event.value, event.style is None)
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(place, tuple(self._items(events, depth)))
        return Entries(place, tuple(self._entries(events, depth)))

    def _items(self, events: Iterator[yaml.Event], depth: int) -> Iterator[Part]:
        for event in events:
            if not isinstance(event, yaml.NodeEvent):
                return
            yield self._part(event, events, depth=depth + 1)

    def _entries(self, events: Iterator[yaml.Event], depth: int) -> Iterator[tuple[Scalar, Part]]:
        seen: dict[str, Place] = {}
        parts = self._items(events, depth)
        for key in parts:
            if not isinstance(key, Scalar):
                raise key.place.refuse("a key is a word, not a list or a mapping")
            if key.text in seen:
                first = seen[key.text]
                raise key.place.refuse(
                    f"`{key.text}` is there twice; the first is in line {first.line}. Remove one of them"
                )
            seen[key.text] = key.place
            yield key, next(parts)

    def _check(self, event: yaml.NodeEvent, place: Place, depth: int) -> None:
        self._parts += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise place.refuse("anchors and aliases are not taken; write the value again, or use `defaults`")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise place.refuse(f"tags are not taken; remove `{str(tag)[:_TAG_CHARS_MAX]}`")
        if depth > DEPTH_MAX:
            raise place.refuse(f"it is nested more than {DEPTH_MAX} deep")
        if self._parts > PARTS_MAX:
            raise place.refuse(f"there are more than {PARTS_MAX} values")
