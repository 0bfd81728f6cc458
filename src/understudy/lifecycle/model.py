"""One model's versions: what facts do to each, and why. Memory and other models are manager.py's."""

from collections.abc import Iterator
from typing import assert_never

from understudy.errors import Code
from understudy.lifecycle import reasons
from understudy.lifecycle.actions import Inspect, Load, Unload, Withdraw
from understudy.lifecycle.aspire import AspiredVersions
from understudy.lifecycle.harness import FINISHED, Harness, Trigger
from understudy.lifecycle.incarnations import Incarnations
from understudy.lifecycle.transition import POLICIES, Decision, TransitionPolicy, VersionView, plan
from understudy.model_config import Transition
from understudy.servable import (
    Event,
    Failure,
    FoundVersion,
    Inspected,
    Loaded,
    LoadFailed,
    LoadOverdue,
    LoadWithdrawn,
    ModelSnapshot,
    Outcome,
    ServableId,
    State,
    Unloaded,
)

FINISHED_VERSIONS_MAX = 50
"""Versions of one model that ended or failed and are no longer aspired, remembered for status."""

CANCELLED = Failure(Code.CANCELLED, "Loading of servable cancelled")
"""TensorFlow Serving's words for a version that was no longer wanted before it was ready."""

WATCHED = frozenset({State.RETRYING, State.ERROR})
"""States of an aspired version in which its files decide what happens next. Not LOADING: what an attempt
loads was inspected before it, and is compared after it."""


class ManagedModel:
    """The only owner of one model's harnesses.

    Attributes:
        name: the model.
        removed: no longer configured.
        changed: something that a snapshot shows is not as it was when the flag was last cleared.
        events: what happened since the manager last took them.
        orders: what follows from facts at once, whatever the policy says, since the manager last took them.
    """

    __slots__ = (
        "_attempts_max",
        "_found",
        "_retry_interval_s",
        "_transition",
        "_versions",
        "changed",
        "events",
        "name",
        "orders",
        "removed",
    )

    def __init__(self, name: str, *, attempts_max: int, retry_interval_s: float) -> None:
        self.name = name
        self.removed = False
        self.changed = True
        self.events: list[Event] = []
        self.orders: list[Withdraw | Unload] = []
        self._versions = Incarnations()
        self._found: tuple[FoundVersion, ...] = ()
        self._transition: Transition | None = None
        self._attempts_max = attempts_max
        self._retry_interval_s = retry_interval_s

    def __iter__(self) -> Iterator[Harness]:
        return iter(self._versions)

    def __getitem__(self, servable: ServableId) -> Harness:
        harness = self._versions.find(servable)
        assert harness is not None, servable  # noqa: S101 - what is under way is not forgotten
        return harness

    # What should live.

    def is_news(self, aspired: AspiredVersions) -> bool:
        """Whether this aspired set can change anything: most looks find what the one before found."""
        is_same = (aspired.versions, aspired.transition) == (self._found, self._transition)
        return not is_same or bool(self.watched())

    def remove(self, now: float) -> None:
        """The model is no longer configured."""
        self.removed = True
        self.changed = True
        self._tell("model_removed", now, "no longer configured")
        self.aspire(now, AspiredVersions(self.name, (), self._transition))

    def aspire(self, now: float, aspired: AspiredVersions) -> None:
        """Takes the whole aspired set: what is left out is no longer aspired, what is new gets a harness."""
        self._found = found = aspired.versions
        self._transition = aspired.transition
        before = self._aspired_numbers()
        after = [each.version for each in found]
        if before != after:
            self._tell("aspired_changed", now, reasons.aspired_changed(before, after))
        for harness in self:
            if harness.aspired and harness.servable.version not in after:
                self._unaspire(now, harness)
        for each in found:
            known = self._settle_on(now, each)
            if known is None:
                self._meet(now, each)
            elif known.aspired:
                self._take_look(now, known, each)
            else:
                self._reaspire(now, known, each)

    def _settle_on(self, now: float, found: FoundVersion) -> Harness | None:
        """The incarnation that this number stands for from now on; none: it needs a new one.

        What is loaded from elsewhere makes way for one that is loaded from where the version is found now,
        and serves until that is ready, as the transition policy says. Should a former one serve from that
        very place, it is taken back: a base path that is moved back is a roll-back, and must be instant.
        """
        known = self._versions.current(found.version)
        if known is None:
            return None
        former = self._versions.former_at(found)
        if former is None and not known.is_elsewhere(found):
            return known
        if known.is_elsewhere(found):
            self._note(known, "moved", now, reasons.moved(known.loaded_path, found.path))
        if known.aspired:
            self._unaspire(now, known)
        self._versions.supersede(found.version, by=former)
        self.changed = True
        return former

    def _meet(self, now: float, found: FoundVersion) -> None:
        servable = ServableId(self.name, found.version, self._versions.next_incarnation(found.version))
        reason = f"found at {found.path}; waits for its turn to load"
        harness = Harness(servable, found, now=now, reason=reason)
        self._versions.add(harness)
        self.events.append(harness.event("state_changed", now, reason, state=State.NEW))
        self.changed = True

    def _unaspire(self, now: float, harness: Harness) -> None:
        harness.aspired = False
        self.changed = True
        match harness.state:
            case State.NEW | State.RETRYING:
                reason = reasons.cancelled(harness.failure)
                harness.failure = CANCELLED
                harness.next_attempt_at = None
                self._move(harness, Trigger.CANCELLED, now, reason)
            case State.LOADING:
                self._note(harness, "cancelling", now, "no longer aspired; unloaded as soon as its load ends")
                self.orders.append(Withdraw(harness.servable))
            case State.OVERDUE:
                self._note(harness, "unaspired", now, "no longer aspired; freed if its load still comes back")
            case State.UNLOADING:
                self._note(harness, "unaspired", now, "no longer aspired; its unload goes on")
            case State.ERROR:
                reason = f"no longer aspired, so not tried again; it failed: {harness.failure}"
                self._note(harness, "unaspired", now, reason)
            case State.READY | State.END:
                pass  # The policy decides on the one; the other has nothing left to stop.
            case _:
                assert_never(harness.state)

    def _reaspire(self, now: float, harness: Harness, found: FoundVersion) -> None:
        harness.aspired = True
        harness.note_found(found)
        self.changed = True
        match harness.state:
            case State.END | State.ERROR:
                self._renew(now, harness, "aspired again; waits for its turn to load")
            case State.LOADING | State.OVERDUE:
                self._note(harness, "reaspired", now, "aspired again before its load ended, which goes on")
            case State.READY:
                self._note(harness, "reaspired", now, "aspired again; it never stopped serving")
            case State.UNLOADING:
                self._note(harness, "reaspired", now, "aspired again; loads again when its unload has ended")
            case State.NEW | State.RETRYING:
                raise AssertionError(f"{harness.servable} is {harness.state.name} and was not aspired")
            case _:
                assert_never(harness.state)

    def _take_look(self, now: float, harness: Harness, found: FoundVersion) -> None:
        self.changed = self.changed or found.path != harness.found.path
        is_worth_a_try = harness.note_found(found)
        match harness.state:
            case State.ERROR if is_worth_a_try:
                self._renew(now, harness, f"{reasons.FILES_REST}; tried again now")
            case State.RETRYING if is_worth_a_try and not harness.is_due(now):
                harness.next_attempt_at = now
                self._note(harness, "retry_advanced", now, f"{reasons.FILES_REST}; no more waiting")
            case State.READY if harness.files_changed_at is None and harness.has_changed_files():
                harness.files_changed_at = now
                self._note(harness, "files_changed", now, reasons.files_changed(found.path))
            case _:
                pass

    def retry(self, now: float, version: int) -> None:
        """An operator wants this version tried again now; what came of that is an event, each time."""
        harness = self._versions.current(version)
        if harness is None:
            self._tell("retry_refused", now, f"there is no version {version} to try again", version=version)
        elif harness.aspired and harness.state is State.ERROR:
            self._renew(now, harness, "an operator asked for another try")
        elif harness.state is State.RETRYING:
            harness.next_attempt_at = now
            harness.reason = "an operator asked for another try; no more waiting"
            self.events.append(harness.event("retry_advanced", now, harness.reason))
            self.changed = True
        else:
            reason = reasons.retry_refused(harness.state, aspired=harness.aspired)
            self._tell("retry_refused", now, reason, version=version)

    # What came of the orders.

    def take(self, now: float, outcome: Outcome) -> None:
        """Takes what came of an order."""
        match outcome:
            case Inspected():
                self._take_inspected(outcome)
            case Loaded():
                self._take_loaded(now, self[outcome.servable], outcome)
            case LoadFailed():
                self._take_failed(now, self[outcome.servable], outcome)
            case LoadOverdue():
                self._take_overdue(now, self[outcome.servable], outcome)
            case LoadWithdrawn():
                self._take_withdrawn(now, self[outcome.servable])
            case Unloaded():
                self._take_unloaded(now, self[outcome.servable], outcome)
            case _:
                assert_never(outcome)

    def _take_inspected(self, outcome: Inspected) -> None:
        """Looking changes nothing, so nobody waits for a look: its version may be forgotten by now."""
        harness = self._versions.find(outcome.servable)
        if harness is not None and harness.is_inspecting:
            harness.note_inspected(outcome)
            self.changed = True

    def _take_loaded(self, now: float, harness: Harness, outcome: Loaded) -> None:
        harness.load_duration_s = outcome.duration_s
        harness.growth_bytes = outcome.growth_bytes
        took = reasons.load_took(outcome)
        if harness.aspired:
            harness.failure = None
            self._move(harness, Trigger.LOADED, now, f"loaded in {took}, serving")
            return
        harness.failure = CANCELLED
        reason = f"loaded in {took}, but no longer aspired; unloaded without having served"
        self._move(harness, Trigger.LOADED_UNWANTED, now, reason)
        self.orders.append(Unload(harness.servable, reason))

    def _take_failed(self, now: float, harness: Harness, outcome: LoadFailed) -> None:
        harness.load_duration_s = outcome.duration_s
        harness.failure = outcome.failure
        harness.estimate_bytes = None
        failed = f"attempt {harness.attempts} of {self._attempts_max} failed: {outcome.failure}"
        if not harness.aspired and outcome.failure.code is Code.ABORTED:
            # Nothing failed: files that went, or changed, while nobody wanted the version any more.
            self._take_withdrawn(now, harness)
        elif not harness.aspired:
            self._move(harness, Trigger.GAVE_UP, now, f"{failed}; no longer aspired, so not tried again")
        elif harness.attempts < self._attempts_max:
            harness.next_attempt_at = now + self._retry_interval_s
            interval = reasons.seconds(self._retry_interval_s)
            self._move(harness, Trigger.ATTEMPT_FAILED, now, f"{failed}; next in {interval}")
        else:
            again = "tried again when its files change"
            self._move(harness, Trigger.GAVE_UP, now, f"{failed}; given up; {again}")

    def _take_overdue(self, now: float, harness: Harness, outcome: LoadOverdue) -> None:
        reason = reasons.overdue(outcome.deadline_s, aspired=harness.aspired)
        harness.failure = Failure(Code.DEADLINE_EXCEEDED, f"Loading has passed its deadline: {reason}")
        self._move(harness, Trigger.OVERRAN, now, reason)

    def _take_withdrawn(self, now: float, harness: Harness) -> None:
        harness.failure = CANCELLED
        self._move(harness, Trigger.WITHDRAWN, now, "no longer aspired; nothing of it was loaded")
        if harness.aspired:
            self._renew(now, harness, "aspired again; waits for its turn to load")

    def _take_unloaded(self, now: float, harness: Harness, outcome: Unloaded) -> None:
        harness.unload_duration_s = outcome.duration_s
        harness.requests_left = outcome.requests_left
        why = "aspired again meanwhile" if harness.aspired else harness.reason
        self._move(harness, Trigger.UNLOADED, now, reasons.unloaded(outcome, why))
        if harness.aspired:
            self._renew(now, harness, "aspired again while it unloaded; waits for its turn to load")

    # What to do next.

    def plan(self, now: float, default: TransitionPolicy) -> tuple[Decision, ...]:
        """What the model's policy, or else the server's, wants done now."""
        policy = default if self._transition is None else POLICIES[self._transition]
        return plan(policy, [_view(harness, now) for harness in self])

    def start_inspection(self, harness: Harness) -> Inspect | None:
        """Looks at its files before the next attempt; none when that is under way."""
        if harness.is_inspecting:
            return None
        harness.is_inspecting = True
        return Inspect(harness.servable, harness.found.path)

    def start_load(self, now: float, harness: Harness) -> Load:
        """Begins the next attempt."""
        harness.attempts += 1
        harness.next_attempt_at = None
        harness.is_short_of_memory = False
        harness.loaded_path = harness.found.path
        harness.tried_fingerprint = harness.inspected_fingerprint
        reason = f"attempt {harness.attempts} of {self._attempts_max} to load from {harness.found.path}"
        self._move(harness, Trigger.LOAD_STARTED, now, reason)
        return Load(harness.servable, harness.found.path, harness.attempts, harness.tried_fingerprint)

    def start_unload(self, now: float, harness: Harness, reason: str) -> Unload:
        """Takes the version out of service; the shell drains and frees it."""
        self._move(harness, Trigger.UNLOAD_STARTED, now, reason)
        return Unload(harness.servable, reason)

    def wait_for_memory(self, now: float, harness: Harness, why: str) -> None:
        """It would load now, but for memory that is about to be freed."""
        harness.is_short_of_memory = True
        self._note(harness, "waiting", now, f"waits for memory that is being freed: {why}")

    def refuse(self, now: float, harness: Harness, why: str) -> None:
        """It does not fit, and nothing is about to make room."""
        harness.is_short_of_memory = True
        harness.tried_fingerprint = harness.inspected_fingerprint
        harness.next_attempt_at = None
        wire_name = f"{{name: {self.name} version: {harness.servable.version}}}"
        text = f"Insufficient resources to load servable {wire_name}: {why}"
        harness.failure = Failure(Code.RESOURCE_EXHAUSTED, text)
        self._move(harness, Trigger.REFUSED, now, f"{why}; loads as soon as there is room")

    def renew_refused(self, now: float, harness: Harness) -> None:
        """There is room now for what was refused."""
        self._renew(now, harness, "there is memory for it now; waits for its turn to load")

    def explain_waiting(self, now: float) -> None:
        """Says of versions that the policy left alone why it did."""
        aspired = any(harness.aspired for harness in self)
        for harness in self:
            is_due = harness.state is State.NEW or harness.is_due(now)
            if harness.state is State.READY and aspired and not harness.aspired:
                self._note(harness, "kept", now, "kept serving because no aspired version is ready")
            elif is_due and not harness.is_short_of_memory and not harness.is_inspecting:
                leaving = sorted(
                    h.servable.version for h in self if not h.aspired and h.state not in FINISHED
                )
                self._note(harness, "waiting", now, f"waits until {reasons.numbers(leaving)} is gone")

    # What others may see.

    def snapshot(self) -> ModelSnapshot:
        """A frozen copy."""
        in_order = sorted(self, key=lambda harness: harness.servable)
        return ModelSnapshot(self.name, tuple(harness.snapshot() for harness in in_order), self.removed)

    def watched(self) -> frozenset[int]:
        """The versions whose files decide what happens next."""
        return frozenset(h.servable.version for h in self if h.aspired and h.state in WATCHED)

    def next_attempt_at(self, now: float) -> float | None:
        """When the earliest retry becomes due; none when none waits for its time.

        One that is due already and was not begun waits for memory or for another version, not for time.
        """
        times = [h.next_attempt_at for h in self if h.next_attempt_at is not None]
        return min((time for time in times if time > now), default=None)

    def is_finished(self) -> bool:
        """Whether nothing of it lives or is about to."""
        return all(harness.state in FINISHED and not harness.aspired for harness in self)

    def forget_surplus(self) -> None:
        """Forgets former incarnations that ended, and beyond the limit what finished longest ago."""
        self.changed = self._versions.forget_ended_formers() or self.changed
        if len(self._versions) <= FINISHED_VERSIONS_MAX:
            return
        finished = [h for h in self if h.state in FINISHED and not h.aspired]
        finished.sort(key=lambda h: (h.since, h.servable.version))
        for harness in finished[:-FINISHED_VERSIONS_MAX]:
            self._versions.forget(harness)
            self.changed = True

    def _aspired_numbers(self) -> list[int]:
        return sorted(harness.servable.version for harness in self if harness.aspired)

    def _renew(self, now: float, harness: Harness, reason: str) -> None:
        harness.start_over()
        self._move(harness, Trigger.RENEWED, now, reason)

    def _move(self, harness: Harness, trigger: Trigger, now: float, reason: str) -> None:
        self.events.append(harness.move(trigger, now, reason))
        self.changed = True

    def _note(self, harness: Harness, kind: str, now: float, reason: str) -> None:
        if harness.reason != reason:
            harness.reason = reason
            self.events.append(harness.event(kind, now, reason))
            self.changed = True

    def _tell(self, kind: str, now: float, reason: str, *, version: int | None = None) -> None:
        self.events.append(Event(now, self.name, version, kind, reason))


def _view(harness: Harness, now: float) -> VersionView:
    state = State.NEW if harness.is_due(now) else harness.state
    return VersionView(harness.servable.version, state, harness.aspired, harness.servable.incarnation)
