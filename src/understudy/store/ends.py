"""How the last server ended that had this store: in good order, or suddenly."""

from understudy.store.database import Database


class Ends:
    """One mark, set at an orderly end and taken away at the next start. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def was_orderly(self) -> bool:
        """Whether the last server ended in good order; so it is when there was none."""
        with self._database.reading():
            row = self._database.execute("SELECT is_orderly FROM ends").fetchone()
        return row is None or bool(row[0])

    def note_begun(self) -> None:
        """From now on an end is a sudden one, unless `note_orderly` comes before it."""
        self._note(is_orderly=False)

    def note_orderly(self) -> None:
        """This server ends in good order."""
        self._note(is_orderly=True)

    def _note(self, *, is_orderly: bool) -> None:
        with self._database.writing():
            self._database.execute("INSERT OR REPLACE INTO ends VALUES (1, ?)", (is_orderly,))
