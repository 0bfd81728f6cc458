"""The server's store: one database, and those who know what its tables mean."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

from understudy.store.database import Database
from understudy.store.revisions import RevisionStore


class Store:
    """What outlives the process. Any thread may call.

    Attributes:
        database: which all share.
        revisions: of the configuration.
    """

    def __init__(self, wall: Callable[[], float], directory: Path | None = None) -> None:
        """Opens a store.

        Args:
            wall: tells the time, in seconds since 1970.
            directory: where it lives, held until `close`; none: in memory, forgotten with the process.

        Raises:
            StoreError: as `Database` does.
        """
        self.database = Database(directory)
        self.revisions = RevisionStore(self.database, wall)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database and its directory."""
        self.database.close()
