"""The life of one version: the table of its states, and the harness that can move only along it.

Nothing outside this file changes a state. Why something should move is decided in model.py.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from understudy.servable import Event, Failure, FoundVersion, Inspected, ServableId, State, VersionSnapshot


class Trigger(Enum):
    """What moves a version from one state to the next."""

    LOAD_STARTED = "load started"
    OVERRAN = "deadline passed"
    WITHDRAWN = "no longer aspired, and nothing was loaded"
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
        (State.LOADING, Trigger.WITHDRAWN): State.END,
        (State.LOADING, Trigger.OVERRAN): State.OVERDUE,
        (State.OVERDUE, Trigger.LOADED): State.READY,
        (State.OVERDUE, Trigger.LOADED_UNWANTED): State.UNLOADING,
        (State.OVERDUE, Trigger.ATTEMPT_FAILED): State.RETRYING,
        (State.OVERDUE, Trigger.GAVE_UP): State.ERROR,
        (State.OVERDUE, Trigger.WITHDRAWN): State.END,
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

RESIDENT = frozenset({State.LOADING, State.OVERDUE, State.READY, State.UNLOADING})
"""States in which a version holds memory, or may."""

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
        is_inspecting: its files are being looked at for the next attempt.
        estimate_bytes: memory that the next attempt, or what is loaded, needs; none: not inspected yet.
        inspected_fingerprint: of the files as inspected for the next attempt.
        tried_fingerprint: of the files as inspected for the last attempt; none: not known.
        seen_fingerprint: the one last seen; none: not seen.
        is_short_of_memory: it would load, or try again, if there were room.
        load_duration_s: of the last attempt that ended.
        growth_bytes: by how much the process grew during the last load, where that is known.
        unload_duration_s: of the last unload.
        requests_left: requests that outlived the last drain.
        files_changed_at: when its files were seen to differ from those that it was loaded from.
    """

    __slots__ = (
        "_entered",
        "_state",
        "aspired",
        "attempts",
        "estimate_bytes",
        "failure",
        "files_changed_at",
        "found",
        "growth_bytes",
        "inspected_fingerprint",
        "is_inspecting",
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
        self.is_inspecting = False
        self.estimate_bytes: int | None = None
        self.inspected_fingerprint: str | None = None
        self.tried_fingerprint: str | None = None
        self.seen_fingerprint: str | None = found.fingerprint
        self.is_short_of_memory = False
        self.load_duration_s: float | None = None
        self.growth_bytes: int | None = None
        self.unload_duration_s: float | None = None
        self.requests_left = 0
        self.files_changed_at: float | None = None
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
        who = self.servable
        return Event(now, who.name, who.version, kind, reason, state, who.incarnation)

    def is_due(self, now: float) -> bool:
        """Whether it waits for nothing but to be tried again."""
        return self._state is State.RETRYING and (self.next_attempt_at or 0.0) <= now

    def is_elsewhere(self, found: FoundVersion) -> bool:
        """Whether it is loaded, or being loaded, from another place than the one where it is found now."""
        return self._state in RESIDENT and self.loaded_path != found.path

    def start_over(self) -> None:
        """Forgets the attempts made so far; it is about to be new again."""
        self.attempts = 0
        self.next_attempt_at = None
        self.failure = None
        self.loaded_path = None
        self.estimate_bytes = None
        self.tried_fingerprint = None
        self.is_short_of_memory = False
        self.growth_bytes = None
        self.requests_left = 0
        self.files_changed_at = None

    def note_found(self, found: FoundVersion) -> bool:
        """Takes what the source now says; whether that makes another attempt worth while at once.

        It does when the path differs from the one tried, or when two looks in a row saw the same files and
        these are not known to have been tried. Two looks, because files that are still being copied change
        with every look, and there is no use in trying each of those.
        """
        settled = found.fingerprint is not None and found.fingerprint == self.seen_fingerprint
        self.seen_fingerprint = found.fingerprint or self.seen_fingerprint
        if found.path != self.found.path:
            self.estimate_bytes = None
        self.found = found
        is_elsewhere = self.loaded_path is not None and self.loaded_path != found.path
        return is_elsewhere or (settled and found.fingerprint != self.tried_fingerprint)

    def note_inspected(self, inspected: Inspected) -> None:
        """Takes what an inspection saw; of a place that is no longer asked for it says nothing."""
        self.is_inspecting = False
        if inspected.path == self.found.path:
            self.estimate_bytes = inspected.estimate_bytes
            self.inspected_fingerprint = inspected.fingerprint
            self.seen_fingerprint = inspected.fingerprint or self.seen_fingerprint

    def has_changed_files(self) -> bool:
        """Whether the files last seen are not those that it was loaded from."""
        return None not in {self.tried_fingerprint, self.seen_fingerprint} and (
            self.tried_fingerprint != self.seen_fingerprint
        )

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
            incarnation=self.servable.incarnation,
            estimate_bytes=self.estimate_bytes,
            growth_bytes=self.growth_bytes,
            files_changed_at=self.files_changed_at,
        )
