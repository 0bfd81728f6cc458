"""Readings of models' traffic: how it is split, rollouts under way and their evidence, quarantine. Pure.

A rollout that has ended has no series of its own: `understudy_events_total` counts how rollouts ended.
"""

from collections.abc import Callable, Iterable, Iterator

from understudy.control.picture import Picture
from understudy.evidence import ArmCounts, ShadowCounts
from understudy.metrics import traffic_catalogue as catalogue
from understudy.metrics.readings import Reading
from understudy.rollout.state import Phase, Rollout
from understudy.routing.traffic import BUCKETS

Date = Callable[[float], float]
"""From a time of the control loop's clock to seconds since 1970."""


def read_traffic(picture: Picture, date: Date) -> Iterator[Reading]:
    """All that the picture tells of models' traffic."""
    for route in picture.table.routes.values():
        if route.traffic is not None:
            for version, buckets in route.shares.items():
                yield Reading(catalogue.TRAFFIC_SHARE, (route.name, str(version)), buckets / BUCKETS)
    for name, kept in picture.traffic.items():
        yield Reading(catalogue.QUARANTINED, (name,), len(kept.quarantined))
        if kept.rollout is not None:
            yield from _read_rollout(kept.rollout, date)


def _read_rollout(rollout: Rollout, date: Date) -> Iterator[Reading]:
    model = (rollout.model,)
    versions = (str(rollout.baseline), str(rollout.candidate))
    yield Reading(catalogue.ROLLOUT_INFO, (*model, rollout.id, *versions), 1)
    yield Reading(catalogue.ROLLOUT_PHASE, (*model, rollout.phase.value), 1)
    yield Reading(catalogue.ROLLOUT_SINCE, model, date(rollout.entered_at))
    if rollout.pause is not None:
        yield Reading(catalogue.ROLLOUT_HELD, (*model, rollout.pause.value), 1)
    step = rollout.step + 1 if rollout.phase is Phase.RAMPING else 0
    yield Reading(catalogue.ROLLOUT_STEP, model, step)
    yield Reading(catalogue.ROLLOUT_STEPS, model, len(rollout.plan.steps))
    yield Reading(catalogue.ROLLOUT_WEIGHT, model, rollout.weight / BUCKETS)
    yield Reading(catalogue.ROLLOUT_CRASHES, model, rollout.crashes)
    yield from _read_evidence(rollout)
    for metric in rollout.judgement.metrics if rollout.judgement else ():
        labels = (*model, metric.metric)
        yield Reading(catalogue.ROLLOUT_EVIDENCE, (*labels, "harm"), metric.log_abort_e)
        yield Reading(catalogue.ROLLOUT_EVIDENCE, (*labels, "no_harm"), metric.log_pass_e)


def _read_evidence(rollout: Rollout) -> Iterator[Reading]:
    evidence = rollout.evidence
    candidate = [epoch.candidate for epoch in evidence.epochs]
    yield from _read_arm((rollout.model, "candidate"), candidate)
    yield from _read_arm((rollout.model, "baseline"), [epoch.baseline for epoch in evidence.epochs])
    fallbacks = sum(arm.fallbacks for arm in candidate)
    yield Reading(catalogue.ROLLOUT_FALLBACKS, (rollout.model,), fallbacks)
    for outcome, count in _sort_shadow(evidence.shadow):
        yield Reading(catalogue.ROLLOUT_SHADOWED, (rollout.model, outcome), count)


def _read_arm(labels: tuple[str, str], arms: Iterable[ArmCounts]) -> Iterator[Reading]:
    requests = 0
    bad: dict[str, int] = {}
    for arm in arms:
        requests += arm.requests
        for kind, each in arm.bad.items():
            bad[kind] = bad.get(kind, 0) + each.events
    yield Reading(catalogue.ROLLOUT_REQUESTS, labels, requests)
    for kind, events in bad.items():
        yield Reading(catalogue.ROLLOUT_BAD, (*labels, kind), events)


def _sort_shadow(shadow: ShadowCounts) -> tuple[tuple[str, int], ...]:
    return (
        ("agreed", shadow.compared - shadow.disagreed),
        ("disagreed", shadow.disagreed),
        ("shed", shadow.shed),
        ("incomparable", shadow.incomparable),
    )
