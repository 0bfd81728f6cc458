"""From one version's snapshot to what operators see of it: dates, and how long each step of its life took."""

from datetime import datetime

from understudy.admin.view import EnteredView, FailureView, VersionView
from understudy.clock import Calendar
from understudy.servable import Failure, State, VersionSnapshot


def build_life(version: VersionSnapshot, now: float, calendar: Calendar) -> VersionView:
    """The picture of one version, without what the data plane counted."""
    return VersionView(
        version=version.version,
        state=version.state,
        since=calendar.date(version.since),
        reason=version.reason,
        path=version.path,
        failure=build_failure(version.failure),
        attempts=version.attempts,
        load_duration_s=version.load_duration_s,
        aspired=version.aspired,
        next_attempt_at=_date(calendar, version.next_attempt_at),
        in_state_s=now - version.since,
        waiting_s=_waiting_s(version, now),
        serving_s=_duration_s(version, State.READY, now),
        unload_duration_s=version.unload_duration_s,
        requests_left=version.requests_left,
        entered=tuple(EnteredView(state, calendar.date(at)) for state, at in version.entered),
        estimate_bytes=version.estimate_bytes,
        growth_bytes=version.growth_bytes,
        files_changed_at=_date(calendar, version.files_changed_at),
        incarnation=version.incarnation,
    )


def build_failure(failure: Failure | None) -> FailureView | None:
    """The picture of a failure."""
    return None if failure is None else FailureView(failure.code.name, failure.message)


def _date(calendar: Calendar, at: float | None) -> datetime | None:
    return None if at is None else calendar.date(at)


def _waiting_s(version: VersionSnapshot, now: float) -> float | None:
    """From new to the first attempt; not known any more once a later attempt has taken its place."""
    if version.attempts > 1:
        return None
    return _duration_s(version, State.NEW, now)


def _duration_s(version: VersionSnapshot, state: State, now: float) -> float | None:
    """How long the version has been in a state since it was last new, or was; none: it was not."""
    states = [entered for entered, _ in version.entered]
    if state not in states or (State.NEW in states and states.index(state) < states.index(State.NEW)):
        return None
    place = states.index(state)
    ends = [at for _, at in version.entered[place + 1 :]] or [now]
    return ends[0] - version.entered[place][1]
