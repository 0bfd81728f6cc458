"""How long a rollout has been where it is, as its plan counts it: not in pauses, and not without a server."""

from dataclasses import replace

from understudy.rollout.state import Phase, Rollout


def counted_s(rollout: Rollout, now: float) -> float:
    """How much of the time that its phase may last is over."""
    return now - _begun_at(rollout) - rollout.uncounted_s - _paused_s(rollout, now)


def dwelt_s(rollout: Rollout, now: float) -> float:
    """For how long a server has been running in this phase, or this step of it."""
    return now - rollout.entered_at - rollout.away_s


def unpaused(rollout: Rollout, now: float) -> Rollout:
    """The rollout without its pause, whose length does not count."""
    uncounted_s = rollout.uncounted_s + _paused_s(rollout, now)
    return replace(rollout, pause=None, paused_at=None, uncounted_s=uncounted_s)


def back_again(rollout: Rollout, now: float) -> Rollout:
    """The rollout when a server goes on with it: nobody met its candidate meanwhile, so no time counts.

    When the last server ended is not on record, but when it last counted requests is. A candidate that is to
    be loaded again gets the whole of its time for it.
    """
    if rollout.traffic_at is None:
        return replace(rollout, uncounted_s=rollout.uncounted_s + counted_s(rollout, now))
    away_s = now - max(rollout.entered_at, rollout.counted_at or rollout.entered_at)
    uncounted_s = rollout.uncounted_s + (away_s if rollout.paused_at is None else 0.0)
    return replace(rollout, counted_at=now, away_s=rollout.away_s + away_s, uncounted_s=uncounted_s)


def _begun_at(rollout: Rollout) -> float:
    if rollout.phase is Phase.WATCHING:
        return rollout.entered_at
    return rollout.started_at if rollout.traffic_at is None else rollout.traffic_at


def _paused_s(rollout: Rollout, now: float) -> float:
    return 0.0 if rollout.paused_at is None else now - rollout.paused_at
