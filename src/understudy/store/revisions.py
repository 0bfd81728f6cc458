"""Revisions of the configuration on record. What a configuration means is not known here, only its text."""

import hashlib
from collections.abc import Callable
from typing import Final

from understudy.store.database import Database
from understudy.store.revision import Draft, Origin, Revision, RevisionHead

REVISIONS_MAX: Final = 1_000
"""The newest are kept; the one in force is always the newest."""
TEXT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of all texts together, the newest one aside: some tens of revisions of ten thousand models."""


class RevisionStore:
    """Configuration revisions, numbered from 1. Any thread may call; every method may raise StoreError.

    What `record` has returned survives a crash of process or machine.
    """

    def __init__(self, database: Database, wall: Callable[[], float]) -> None:
        """Asks this database.

        Args:
            database: open.
            wall: tells the time, in seconds since 1970.
        """
        self._database = database
        self._execute = database.execute
        self._wall = wall

    def record(self, draft: Draft) -> int:
        """Makes a configuration the newest revision, durably; its number."""
        size = len(draft.text.encode())
        with self._database.writing():
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
        with self._database.writing():
            self._declare(text)

    def is_declared(self, text: str) -> bool | None:
        """Whether the file or the flags said the same when they were last taken; none: they never were."""
        with self._database.reading():
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
        with self._database.reading():
            rows = self._execute(
                "SELECT number, at, origin, detail FROM revisions ORDER BY number DESC LIMIT ?", (limit,)
            ).fetchall()
        return tuple(RevisionHead(number, at, Origin(origin), detail) for number, at, origin, detail in rows)

    def _find(self, which: str, values: tuple[int, ...]) -> Revision | None:
        with self._database.reading():
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
