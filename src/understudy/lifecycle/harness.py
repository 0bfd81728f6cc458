"""The life of one version: the table of its states, and the harness that can move only along it.

Nothing outside this file changes a state. Why something should move is decided in model.py.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from understudy.servable import Event, Failure, FoundVersion, ServableId, State, VersionSnapshot


class Trigger(Enum):
    """What moves a version from one state to the next."""

    LOAD_STARTED = "load started"
    LOADED = "loaded"
    LOADED_UNWANTED = "loaded, but no longer aspired"
    ATTEMPT_FAILED = "attempt failed, another follows"
    GAVE_UP = "attempt failed, none follows"
    REFUSED = "no memory for it"
    CANCELLED = "no longer aspired"
    UNLOAD_STARTED = "unload started"
    UNLOADED = "unloaded"
    RENEWED = "aspired again, or worth another try"


TRANSITIONS: Mapping[tuple[State, Trigger], State] = MappingProxyType(
    {
        (State.NEW, Trigger.LOAD_STARTED): State.LOADING,
        (State.NEW, Trigger.CANCELLED): State.END,
        (State.NEW, Trigger.REFUSED): State.ERROR,
        (State.LOADING, Trigger.LOADED): State.READY,
        (State.LOADING, Trigger.LOADED_UNWANTED): State.UNLOADING,
        (State.LOADING, Trigger.ATTEMPT_FAILED): State.RETRYING,
        (State.LOADING, Trigger.GAVE_UP): State.ERROR,
        (State.RETRYING, Trigger.LOAD_STARTED): State.LOADING,
        (State.RETRYING, Trigger.CANCELLED): State.END,
        (State.RETRYING, Trigger.REFUSED): State.ERROR,
        (State.READY, Trigger.UNLOAD_STARTED): State.UNLOADING,
        (State.UNLOADING, Trigger.UNLOADED): State.END,
        (State.END, Trigger.RENEWED): State.NEW,
        (State.ERROR, Trigger.RENEWED): State.NEW,
    }
)
"""Every change of state there is. What is missing here is a fault of ours, and asserted."""

RESIDENT = frozenset({State.LOADING, State.READY, State.UNLOADING})
"""States in which a version holds memory."""

FINISHED = frozenset({State.END, State.ERROR})
"""States in which nothing more happens by itself."""


def next_state(state: State, trigger: Trigger) -> State:
    """Where `trigger` leads from `state`.

    Raises:
        AssertionError: the table has no such change.
    """
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise AssertionError(f"no change of state from {state.name} by {trigger.name}") from None


class Harness:
    """One version: its state, and what is known of it.

    Attributes:
        servable: which version.
        found: what the source last said of it; the next attempt loads from there.
        aspired: whether it should be loaded now.
        reason: why it is where it is, for people.
        failure: of the last attempt; none when all is well.
        attempts: begun since it was last new.
        next_attempt_at: when the next one begins; none unless it is retrying.
        loaded_path: what the last attempt loaded from; none before the first since it was last new.
        tried_fingerprint: the files' fingerprint as last seen before the last attempt began; none: not seen.
        seen_fingerprint: the one last seen; none: not seen.
        is_short_of_memory: it would load, or try again, if there were room.
        load_duration_s: of the last attempt that ended.
        unload_duration_s: of the last unload.
        requests_left: requests that outlived the last drain.
    """

    __slots__ = (
        "_entered",
        "_state",
        "aspired",
        "attempts",
        "failure",
        "found",
        "is_short_of_memory",
        "load_duration_s",
        "loaded_path",
        "next_attempt_at",
        "reason",
        "requests_left",
        "seen_fingerprint",
        "servable",
        "tried_fingerprint",
        "unload_duration_s",
    )

    def __init__(self, servable: ServableId, found: FoundVersion, *, now: float, reason: str) -> None:
        self.servable = servable
        self.found = found
        self.aspired = True
        self.reason = reason
        self.failure: Failure | None = None
        self.attempts = 0
        self.next_attempt_at: float | None = None
        self.loaded_path: str | None = None
        self.tried_fingerprint: str | None = None
        self.seen_fingerprint: str | None = found.fingerprint
        self.is_short_of_memory = False
        self.load_duration_s: float | None = None
        self.unload_duration_s: float | None = None
        self.requests_left = 0
        self._state = State.NEW
        self._entered: dict[State, float] = {State.NEW: now}

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._state

    @property
    def since(self) -> float:
        """When it entered its state."""
        return self._entered[self._state]

    def move(self, trigger: Trigger, now: float, reason: str) -> Event:
        """The only way to change the state; the event that tells of it."""
        self._state = next_state(self._state, trigger)
        self._entered.pop(self._state, None)
        self._entered[self._state] = now
        self.reason = reason
        return self.event("state_changed", now, reason, state=self._state)

    def event(self, kind: str, now: float, reason: str, *, state: State | None = None) -> Event:
        """An event about this version."""
        return Event(now, self.servable.name, self.servable.version, kind, reason, state)

    def is_due(self, now: float) -> bool:
        """Whether it waits for nothing but to be tried again."""
        return self._state is State.RETRYING and (self.next_attempt_at or 0.0) <= now

    def start_over(self) -> None:
        """Forgets the attempts made so far; it is about to be new again."""
        self.attempts = 0
        self.next_attempt_at = None
        self.failure = None
        self.loaded_path = None
        self.tried_fingerprint = None
        self.is_short_of_memory = False
        self.requests_left = 0

    def note_found(self, found: FoundVersion) -> bool:
        """Takes what the source now says; whether that makes another attempt worth while at once.

        It does when the path differs from the one tried, or when two looks in a row saw the same files and
        these are not known to have been tried. Two looks, because files that are still being copied change
        with every look, and there is no use in trying each of those. "Not known to have been tried", because
        a copy may have been completed between the first attempt and the first look.
        """
        settled = found.fingerprint is not None and found.fingerprint == self.seen_fingerprint
        self.seen_fingerprint = found.fingerprint or self.seen_fingerprint
        self.found = found
        is_elsewhere = self.loaded_path is not None and self.loaded_path != found.path
        return is_elsewhere or (settled and found.fingerprint != self.tried_fingerprint)

    def snapshot(self) -> VersionSnapshot:
        """A frozen copy."""
        return VersionSnapshot(
            version=self.servable.version,
            state=self._state,
            aspired=self.aspired,
            path=self.loaded_path or self.found.path,
            since=self.since,
            reason=self.reason,
            failure=self.failure,
            attempts=self.attempts,
            next_attempt_at=self.next_attempt_at,
            load_duration_s=self.load_duration_s,
            unload_duration_s=self.unload_duration_s,
            requests_left=self.requests_left,
            entered=tuple(self._entered.items()),
        )
