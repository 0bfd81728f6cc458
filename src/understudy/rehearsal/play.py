"""One rollout, played to its end: traffic is drawn, evidence is judged, and the core decides what follows."""

from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Final

from understudy.analysis.judging import judge
from understudy.analysis.thresholds import quantile_of
from understudy.evidence import EpochCounts, Evidence, ShadowCounts
from understudy.model_config import ModelConfig
from understudy.rehearsal.world import Effect, World, draw_epoch, draw_shadow
from understudy.rollout.commands import Approve, Command, Start
from understudy.rollout.gathering import gather
from understudy.rollout.machine import advance, order
from understudy.rollout.plan import Plan
from understudy.rollout.situation import Situation
from understudy.rollout.state import ModelTraffic, Pause, Phase, Rollout
from understudy.rollout.validation import ValidationOutcome
from understudy.rollout.watched import watched_metrics
from understudy.servable import FoundVersion, FoundVersions, ModelSnapshot, ServableId, State, VersionSnapshot

MODEL: Final = "model"
BASELINE: Final = 1
CANDIDATE: Final = 2
LOOKS_EACH: Final = 10
"""Looks at the evidence in the time that a step takes at least, and then about as many until that time has
doubled: no rollout is played second by second for a day."""
LOOK_S: Final = 1.0
"""The shortest time between two looks."""
_ROUNDING_S: Final = 1e-6
"""A time that is reached must not be missed by a bit."""
LOOKS_MAX: Final = 20_000


class Outcome(Enum):
    """How a played rollout ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    HELD = "held"
    """It waits for an operator: the time was up, or the plan wants an approval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One played rollout.

    Attributes:
        outcome: how it ended.
        after_s: from the first traffic on.
        weight_max: the candidate's largest share of traffic, in hundredths of a per cent.
        requests: that the candidate answered, shadow apart.
        bad: of those, how many had something bad, of each kind one.
        reason: of the last change.
    """

    outcome: Outcome
    after_s: float
    weight_max: int
    requests: int
    bad: int
    reason: str


def play(plan: Plan, world: World, random: Random) -> Ending:
    """Plays a rollout of a candidate that is ready and valid."""
    stage = _Stage(plan, world, random)
    for _ in range(LOOKS_MAX):
        ending = stage.look()
        if ending is not None:
            return ending
    raise AssertionError(f"a rollout did not end within {LOOKS_MAX} looks")


def fix_slow_shares(plan: Plan, ratio: float) -> dict[str, Effect]:
    """Effects of a plan's latency metrics: of the baseline's answers one in a hundred is beyond its p99."""
    quantiles = {metric.name: quantile_of(metric.name) for metric in plan.analysis.metrics}
    return {name: Effect(1 - at, ratio) for name, at in quantiles.items() if at is not None}


class _Stage:
    """A rollout under way."""

    def __init__(self, plan: Plan, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._now = 0.0
        self._epochs: dict[int, EpochCounts] = {}
        self._shadow = ShadowCounts()
        self._weight_max = 0
        thresholds = tuple((name, 1.0) for name in world.effects if quantile_of(name) is not None)
        scores = {score.name for score in plan.analysis.scores}
        self._watched = watched_metrics(plan, thresholds) - scores
        self._situation = _situation(thresholds)
        self._traffic = ModelTraffic(stable=BASELINE)
        self._order(Start(candidate=CANDIDATE, plan=plan))

    def look(self) -> Ending | None:
        """Lets some time pass, and sees what follows; none: it goes on."""
        rollout = self._present()
        self._pass_time(rollout)
        evidence = gather(rollout, self._evidence(rollout))
        judgement = judge(evidence, rollout.plan.analysis, watched=self._watched, is_brief=True)
        situation = replace(self._situation, evidence=evidence, judgement=judgement)
        change = advance(self._traffic, situation, self._now)
        self._traffic = change.traffic
        if change.ended:
            return self._end(change.ended[-1])
        after = self._present()
        if after.pause is Pause.APPROVAL:
            self._order(Approve())
            after = self._present()
        if after.phase is Phase.WATCHING or after.pause is not None:
            return self._end(after)
        self._weight_max = max(self._weight_max, after.weight)
        return None

    def _present(self) -> Rollout:
        rollout = self._traffic.rollout
        if rollout is None:
            raise AssertionError("the rollout is gone without an end")
        return rollout

    def _order(self, command: Command) -> None:
        self._traffic = order(self._traffic, command, self._situation, by="rehearsal", now=self._now).traffic

    def _pass_time(self, rollout: Rollout) -> None:
        """Until the next look, and never beyond the end of the time that a step takes at least."""
        if rollout.phase not in (Phase.SHADOWING, Phase.RAMPING):
            return
        spent_s, dwell_s = self._now - rollout.entered_at, _dwell_s(rollout)
        seconds = max(LOOK_S, dwell_s / LOOKS_EACH, spent_s / LOOKS_EACH)
        if spent_s < dwell_s:
            seconds = min(seconds, dwell_s - spent_s + _ROUNDING_S)
        self._now += seconds
        if rollout.phase is Phase.SHADOWING and rollout.plan.shadow is not None:
            share = rollout.plan.shadow.share
            self._shadow = draw_shadow(self._random, self._world, self._shadow, share, seconds)
        if rollout.phase is Phase.RAMPING:
            fresh = EpochCounts(epoch=rollout.epoch, weight=rollout.weight, is_sticky=False)
            epoch = self._epochs.get(rollout.epoch, fresh)
            self._epochs[rollout.epoch] = draw_epoch(self._random, self._world, epoch, seconds)

    def _evidence(self, rollout: Rollout) -> Evidence:
        epochs = tuple(self._epochs[number] for number in sorted(self._epochs))
        return Evidence(trial=rollout.id, epochs=epochs, shadow=self._shadow)

    def _end(self, rollout: Rollout) -> Ending:
        outcome = Outcome.HELD
        if rollout.phase is Phase.WATCHING:
            outcome = Outcome.PROMOTED
        elif rollout.phase is Phase.ROLLED_BACK:
            outcome = Outcome.ROLLED_BACK
        arms = [epoch.candidate for epoch in self._epochs.values()]
        return Ending(
            outcome=outcome,
            after_s=self._now,
            weight_max=self._weight_max,
            requests=sum(arm.requests for arm in arms),
            bad=sum(bad.events for arm in arms for bad in arm.bad.values()),
            reason=rollout.reason,
        )


def _dwell_s(rollout: Rollout) -> float:
    if rollout.phase is Phase.RAMPING:
        return rollout.plan.steps[rollout.step].dwell_s
    return rollout.plan.shadow.dwell_s if rollout.plan.shadow is not None else 0.0


def _situation(thresholds_s: tuple[tuple[str, float], ...]) -> Situation:
    """Two versions that are ready, of which the new one is valid."""
    paths = {version: f"/{MODEL}/{version}" for version in (BASELINE, CANDIDATE)}
    return Situation(
        model=MODEL,
        config=ModelConfig(MODEL, f"/{MODEL}"),
        look=FoundVersions(MODEL, tuple(FoundVersion(version, path) for version, path in paths.items())),
        snapshot=ModelSnapshot(
            MODEL,
            tuple(
                VersionSnapshot(
                    version=version, state=State.READY, aspired=True, path=path, since=0.0, reason=""
                )
                for version, path in paths.items()
            ),
        ),
        default_version=BASELINE,
        validation=ValidationOutcome(candidate=ServableId(MODEL, CANDIDATE), passed=True),
        thresholds_s=thresholds_s,
    )
