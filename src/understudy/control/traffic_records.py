"""Which changes of models' traffic take effect: those on record, and those that must not wait for it.

A store that fails keeps rollouts from going forward, and that is told; it does not keep a version that does
harm in traffic. What is in force without its record is owed to the store, and recorded once that works again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from understudy.control.ledger import TrafficLedger
from understudy.errors import StoreError
from understudy.rollout.decision import Change

RETRY_S_MIN: Final = 1.0
RETRY_S_MAX: Final = 30.0
"""Between two tries to record after a failure, doubled each time."""
COUNTS_S: Final = 5.0
"""Counts that led to no decision are recorded this often: so much evidence a crash can lose at most."""
OWED_DECISIONS_MAX: Final = 100
"""Of one model; the newest. Nothing but harm, configurations and operators' retreats makes them."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of changes.

    Attributes:
        in_force: those that take effect, by model.
        refused: models whose changes do not.
        failure: why not everything is on record; none: it is.
        is_news: whether the failure is, or its end.
    """

    in_force: Mapping[str, Change]
    refused: frozenset[str] = frozenset()
    failure: StoreError | None = None
    is_news: bool = False


class TrafficRecords:
    """What is owed to the store, and when it is asked again. Owned by the control loop's thread.

    Attributes:
        owed: of each model what is in force without its record; replaced whole when anything in it changes.
    """

    def __init__(self, ledger: TrafficLedger) -> None:
        self._ledger = ledger
        self.owed: Mapping[str, Change] = {}
        self._counted: dict[str, Change] = {}
        self._counts_due_at: float | None = None
        self._failure: StoreError | None = None
        self._retry_at = 0.0
        self._retry_s = RETRY_S_MIN

    def is_recorded(self, model: str, now: float) -> bool:
        """Whether a model's traffic is on record, and what comes next may be tried to be."""
        return model not in self.owed and (self._failure is None or now >= self._retry_at)

    def settle(self, now: float, changes: Mapping[str, Change]) -> Settled:
        """Records changes, and what is owed; says which take effect."""
        decided = {model: change for model, change in changes.items() if change.decisions}
        for model, change in changes.items():
            if model in self.owed and not change.decisions:
                self._owe(model, replace(self.owed[model], traffic=change.traffic))
            elif not change.decisions:
                self._counted[model] = change
        if not decided and not self._is_due(now):
            return Settled(changes)
        had_failed = self._failure is not None
        due = {**self._counted, **{model: self._joined(model, decided.get(model)) for model in self.owed}}
        due |= {model: change for model, change in decided.items() if model not in self.owed}
        try:
            self._ledger.record(due)
        except StoreError as error:
            return self._note_failure(now, changes, error)
        if self.owed:
            self.owed = {}
        self._counted.clear()
        self._counts_due_at, self._failure, self._retry_s = None, None, RETRY_S_MIN
        return Settled(changes, is_news=had_failed)

    def _is_due(self, now: float) -> bool:
        if self._failure is not None and now < self._retry_at:
            return False
        if self.owed:
            return True
        if not self._counted:
            return False
        if self._counts_due_at is None:
            self._counts_due_at = now + COUNTS_S
        return now >= self._counts_due_at

    def _joined(self, model: str, change: Change | None) -> Change:
        """What is owed of a model, and what came since."""
        owed = self.owed[model]
        if change is None:
            return owed
        return replace(
            change,
            decisions=(*owed.decisions, *change.decisions)[-OWED_DECISIONS_MAX:],
            ended=(*owed.ended, *change.ended),
        )

    def _owe(self, model: str, change: Change) -> None:
        self.owed = {**self.owed, model: change}

    def _note_failure(self, now: float, changes: Mapping[str, Change], error: StoreError) -> Settled:
        is_news = self._failure is None
        self._failure = error
        self._retry_at = now + self._retry_s
        self._retry_s = min(2 * self._retry_s, RETRY_S_MAX)
        in_force = {
            model: change for model, change in changes.items() if change.is_urgent or not change.decisions
        }
        for model, change in in_force.items():
            if change.decisions:
                self._owe(model, self._joined(model, change) if model in self.owed else change)
                self._counted.pop(model, None)
        return Settled(in_force, frozenset(changes.keys() - in_force.keys()), error, is_news)
