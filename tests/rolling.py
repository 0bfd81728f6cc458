"""One model whose traffic is stepped by hand: versions that are found, load and fail as told. No test cases here."""

from dataclasses import dataclass, field, replace

from understudy.analysis.verdict import Finding, Judgement
from understudy.errors import Code
from understudy.evidence import ArmCounts, EpochCounts, Evidence, ShadowCounts
from understudy.model_config import Latest, ModelConfig
from understudy.rollout import Change, Consequences, Situation, advance, consequences, order, resumed
from understudy.rollout.commands import Command, Start
from understudy.rollout.plan import Plan, Strategy
from understudy.rollout.state import ModelTraffic, Phase, Rollout
from understudy.rollout.validation import ValidationOutcome
from understudy.servable import (
    Failure,
    FoundVersion,
    FoundVersions,
    ModelSnapshot,
    ServableId,
    State,
    VersionSnapshot,
)

MODEL = "digits"
CORRUPT = Failure(Code.DATA_LOSS, "cannot read saved_model.pb")


@dataclass(slots=True)
class Rolling:
    """A model, what is known of it, and what is kept of its traffic.

    Attributes:
        config: as configured; none: removed.
        strategy: see `Situation`.
        found: versions that are there.
        states: of versions that live.
        traffic: what is kept.
        now: by the clock.
        counts: what the data plane has counted, by epoch; see `count`.
        told: the kinds of all decisions so far.
    """

    config: ModelConfig | None = field(default_factory=lambda: ModelConfig(MODEL, "/models/digits"))
    strategy: Strategy | None = None
    found: set[int] = field(default_factory=lambda: {1})
    states: dict[int, State] = field(default_factory=lambda: {1: State.READY})
    traffic: ModelTraffic = field(default_factory=ModelTraffic)
    now: float = 100.0
    counts: dict[int, EpochCounts] = field(default_factory=dict)
    shadow: ShadowCounts = field(default_factory=ShadowCounts)
    judgement: Judgement | None = None
    validation: ValidationOutcome | None = None
    thresholds_s: tuple[tuple[str, float], ...] = ()
    is_recorded: bool = True
    told: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    ended: list[Rollout] = field(default_factory=list)

    @property
    def rollout(self) -> Rollout:
        """The present one."""
        assert self.traffic.rollout is not None, self.told
        return self.traffic.rollout

    def phase(self) -> Phase | None:
        """Of the present rollout; none: there is none."""
        return None if self.traffic.rollout is None else self.traffic.rollout.phase

    @property
    def effects(self) -> Consequences:
        """What follows from what is kept."""
        return consequences(self.traffic, self.situation())

    @property
    def default_version(self) -> int | None:
        """Who answers, as routing decides it: the wanted one if it is ready, else the highest that may."""
        effects = consequences(self.traffic, self._situation(None))
        ready = {version for version, state in self.states.items() if state is State.READY}
        if effects.default_version in ready:
            return effects.default_version
        return max(ready - effects.barred, default=None)

    def situation(self) -> Situation:
        """What is known now."""
        return self._situation(self.default_version)

    def order(self, command: Command, by: str = "ada") -> Change:
        """An operator's order."""
        return self._take(order(self.traffic, command, self.situation(), by=by, now=self.now))

    def advance(self, seconds: float = 0.0) -> Change:
        """Time passes, and a step is taken."""
        self.now += seconds
        return self._take(advance(self.traffic, self.situation(), self.now))

    def settle(self) -> None:
        """Steps until nothing more is decided."""
        for _ in range(20):
            if not self.advance().decisions:
                return
        raise AssertionError(f"it does not come to rest: {self.told[-20:]}")

    def restart(self, *, was_clean: bool) -> Change:
        """Another process goes on from what is kept: nothing is loaded, counted or known."""
        self.states, self.counts, self.shadow = {}, {}, ShadowCounts()
        self.judgement = self.validation = None
        return self._take(resumed(MODEL, self.traffic, was_clean=was_clean, now=self.now))

    def publish(self, *versions: int) -> None:
        """Versions appear and are loaded."""
        self.found.update(versions)
        self.load(*versions)

    def load(self, *versions: int) -> None:
        """Versions become ready."""
        self.states.update(dict.fromkeys(versions, State.READY))

    def fail(self, version: int) -> None:
        """Its load is given up."""
        self.states[version] = State.ERROR

    def delete(self, version: int) -> None:
        """Its files go."""
        self.found.discard(version)

    def validate(self, *findings: str) -> None:
        """The candidate is validated: it passes if there are no findings."""
        candidate = ServableId(MODEL, self.rollout.candidate)
        self.validation = ValidationOutcome(candidate=candidate, passed=not findings, findings=findings)

    def compare(self, requests: int) -> None:
        """So many shadow requests were compared in this process."""
        self.shadow = ShadowCounts(mirrored=requests, compared=requests)

    def count(self, requests: int) -> None:
        """The candidate answered so many requests more, at the present weight."""
        epoch, weight = self.rollout.epoch, self.rollout.weight
        before = self.counts.get(epoch)
        total = requests + (before.candidate.requests if before else 0)
        self.counts[epoch] = EpochCounts(
            epoch=epoch,
            weight=weight,
            is_sticky=False,
            baseline=ArmCounts(requests=total * 10),
            candidate=ArmCounts(requests=total),
        )

    def judge(self, finding: Finding, sentence: str = "", **more: bool | tuple[str, ...]) -> None:
        """The evidence says this, until it says something else."""
        judgement = Judgement(finding=finding, sentence=sentence or finding.value)
        self.judgement = replace(judgement, **more)  # type: ignore[arg-type] # each value fits its field

    def start(self, to: int = 2, plan: Plan | None = None) -> None:
        """An operator rolls a version out."""
        self.order(Start(candidate=to, plan=plan))

    def reach_first_step(self, to: int = 2, plan: Plan | None = None) -> None:
        """A rollout of a version that is published now, up to its first step."""
        self.start(to, plan)
        self.publish(to)
        self.settle()
        self.validate()
        self.settle()
        if self.rollout.plan.shadow is not None:
            self.compare(1_000)
            self.advance(3_600.0)

    def reach_watch(self, to: int = 2, plan: Plan | None = None) -> None:
        """A rollout of a version, through all steps without harm, up to its promotion."""
        self.reach_first_step(to, plan)
        self.judge(Finding.NO_HARM)
        for _ in self.rollout.plan.steps:
            self.count(10_000)
            self.advance(3_600.0)

    def _situation(self, default_version: int | None) -> Situation:
        evidence = None
        if self.traffic.rollout is not None:
            evidence = Evidence(
                trial=self.traffic.rollout.id, epochs=tuple(self.counts.values()), shadow=self.shadow
            )
        versions = tuple(
            VersionSnapshot(
                version=version,
                state=state,
                aspired=True,
                path=f"/models/digits/{version}",
                since=0.0,
                reason="as told",
                failure=CORRUPT if state is State.ERROR else None,
            )
            for version, state in sorted(self.states.items())
        )
        look = FoundVersions(
            MODEL, tuple(FoundVersion(each, f"/models/digits/{each}") for each in sorted(self.found))
        )
        return Situation(
            model=MODEL,
            config=self.config,
            strategy=self.strategy,
            look=look,
            snapshot=ModelSnapshot(MODEL, versions),
            default_version=default_version,
            validation=self.validation,
            evidence=evidence,
            judgement=self.judgement,
            thresholds_s=self.thresholds_s,
            is_recorded=self.is_recorded,
        )

    def _take(self, change: Change) -> Change:
        self.traffic = change.traffic
        self.told.extend(decision.kind for decision in change.decisions)
        self.reasons.extend(decision.reason for decision in change.decisions)
        self.ended.extend(change.ended)
        if self.traffic.rollout is None:
            self.validation = self.judgement = None
            self.counts, self.shadow = {}, ShadowCounts()
        return change


def managed(*, starts_itself: bool = True, plan: Plan | None = None) -> Rolling:
    """A model with a strategy, whose version 1 serves."""
    rolling = Rolling(strategy=Strategy(starts_itself=starts_itself, plan=plan or Plan()))
    rolling.settle()
    return rolling


def choose(rolling: Rolling, policy: Latest) -> None:
    """The configuration's version policy is another one."""
    assert rolling.config is not None
    rolling.config = replace(rolling.config, version_policy=policy)
