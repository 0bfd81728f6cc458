"""Whose fingerprint is taken in this poll, of the versions that serve: in turn, within a budget. No I/O."""

from collections.abc import Set as AbstractSet
from itertools import islice

from understudy.servable import ServableId

CHECKED_PER_POLL_MAX = 200
"""Ten thousand versions are checked within a minute of polls, at one poll a second."""
CHECK_BUDGET_S = 0.05
"""Time for fingerprints that each poll earns; what one costs beyond it, the next polls make up for."""
_FIRST_COST_S = 0.005
"""What a fingerprint is taken to cost before one was measured: caution, not a measurement."""


class Guard:
    """The guarded versions in the order of their turns."""

    def __init__(self) -> None:
        self._turns: dict[ServableId, None] = {}
        self._credit_s = 0.0
        self._cost_s = _FIRST_COST_S

    def set(self, servables: AbstractSet[ServableId]) -> None:
        """From now on these; those known keep their turn, new ones come last."""
        turns = {servable: None for servable in self._turns if servable in servables}
        turns.update(dict.fromkeys(sorted(servables - turns.keys())))
        self._turns = turns

    def pick(self) -> list[ServableId]:
        """Those whose turn it is in this poll; their next turn comes after all others'."""
        self._credit_s = min(CHECK_BUDGET_S, self._credit_s + CHECK_BUDGET_S)
        if self._credit_s <= 0:
            return []
        count = min(CHECKED_PER_POLL_MAX, max(1, int(self._credit_s / self._cost_s)))
        picked = list(islice(self._turns, count))
        for servable in picked:
            self._turns[servable] = self._turns.pop(servable)
        return picked

    def note(self, count: int, duration_s: float) -> None:
        """So many were checked, and it took so long together."""
        self._credit_s -= duration_s
        cost_s = (self._cost_s + duration_s / count) / 2
        self._cost_s = max(cost_s, CHECK_BUDGET_S / CHECKED_PER_POLL_MAX)
