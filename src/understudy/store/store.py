"""The server's store: one database, and those who know what its tables mean."""

from pathlib import Path
from typing import Self

from understudy.clock import Clock
from understudy.store.database import Database
from understudy.store.ends import Ends
from understudy.store.revisions import RevisionStore
from understudy.store.rollouts import RolloutStore


class Store:
    """What outlives the process. Any thread may call.

    Attributes:
        database: which all share.
        revisions: of the configuration.
        rollouts: what is kept of models' traffic.
        ends: how the last server ended that had it.
    """

    def __init__(self, clock: Clock, directory: Path | None = None) -> None:
        """Opens a store.

        Args:
            clock: the control loop's.
            directory: where it lives, held until `close`; none: in memory, forgotten with the process.

        Raises:
            StoreError: as `Database` does.
        """
        self.database = Database(directory)
        self.revisions = RevisionStore(self.database, clock.wall)
        self.rollouts = RolloutStore(self.database, clock)
        self.ends = Ends(self.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database and its directory."""
        self.database.close()
