"""The database's tables, how an older database becomes a present one, and which databases are not ours.

A migration is never changed once it was released; a change of the tables is a new migration at the end.
"""

import sqlite3
from typing import Final

from understudy.errors import Code, StoreError

APPLICATION_ID: Final = 0x556E6453
"""`UndS`, in the header of every database of ours (https://sqlite.org/pragma.html#pragma_application_id)."""

Migration = tuple[str, ...]

MIGRATIONS: Final[tuple[Migration, ...]] = (
    (
        """
        CREATE TABLE revisions (
            number INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            origin TEXT NOT NULL,
            detail TEXT NOT NULL,
            bytes INTEGER NOT NULL, -- of the text; before it, so that sums need not read it
            text TEXT NOT NULL
        ) STRICT
        """,
        # What the file or the flags said when they were last taken: one row at most.
        """
        CREATE TABLE declared (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            digest TEXT NOT NULL
        ) STRICT
        """,
    ),
    (
        # Rollouts, one row each, the present ones among them; `state` is JSON (rollout_json.py).
        """
        CREATE TABLE rollouts (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            model TEXT NOT NULL,
            is_ended INTEGER NOT NULL,
            state TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX rollouts_by_model ON rollouts (model, is_ended, number)",
        # What is in force beside the configuration, one row a model.
        """
        CREATE TABLE traffic (
            model TEXT PRIMARY KEY,
            rollout TEXT, -- the present one
            state TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE quarantine (
            model TEXT NOT NULL,
            version INTEGER NOT NULL,
            state TEXT NOT NULL,
            PRIMARY KEY (model, version)
        ) STRICT
        """,
        # Never changed, only forgotten.
        """
        CREATE TABLE decisions (
            number INTEGER PRIMARY KEY,
            model TEXT NOT NULL,
            rollout TEXT NOT NULL, -- empty: none's
            bytes INTEGER NOT NULL, -- of the decision; before it, so that sums need not read it
            decision TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX decisions_by_rollout ON decisions (rollout, model, number)",
        # Whether the last server that had this database ended in good order: one row at most.
        """
        CREATE TABLE ends (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            is_orderly INTEGER NOT NULL
        ) STRICT
        """,
    ),
)
"""The statements that lead from each version of the tables (`PRAGMA user_version`) to the next."""


def check_ours(
    connection: sqlite3.Connection, place: str, migrations: tuple[Migration, ...] = MIGRATIONS
) -> None:
    """Refuses a database that must be left as it is; changes nothing.

    Args:
        connection: to it.
        place: of the database, for errors.
        migrations: from the first version on.

    Raises:
        StoreError: DATA_LOSS: it is damaged, another program's, or a newer Understudy's.
        sqlite3.Error: it cannot be read.
    """
    _check_whole(connection, place)
    application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    is_empty = not connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and not (is_empty and application == version == 0):
        raise _refused(place, "it is a database of another program")
    if version > len(migrations):
        raise _refused(
            place, f"its tables are of version {version}, and this program knows {len(migrations)} at most"
        )


def migrate(connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Brings a database that is ours to the present version of its tables, whole or not at all.

    Args:
        connection: in autocommit mode.
        migrations: from the first version on.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    version = _pragma(connection, "user_version")
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def damaged(place: str, error: sqlite3.DatabaseError) -> StoreError:
    """The refusal of a database that SQLite cannot read."""
    return _refused(place, f"it is damaged: {error}")


def _check_whole(connection: sqlite3.Connection, place: str) -> None:
    (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise _refused(place, f"it is damaged: {finding}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _refused(place: str, reason: str) -> StoreError:
    return StoreError(
        Code.DATA_LOSS,
        f"The state in {place} cannot be used: {reason}. Nothing was changed there. Move it away, or restore "
        "a copy, or name another state directory; a server that starts without it takes its configuration "
        "from the file or the flags.",
    )
