"""In which order the versions of one model are loaded and unloaded. Stateless and pure.

A policy is asked for one decision at a time, as TensorFlow Serving's are, and knows nothing of time, memory
or other models. `plan` asks it until it has no more to say, each decision taken as done, so that one step
orders everything that the policy allows: all the unloads, then all the loads, highest version first.

So several versions of one model may load at once. Loading them one by one would spare memory for a while,
but one load that hangs or crawls would hold back its healthy siblings, and with four versions at start-up
four loads would wait in line while workers are idle. How many really run at once is bounded by the worker
pool, in the order given here; how much memory they take is bounded exactly, by the budget.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from understudy.lifecycle.harness import FINISHED
from understudy.model_config import Transition
from understudy.servable import State


@dataclass(frozen=True, slots=True)
class VersionView:
    """What a policy sees of a version.

    Attributes:
        version: its number.
        state: where it is in its life; one whose next attempt is due is shown as new.
        aspired: whether it should be loaded now.
        incarnation: tells two of one number apart, of which at most one is aspired.
    """

    version: int
    state: State
    aspired: bool
    incarnation: int = 0

    @property
    def place(self) -> tuple[int, int]:
        """By number, the former of two first."""
        return self.version, self.incarnation


@dataclass(frozen=True, slots=True)
class StartLoad:
    """Load this version now."""

    version: int
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class StartUnload:
    """Unload this version now, for this reason."""

    version: int
    reason: str
    incarnation: int = 0


Decision = StartLoad | StartUnload


class TransitionPolicy(Protocol):
    """Chooses the next step of one model."""

    def next_decision(self, versions: Sequence[VersionView]) -> Decision | None:
        """The one thing to do now; none: wait."""
        ...


@dataclass(frozen=True, slots=True)
class AvailabilityPreserving:
    """Loads the new before it unloads the old, as TensorFlow Serving does by default.

    Old and new are resident together for a while. As long as anything is aspired, the last version that
    answers is kept, even when every aspired one has failed.
    """

    def next_decision(self, versions: Sequence[VersionView]) -> Decision | None:
        """Unload what is surplus, lowest first; else load what is new, highest first."""
        surplus = [v.place for v in versions if v.state is State.READY and not v.aspired]
        if surplus:
            reason = _why_surplus(versions, surplus)
            if reason is not None:
                return _unload_lowest(surplus, reason)
        return _load_highest(versions)


@dataclass(frozen=True, slots=True)
class ResourcePreserving:
    """Unloads the old before it loads the new: less memory, and a gap in which nobody answers."""

    def next_decision(self, versions: Sequence[VersionView]) -> Decision | None:
        """Unload what is not aspired, lowest first; wait until it is gone; then load, highest first."""
        unaspired = [v for v in versions if not v.aspired]
        surplus = [v.place for v in unaspired if v.state is State.READY]
        if surplus:
            return _unload_lowest(surplus, "no longer aspired; unloaded first, to spare memory")
        if any(v.state not in FINISHED for v in unaspired):
            return None
        return _load_highest(versions)


POLICIES: dict[Transition, TransitionPolicy] = {
    Transition.AVAILABILITY_PRESERVING: AvailabilityPreserving(),
    Transition.RESOURCE_PRESERVING: ResourcePreserving(),
}
"""The policy that each choice of a configuration stands for."""


def plan(policy: TransitionPolicy, versions: Iterable[VersionView]) -> tuple[Decision, ...]:
    """Every decision that the policy takes now, in order, each seen as done when it takes the next."""
    views = list(versions)
    decisions: list[Decision] = []
    while (decision := policy.next_decision(views)) is not None:
        decisions.append(decision)
        if len(decisions) > len(views):
            raise AssertionError(f"the policy decides without end: {decisions}")
        _take_as_done(views, decision)
    return tuple(decisions)


def _unload_lowest(surplus: Sequence[tuple[int, int]], reason: str) -> StartUnload:
    version, incarnation = min(surplus)
    return StartUnload(version, reason, incarnation)


def _why_surplus(versions: Sequence[VersionView], surplus: Sequence[tuple[int, int]]) -> str | None:
    """Why the lowest surplus version may go; none: it may not."""
    lowest, _ = min(surplus)
    aspired = [v for v in versions if v.aspired]
    if not aspired:
        return "no version is aspired any more"
    ready = [v.version for v in aspired if v.state is State.READY]
    if ready:
        newest = max(ready)
        if lowest in ready:
            return f"superseded by {lowest} as loaded from where it is found now"
        return (
            f"superseded by {newest}, which is ready"
            if newest > lowest
            else f"no longer aspired; {newest} is"
        )
    if len(surplus) > 1:
        return f"no longer aspired; {max(surplus)[0]} serves until an aspired version is ready"
    return None


def _load_highest(versions: Sequence[VersionView]) -> StartLoad | None:
    new = [v.place for v in versions if v.aspired and v.state is State.NEW]
    return StartLoad(*max(new)) if new else None


def _take_as_done(views: list[VersionView], decision: Decision) -> None:
    match decision:
        case StartLoad():
            state = State.LOADING
        case StartUnload():
            state = State.UNLOADING
        case _:
            assert_never(decision)
    chosen = (decision.version, decision.incarnation)
    index = next(i for i, v in enumerate(views) if v.place == chosen)
    views[index] = replace(views[index], state=state)
