"""Revisions of the configuration, as data: what is recorded, and what is read back."""

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where a configuration came from."""

    STARTUP = "startup"
    """The file or the flags that the server was started with."""
    FILE = "file"
    """The same file, read again."""
    RPC = "rpc"
    """HandleReloadConfigRequest."""
    API = "api"
    """The operators' API, which the commands use, too."""

    @property
    def is_declaration(self) -> bool:
        """Whether it is what the file or the flags say, which a later start compares with."""
        return self in {Origin.STARTUP, Origin.FILE}


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration that is to be recorded.

    Attributes:
        origin: where it came from.
        detail: who or what asked, in words; may be empty.
        text: the configuration, in canonical form: equal ones have equal texts.
    """

    origin: Origin
    detail: str
    text: str


@dataclass(frozen=True, slots=True)
class RevisionHead:
    """A recorded revision without its text.

    Attributes:
        number: counted from 1, in the order in which they came into force.
        at: when it was recorded, in seconds since 1970 (UTC).
        origin: where it came from.
        detail: who or what asked, in words; may be empty.
    """

    number: int
    at: float
    origin: Origin
    detail: str


@dataclass(frozen=True, slots=True)
class Revision:
    """A recorded revision.

    Attributes:
        head: its number, time and origin.
        text: the configuration, in canonical form.
    """

    head: RevisionHead
    text: str
