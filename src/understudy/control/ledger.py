"""Where configurations are recorded before they are in force: the control loop's wish of the store."""

from typing import Protocol

from understudy.store.revision import Draft


class Ledger(Protocol):
    """Records configurations durably. Called on the control thread; raises StoreError."""

    def record(self, draft: Draft) -> int:
        """Records a configuration that is about to be in force; the number of the revision."""
        ...

    def note_declared(self, text: str) -> None:
        """Remembers what the file or the flags say, where that is in force already."""
        ...
