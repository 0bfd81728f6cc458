"""What the manager is told and what it orders: data only."""

from dataclasses import dataclass

from understudy.lifecycle.aspire import AspiredVersions
from understudy.servable import Event, ModelSnapshot, Outcome, ServableId


@dataclass(frozen=True, slots=True)
class Inspect:
    """Look at this version's files before an attempt; answer with Inspected, once, and in bounded time.

    Attributes:
        servable: which.
        path: where they are.
    """

    servable: ServableId
    path: str


@dataclass(frozen=True, slots=True)
class Load:
    """Bring this version to life; answer with Loaded or LoadFailed, once.

    Should the files differ from `fingerprint` when the load has ended, it has failed: what was read may be
    of two exports. Past its deadline, LoadOverdue is said, and the answer still follows if there ever is one.

    Attributes:
        servable: which.
        path: from where.
        attempt: counted from 1.
        fingerprint: of the files as inspected; none: not known.
    """

    servable: ServableId
    path: str
    attempt: int
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Do not begin this load if it has not begun; then answer with LoadWithdrawn instead."""

    servable: ServableId


@dataclass(frozen=True, slots=True)
class Unload:
    """Once this step's routes are published, drain and free this version; answer with Unloaded, once.

    Attributes:
        servable: which.
        reason: why, for people.
    """

    servable: ServableId
    reason: str


@dataclass(frozen=True, slots=True)
class Watch:
    """From now on, fingerprint exactly these versions of the model when looking at it.

    They are those whose files decide what happens next: retrying, or failed.

    Attributes:
        name: the model.
        versions: which; none any more when empty.
    """

    name: str
    versions: frozenset[int]


Action = Inspect | Load | Withdraw | Unload | Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What happened since the last step.

    Attributes:
        removed: models that are no longer configured.
        aspired: for each model named here, its whole aspired set; of two for one model the later counts.
            A model named in `removed` too was removed and then added again.
        outcomes: of loads and unloads ordered before, each once.
        retries: versions that an operator wants tried again now.
    """

    removed: tuple[str, ...] = ()
    aspired: tuple[AspiredVersions, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    retries: tuple[ServableId, ...] = ()


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step decided. Publish the routes of `changed` first, then start the actions in their order.

    Attributes:
        actions: withdrawals and unloads first, then inspections and loads in the order in which they deserve
            a free worker.
        events: what happened, in order.
        changed: the models that are not as they were.
        forgotten: models of which nothing is left to tell.
        next_step_at: when the next step is due even if nothing happens; none: not before something does.
    """

    actions: tuple[Action, ...]
    events: tuple[Event, ...]
    changed: tuple[ModelSnapshot, ...]
    forgotten: tuple[str, ...]
    next_step_at: float | None
