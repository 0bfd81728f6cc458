"""Where what is decided is recorded before it is in force: the control loop's wish of the store."""

from collections.abc import Mapping
from typing import Protocol

from understudy.rollout.decision import Change
from understudy.store.revision import Draft


class Ledger(Protocol):
    """Records configurations durably. Called on the control thread; raises StoreError."""

    def record(self, draft: Draft) -> int:
        """Records a configuration that is about to be in force; the number of the revision."""
        ...

    def note_declared(self, text: str) -> None:
        """Remembers what the file or the flags say, where that is in force already."""
        ...


class TrafficLedger(Protocol):
    """Records what is decided of models' traffic durably. Called on the control thread; raises StoreError."""

    def record(self, changes: Mapping[str, Change]) -> None:
        """Records changes by model, all of them or none."""
        ...
