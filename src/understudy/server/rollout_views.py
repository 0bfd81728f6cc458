"""From what the core keeps of models' traffic to what operators see of it: dates, shares, overlays."""

from collections.abc import Iterator

from understudy.admin.rollout_words import list_waits
from understudy.admin.rollouts import (
    DecisionView,
    OverlayView,
    PositionView,
    QuarantinedView,
    RolloutHeadView,
    RolloutView,
    ShareView,
    TrafficView,
)
from understudy.clock import Calendar
from understudy.control.picture import Picture
from understudy.rollout.consequences import held_versions, weighted_versions
from understudy.rollout.decision import Decision, Position
from understudy.rollout.durations import dwelt_s
from understudy.rollout.situation import Situation
from understudy.rollout.state import ENDS, ModelTraffic, Phase, Rollout
from understudy.routing import ModelRoute


def build_rollout(rollout: Rollout, now: float, calendar: Calendar) -> RolloutView:
    """The picture of a rollout."""
    return RolloutView(
        id=rollout.id,
        model=rollout.model,
        baseline=rollout.baseline,
        candidate=rollout.candidate,
        phase=rollout.phase,
        step=count_step(rollout),
        steps=len(rollout.plan.steps),
        weight=rollout.weight,
        pause=rollout.pause,
        asked_by=rollout.asked_by,
        started_at=calendar.date(rollout.started_at),
        traffic_at=None if rollout.traffic_at is None else calendar.date(rollout.traffic_at),
        entered_at=calendar.date(rollout.entered_at),
        in_phase_s=max(0.0, dwelt_s(rollout, now)),
        reason=rollout.reason,
        waits_for=list_waits(rollout, now),
        plan=rollout.plan,
        thresholds_s=dict(rollout.thresholds_s),
        evidence=rollout.evidence,
        judgement=rollout.judgement,
        crashes=rollout.crashes,
    )


def build_head(rollout: Rollout, calendar: Calendar) -> RolloutHeadView:
    """A rollout's line in a list."""
    return RolloutHeadView(
        id=rollout.id,
        model=rollout.model,
        baseline=rollout.baseline,
        candidate=rollout.candidate,
        phase=rollout.phase,
        step=count_step(rollout),
        steps=len(rollout.plan.steps),
        weight=rollout.weight,
        pause=rollout.pause,
        asked_by=rollout.asked_by,
        started_at=calendar.date(rollout.started_at),
        changed_at=calendar.date(rollout.entered_at),
        reason=rollout.reason,
    )


def build_decision(decision: Decision, calendar: Calendar) -> DecisionView:
    """The picture of a decision."""
    return DecisionView(
        at=calendar.date(decision.at),
        kind=decision.kind,
        by=decision.by,
        reason=decision.reason,
        version=decision.version,
        before=_build_position(decision.before),
        after=_build_position(decision.after),
        judgement=decision.judgement,
        evidence=decision.evidence,
    )


def _build_position(position: Position | None) -> PositionView | None:
    if position is None:
        return None
    step = position.step + 1 if position.phase is Phase.RAMPING else 0
    return PositionView(position.phase, step, position.weight, position.pause)


def count_step(rollout: Rollout) -> int:
    """Which step of the plan it is at, as people count; 0 unless it is ramping."""
    return rollout.step + 1 if rollout.phase is Phase.RAMPING else 0


def build_traffic(name: str, picture: Picture, calendar: Calendar) -> TrafficView:
    """Who answers a model's requests now, and what is kept of its traffic."""
    kept = picture.traffic.get(name, ModelTraffic())
    route = picture.table.routes.get(name)
    traffic = route.traffic if route else None
    weights, rollout = kept.weights, kept.rollout
    return TrafficView(
        model=name,
        managed=name in picture.strategies,
        stable=kept.stable,
        rollout=rollout.id if rollout else None,
        weights_by=weights.by if weights else None,
        weights_at=calendar.date(weights.at) if weights else None,
        shares=build_shares(route, rollout),
        key_header=traffic.key_header if traffic else "",
        salt=traffic.salt if traffic else "",
        ranges=traffic.ranges if traffic else (),
        overlays=build_overlays(kept, _situation(name, picture)),
        quarantined=tuple(
            QuarantinedView(
                version=each.version,
                at=calendar.date(each.at),
                by=each.by,
                reason=each.reason,
                rollout=each.rollout,
            )
            for _, each in sorted(kept.quarantined.items())
        ),
        is_recorded=name not in picture.owed,
    )


def _situation(name: str, picture: Picture) -> Situation:
    """As much as overlays depend on."""
    return Situation(
        model=name,
        config=picture.configured.get(name),
        strategy=picture.strategies.get(name),
        look=picture.looks.get(name),
    )


def build_shares(route: ModelRoute | None, rollout: Rollout | None) -> tuple[ShareView, ...]:
    """Each version's share as requests see it."""
    return tuple(
        ShareView(version=version, weight=weight, arm=name_arm(version, rollout))
        for version, weight in sorted(route.shares.items() if route else ())
    )


def name_arm(version: int, rollout: Rollout | None) -> str:
    """What a version is in a rollout; empty: nothing."""
    if rollout is None or rollout.phase in ENDS:
        return ""
    return {rollout.baseline: "baseline", rollout.candidate: "candidate"}.get(version, "")


def build_overlays(kept: ModelTraffic, situation: Situation) -> tuple[OverlayView, ...]:
    """What a model's traffic adds to its version policy, by version; each version once, gravest first."""
    overlays = {
        version: OverlayView(version=version, kind="pinned", reason=why) for version, why in _pins(kept)
    }
    for version in held_versions(kept, situation):
        why = "held back: it is not served until a rollout takes it up"
        overlays[version] = OverlayView(version=version, kind="held", reason=why)
    for version, each in kept.quarantined.items():
        why = f"quarantined by {each.by}" + (f": {each.reason}" if each.reason else "")
        overlays[version] = OverlayView(version=version, kind="quarantined", reason=why)
    return tuple(overlays[version] for version in sorted(overlays))


def _pins(kept: ModelTraffic) -> Iterator[tuple[int, str]]:
    """The versions that are kept loaded whatever the policy says, and whose doing it is."""
    if kept.stable is not None:
        yield kept.stable, "pinned: it serves until a rollout or the configuration says otherwise"
    if kept.weights is not None:
        for version in weighted_versions(kept.weights):
            yield version, f"pinned by the weights that {kept.weights.by} set"
    if kept.rollout is not None:
        for version in (kept.rollout.baseline, kept.rollout.candidate):
            yield version, f"pinned by rollout {kept.rollout.id}"
