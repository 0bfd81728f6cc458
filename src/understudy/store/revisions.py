"""The store of configuration revisions: what `record` has returned survives a crash of process or machine.

SQLite with a write-ahead log, synchronised at each commit. One connection: the control thread writes, others
read, one at a time. What a configuration means is not known here, only its text.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from understudy.errors import Code, StoreError
from understudy.store.directory import StateDirectory
from understudy.store.revision import Draft, Origin, Revision, RevisionHead
from understudy.store.schema import check_ours, damaged, migrate

REVISIONS_MAX: Final = 1_000
"""The newest are kept; the one in force is always the newest."""
TEXT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of all texts together, the newest one aside: some tens of revisions of ten thousand models."""

_DATABASE: Final = "state.sqlite"
_IN_MEMORY: Final = ":memory:"
_BUSY_TIMEOUT_S: Final = 5.0
"""Only a person's own sqlite3 can hold the database; a server waits this long for them."""


class RevisionStore:
    """Configuration revisions, numbered from 1. Any thread may call; every method may raise StoreError."""

    def __init__(self, wall: Callable[[], float], directory: Path | None = None) -> None:
        """Opens a store.

        Args:
            wall: tells the time, in seconds since 1970.
            directory: where it lives, held until `close`; none: in memory, forgotten with the process.

        Raises:
            StoreError: UNAVAILABLE: the directory cannot be used now, or another server holds it; DATA_LOSS:
                what is there is damaged or not ours.
        """
        self._wall = wall
        self._guard = threading.Lock()
        self._directory = None if directory is None else StateDirectory(directory)
        try:
            self._database = _open(_IN_MEMORY if directory is None else str(directory / _DATABASE))
        except StoreError:
            self._release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database and its directory."""
        with self._guard:
            self._database.close()
        self._release()

    def record(self, draft: Draft) -> int:
        """Makes a configuration the newest revision, durably; its number."""
        size = len(draft.text.encode())
        with self._writing():
            (number,) = self._execute("SELECT coalesce(max(number), 0) + 1 FROM revisions").fetchone()
            self._execute(
                "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?)",
                (number, self._wall(), draft.origin.value, draft.detail, size, draft.text),
            )
            if draft.origin.is_declaration:
                self._declare(draft.text)
            self._forget_old(int(number))
        return int(number)

    def note_declared(self, text: str) -> None:
        """Remembers what the file or the flags say now, where that is in force already; durably."""
        if self.is_declared(text):
            return
        with self._writing():
            self._declare(text)

    def is_declared(self, text: str) -> bool | None:
        """Whether the file or the flags said the same when they were last taken; none: they never were."""
        with self._reading():
            row = self._execute("SELECT digest FROM declared").fetchone()
        return None if row is None else bool(row[0] == _digest(text))

    def newest(self) -> Revision | None:
        """The newest revision; none before the first."""
        return self._find("ORDER BY number DESC LIMIT 1", ())

    def find(self, number: int) -> Revision | None:
        """A revision; none when there is none of that number, or none any more."""
        return self._find("WHERE number = ?", (number,))

    def history(self, limit: int) -> tuple[RevisionHead, ...]:
        """The newest revisions, the newest first."""
        with self._reading():
            rows = self._execute(
                "SELECT number, at, origin, detail FROM revisions ORDER BY number DESC LIMIT ?", (limit,)
            ).fetchall()
        return tuple(RevisionHead(number, at, Origin(origin), detail) for number, at, origin, detail in rows)

    def _find(self, which: str, values: tuple[int, ...]) -> Revision | None:
        with self._reading():
            row = self._execute(
                f"SELECT number, at, origin, detail, text FROM revisions {which}",  # noqa: S608 - our own words
                values,
            ).fetchone()
        if row is None:
            return None
        number, at, origin, detail, text = row
        return Revision(RevisionHead(number, at, Origin(origin), detail), text)

    def _declare(self, text: str) -> None:
        self._execute("INSERT OR REPLACE INTO declared VALUES (1, ?)", (_digest(text),))

    def _forget_old(self, newest: int) -> None:
        self._execute("DELETE FROM revisions WHERE number <= ?", (newest - REVISIONS_MAX,))
        self._execute(
            "DELETE FROM revisions WHERE number < ? AND number IN ("
            "SELECT number FROM (SELECT number, sum(bytes) OVER (ORDER BY number DESC) AS total "
            "FROM revisions WHERE number < ?) WHERE total > ?)",
            (newest, newest, TEXT_BYTES_MAX),
        )

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        return self._database.execute(statement, values)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._guard:
            try:
                yield
            except sqlite3.Error as error:
                raise _failed("read", error) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: durable when the context has ended, undone when it raised."""
        with self._guard:
            try:
                self._execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._execute("COMMIT")
                finally:
                    if self._database.in_transaction:
                        self._execute("ROLLBACK")
            except sqlite3.Error as error:
                raise _failed("written", error) from error

    def _release(self) -> None:
        if self._directory is not None:
            self._directory.release()


def _open(place: str) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(
            place, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
        )
    except sqlite3.Error as error:
        raise _cannot_open(place, error) from error
    try:
        check_ours(database, place)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        migrate(database)
    except StoreError:
        database.close()
        raise
    except sqlite3.OperationalError as error:  # not now: no space, no permission, held by a person
        database.close()
        raise _cannot_open(place, error) from error
    except sqlite3.DatabaseError as error:
        database.close()
        raise damaged(place, error) from error
    return database


def _cannot_open(place: str, error: sqlite3.Error) -> StoreError:
    return StoreError(Code.UNAVAILABLE, f"The state in {place} cannot be opened: {error}.")


def _failed(what: str, error: sqlite3.Error) -> StoreError:
    is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return StoreError(
        Code.RESOURCE_EXHAUSTED if is_full else Code.INTERNAL,
        f"The server's state could not be {what}, so nothing was changed: {error}.",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
