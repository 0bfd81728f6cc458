"""The database of a state directory, opened with care. What its tables mean is for others.

SQLite with a write-ahead log, synchronised at each commit: what has been written survives a crash of process
or machine. One connection for all threads: the control thread writes, others read, one at a time.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from understudy.errors import Code, StoreError
from understudy.store.directory import StateDirectory
from understudy.store.schema import check_ours, damaged, migrate

Values = tuple[object, ...]

_DATABASE: Final = "state.sqlite"
_IN_MEMORY: Final = ":memory:"
_BUSY_TIMEOUT_S: Final = 5.0
"""Only a person's own sqlite3 can hold the database; a server waits this long for them."""


class Database:
    """A database that this process holds. Any thread may call; every method may raise StoreError."""

    def __init__(self, directory: Path | None = None) -> None:
        """Opens it.

        Args:
            directory: where it lives, held until `close`; none: in memory, forgotten with the process.

        Raises:
            StoreError: UNAVAILABLE: the directory cannot be used now, or another server holds it; DATA_LOSS:
                what is there is damaged or not ours.
        """
        self._guard = threading.Lock()
        self._directory = None if directory is None else StateDirectory(directory)
        try:
            self._connection = _open(_IN_MEMORY if directory is None else str(directory / _DATABASE))
        except StoreError:
            self._release()
            raise

    @property
    def is_durable(self) -> bool:
        """Whether it outlives the process."""
        return self._directory is not None

    def close(self) -> None:
        """Lets go of the database and its directory."""
        with self._guard:
            self._connection.close()
        self._release()

    def execute(self, statement: str, values: Values = ()) -> sqlite3.Cursor:
        """One statement, within `reading` or `writing`."""
        return self._connection.execute(statement, values)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """For questions: nobody else asks meanwhile."""
        with self._guard:
            try:
                yield
            except sqlite3.Error as error:
                raise _failed("read", error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: durable when the context has ended, undone when it raised."""
        with self._guard:
            try:
                self.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self.execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        self.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise _failed("written", error) from error

    def _release(self) -> None:
        if self._directory is not None:
            self._directory.release()


def _open(place: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            place, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
        )
    except sqlite3.Error as error:
        raise _cannot_open(place, error) from error
    try:
        check_ours(connection, place)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection)
    except StoreError:
        connection.close()
        raise
    except sqlite3.OperationalError as error:  # not now: no space, no permission, held by a person
        connection.close()
        raise _cannot_open(place, error) from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise damaged(place, error) from error
    return connection


def _cannot_open(place: str, error: sqlite3.Error) -> StoreError:
    return StoreError(Code.UNAVAILABLE, f"The state in {place} cannot be opened: {error}.")


def _failed(what: str, error: sqlite3.Error) -> StoreError:
    is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return StoreError(
        Code.RESOURCE_EXHAUSTED if is_full else Code.INTERNAL,
        f"The server's state could not be {what}, so nothing was changed: {error}.",
    )
