"""The vocabulary that every floor shares: versions, what was found, what came of a load, what happened.

Data only. Which state may follow which is in lifecycle/harness.py, and nowhere else.
"""

from dataclasses import dataclass
from enum import Enum

from understudy.errors import Code


@dataclass(frozen=True, slots=True, order=True)
class ServableId:
    """One version of one model.

    Attributes:
        name: the model.
        version: its number.
        incarnation: tells apart what was loaded under the same number from different places: when a model's
            base path moves, its version 3 is loaded anew from there while the former 3 still answers.
    """

    name: str
    version: int
    incarnation: int = 0

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


class State(Enum):
    """Where one version is in its life."""

    NEW = "new"
    LOADING = "loading"
    OVERDUE = "overdue"
    """Its load has passed its deadline and has not come back; should it come back, it counts as any other."""
    RETRYING = "retrying"
    """The last attempt failed; the next one waits for its time."""
    READY = "ready"
    UNLOADING = "unloading"
    """Out of the route table; its last requests finish, then it is freed."""
    END = "end"
    """Unloaded as asked."""
    ERROR = "error"
    """Gave up loading."""


class WireState(Enum):
    """`tensorflow.serving.ModelVersionStatus.State`: what clients are told."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


WIRE_STATES: dict[State, WireState] = {
    State.NEW: WireState.START,
    State.LOADING: WireState.LOADING,
    State.OVERDUE: WireState.END,
    State.RETRYING: WireState.LOADING,
    State.READY: WireState.AVAILABLE,
    State.UNLOADING: WireState.UNLOADING,
    State.END: WireState.END,
    State.ERROR: WireState.END,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed: a code for programs, a sentence for people."""

    code: Code
    message: str

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source looks for the versions of one model.

    Attributes:
        base_path: the directory whose numbered children are its versions.
        versions: the only ones that anybody asks for, ascending; when all of them are there under their plain
            decimal names, the source need not look for others. None: all that are there.
    """

    base_path: str
    versions: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """A version directory that a source saw.

    Attributes:
        version: its number.
        path: its absolute path.
        fingerprint: changes when the directory's contents change; none when nobody asked for it
            (looking costs I/O, so a source looks only at versions it is told to watch or to guard).
    """

    version: int
    path: str
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class FoundVersions:
    """What a source saw of one model in one look. It decides nothing.

    Attributes:
        name: the model.
        versions: every version that is there, in ascending order, each number once.
        failure: the look itself failed (no such directory, not readable); `versions` is then empty and
            means nothing, and what was aspired stays aspired.
        base_path: where it looked, so that a look begun before a change of configuration can be told
            from one begun after it; none: not said, and taken at its word.
        ignored: sentences about what is named like a version and is none.
        only: nothing but these versions was looked for, so nothing is said about others; none: all that are
            there were looked for.
    """

    name: str
    versions: tuple[FoundVersion, ...]
    failure: Failure | None = None
    base_path: str | None = None
    ignored: tuple[str, ...] = ()
    only: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Inspected:
    """A version's files were looked at before a load attempt.

    Attributes:
        servable: which.
        path: where they are; one that is no longer asked for says nothing.
        estimate_bytes: memory that it is expected to need.
        fingerprint: of the files; none when they could not be looked at in time.
    """

    servable: ServableId
    path: str
    estimate_bytes: int
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The requests that a version brought with it, run before it was ready.

    Attributes:
        records: how many; 0: it brought none, or they were not wanted.
        duration_s: of all of them together.
    """

    records: int = 0
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load attempt succeeded.

    Attributes:
        servable: which.
        duration_s: of the attempt, warm-up included.
        growth_bytes: see `VersionSnapshot`.
        warm_up: what of it was warm-up.
    """

    servable: ServableId
    duration_s: float
    growth_bytes: int | None = None
    warm_up: WarmUp = WarmUp()


@dataclass(frozen=True, slots=True)
class LoadOverdue:
    """A load attempt has passed its deadline; nobody knows whether it will ever come back.

    Attributes:
        servable: which.
        deadline_s: how long it was given.
    """

    servable: ServableId
    deadline_s: float


@dataclass(frozen=True, slots=True)
class LoadWithdrawn:
    """A load that was ordered was withdrawn before it began: nothing was loaded."""

    servable: ServableId


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """A load attempt failed."""

    servable: ServableId
    duration_s: float
    failure: Failure


@dataclass(frozen=True, slots=True)
class Unloaded:
    """An unload finished.

    Attributes:
        servable: which.
        duration_s: of drain and free together.
        requests_left: requests that still held it when the drain deadline passed; it is freed when the
            last of them ends.
    """

    servable: ServableId
    duration_s: float
    requests_left: int = 0


Outcome = Inspected | Loaded | LoadFailed | LoadOverdue | LoadWithdrawn | Unloaded
"""What came of an order. A load ends as Loaded, LoadFailed or LoadWithdrawn; LoadOverdue may come before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSnapshot:
    """One version as it is now, for status, routes and `why`. Times are of the clock the core was given.

    Attributes:
        version: its number.
        state: where it is in its life.
        aspired: whether it should be loaded now.
        path: what was loaded, or would be.
        since: when it entered this state.
        reason: a sentence for people: why it is where it is.
        failure: why the last attempt failed or was cancelled; none when all is well.
        attempts: load attempts begun since it was last new.
        next_attempt_at: when the next one begins; none unless it is retrying.
        load_duration_s: of the last attempt that ended; none before.
        unload_duration_s: of the last unload, drain included; none before.
        requests_left: requests that outlived the last drain.
        entered: when each state was last entered, in the order of entering.
        incarnation: see `ServableId`.
        estimate_bytes: memory that it is expected to need, reserved while it is resident; none before
            anybody looked.
        growth_bytes: by how much the process's resident memory grew during the last load; none when that is
            not known, because other versions were loaded or unloaded meanwhile.
        files_changed_at: when its files were seen to differ from those it was loaded from; none: never.
    """

    version: int
    state: State
    aspired: bool
    path: str
    since: float
    reason: str
    failure: Failure | None = None
    attempts: int = 0
    next_attempt_at: float | None = None
    load_duration_s: float | None = None
    unload_duration_s: float | None = None
    requests_left: int = 0
    entered: tuple[tuple[State, float], ...] = ()
    incarnation: int = 0
    estimate_bytes: int | None = None
    growth_bytes: int | None = None
    files_changed_at: float | None = None


@dataclass(frozen=True, slots=True)
class ModelSnapshot:
    """One model as it is now.

    Attributes:
        name: the model.
        versions: those alive and those remembered, ascending.
        removed: no longer configured; it is remembered for a while, for status.
    """

    name: str
    versions: tuple[VersionSnapshot, ...]
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a model or to one of its versions, and why.

    Attributes:
        at: seconds of the clock that the core was given.
        model: the model's name.
        version: which version; none when it concerns the whole model.
        kind: a stable word for programs, such as `state_changed`, `source_failed`.
        state: the state entered, for `state_changed`.
        reason: a sentence for people: what, why, and what happens next.
        incarnation: of the version; see `ServableId`.
    """

    at: float
    model: str
    version: int | None
    kind: str
    reason: str
    state: State | None = None
    incarnation: int = 0
