"""A world around the core of rollouts, in which everything goes wrong on purpose, from a seed, in virtual time.

Versions appear, are corrupt, are deleted; operators order whatever comes to their minds; the configuration and
the strategy change; verdicts come and go; the store fails for a while; the process is killed between a decision,
its record and its effect. Then the faults stop, the verdict is steady, and every rollout has to end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from tests.simulation.broken import broken
from tests.simulation.rollouts.process import Process
from tests.simulation.rollouts.referee import Referee
from understudy import rollout as core
from understudy.analysis.verdict import Finding, Judgement
from understudy.errors import ConfigError
from understudy.evidence import ArmCounts, EpochCounts, Evidence, ShadowCounts
from understudy.model_config import All, Latest, ModelConfig, Specific, VersionPolicy
from understudy.rollout import Change, Consequences, Situation
from understudy.rollout.commands import Command
from understudy.rollout.plan import Inconclusive, Newer, Plan, ShadowStage, Step, Strategy
from understudy.rollout.state import ModelTraffic, Phase, Rollout
from understudy.rollout.validation import ValidationOutcome
from understudy.servable import FoundVersion, FoundVersions, ServableId

MODEL = "ada"
SETTLE_EVERY = 120
"""Steps between two times without faults."""
SETTLE_TICKS_MAX = 400
"""Ticks of ten minutes, after the faults: the longest plan, and as much for each version that may follow."""
FINDINGS = (None, Finding.UNDECIDED, *(Finding.NO_HARM,) * 4, Finding.SUSPICION, Finding.HARM)

Trace = Callable[[str], None]


class KilledError(Exception):
    """The process is gone, in the middle of what it did."""


def no_trace(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class Core:
    """What is played; a broken one shows that its invariant can fail."""

    order: Callable[..., Change] = core.order
    advance: Callable[..., Change] = core.advance
    resumed: Callable[..., Change] = core.resumed
    consequences: Callable[[ModelTraffic, Situation], Consequences] = core.consequences


@dataclass(slots=True)
class Store:
    """What outlives the process."""

    traffic: ModelTraffic = field(default_factory=ModelTraffic)
    is_failing: bool = False


@dataclass(slots=True)
class World:
    """Everything around the core, for one model.

    Attributes:
        live: what is in force.
        unrecorded: rollouts that ended in force and not yet on record.
        is_dirty: what is in force is not on record yet.
        kill_in: moments until the process is killed; none: it is not.
    """

    random: Random
    core: Core = field(default_factory=Core)
    trace: Trace = no_trace
    now: float = 0.0
    config: ModelConfig | None = field(default_factory=lambda: ModelConfig(MODEL, "/models/ada"))
    strategy: Strategy | None = None
    found: set[int] = field(default_factory=lambda: {1})
    corrupt: set[int] = field(default_factory=set)
    store: Store = field(default_factory=Store)
    live: ModelTraffic = field(default_factory=ModelTraffic)
    unrecorded: list[Rollout] = field(default_factory=list)
    is_dirty: bool = False
    kill_in: int | None = None
    process: Process = field(init=False)
    referee: Referee = field(default_factory=Referee)
    counts: dict[int, EpochCounts] = field(default_factory=dict)
    shadow: ShadowCounts = field(default_factory=ShadowCounts)
    finding: Finding | None = None
    is_split_broken: bool = False
    outcome: ValidationOutcome | None = None
    commands: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The first process."""
        self.process = Process(self.random)

    def tick(self, seconds: float) -> None:
        """Time passes and the core takes a step; or the process is killed on the way, and another goes on."""
        self.now += seconds
        try:
            self._work()
        except KilledError:
            self._restart(was_clean=False)

    def stop(self) -> None:
        """The process ends in good order and another one goes on."""
        self._restart(was_clean=True)

    def _work(self) -> None:
        if self.random.random() < 0.6:
            self.process.see(self._look())
        if self.is_dirty:
            self._record(self.live, self.unrecorded)
        for command in self.commands:
            self._obey(command)
        self.commands.clear()
        self._take(self.core.advance(self.live, self._situation(), self.now))
        self._serve()

    def _obey(self, command: Command) -> None:
        by = self.random.choice(("ada", "bob"))
        try:
            change = self.core.order(self.live, command, self._situation(), by=by, now=self.now)
        except ConfigError as error:
            self.trace(f"{self.now:9.1f}   {command} refused: {error}")
        else:
            self.trace(f"{self.now:9.1f}   {command}")
            self._take(change)

    def _take(self, change: Change) -> None:
        """What the control loop does with a change: records it first, but for what cannot wait."""
        before = self.live
        self.referee.check_change(before, change, self.finding)
        for decision in change.decisions:
            self.trace(
                f"{self.now:9.1f} {decision.version or ''} {decision.kind}: {decision.reason} ({decision.by})"
            )
        if change.traffic is before:
            return
        if not change.decisions:
            self.live = change.traffic
            self.is_dirty = self.is_dirty or self.random.random() < 0.5
            return
        if change.is_urgent:
            self.live = change.traffic
            self.is_dirty = True
            self.unrecorded.extend(change.ended)
            self._serve()
            self._pass_moment()
            self._record(change.traffic, self.unrecorded)
        elif self._record(change.traffic, [*self.unrecorded, *change.ended]):
            self._pass_moment()
            self.live = change.traffic

    def _record(self, traffic: ModelTraffic, ended: list[Rollout]) -> bool:
        """Whether it is on record now."""
        if self.store.is_failing:
            return False
        self.store.traffic = traffic
        self.referee.note_recorded(traffic, ended)
        self.unrecorded = []
        self.is_dirty = False
        return True

    def _pass_moment(self) -> None:
        """A moment at which the process may be killed."""
        if self.kill_in is not None:
            self.kill_in -= 1
            if self.kill_in < 0:
                self.kill_in = None
                raise KilledError

    def _serve(self) -> None:
        """What follows from what is in force: loads, unloads, routes; and what requests come in."""
        effects = self.core.consequences(self.live, self._situation())
        was_ready = self.process.ready
        self.process.aspire(self.now, self.config, effects.overlay)
        self.process.work(self.now, frozenset(self.corrupt))
        default = self.process.default_version(effects)
        look = self.process.look
        self.referee.check_versions(
            self.live,
            self.process.aspired,
            seen=frozenset() if look is None else frozenset(each.version for each in look.versions),
            gone=was_ready - self.process.ready,
        )
        self.referee.check_force(self.live, self.store.traffic, is_dirty=self.is_dirty)
        self.referee.check_effects(self.live, self.store.traffic, effects, default)
        if self.strategy is not None and self.live.weights is None:
            self.referee.check_managed(self.live, default)
        self._count(effects)
        self._validate()

    def _restart(self, *, was_clean: bool) -> None:
        self.trace(f"{self.now:9.1f} {'stopped' if was_clean else 'killed'}; starts again")
        record = self.store.traffic
        self.process = Process(self.random)
        self.referee.epochs.clear()
        self.counts, self.shadow, self.outcome = {}, ShadowCounts(), None
        self.commands.clear()
        self.unrecorded, self.is_dirty = [], False
        self.store.is_failing = False
        change = self.core.resumed(MODEL, record, was_clean=was_clean, now=self.now)
        self.referee.check_change(record, change, self.finding)
        self.referee.check_restart(record, change)
        self._record(change.traffic, list(change.ended))
        self.live = change.traffic

    def _situation(self) -> Situation:
        situation = Situation(
            model=MODEL,
            config=self.config,
            strategy=self.strategy,
            look=self.process.look,
            snapshot=self.process.snapshot(MODEL),
            validation=self._outcome(),
            evidence=self._evidence(),
            judgement=self._judgement(),
            is_recorded=not self.is_dirty,
        )
        effects = self.core.consequences(self.live, situation)
        return replace(situation, default_version=self.process.default_version(effects))

    def _outcome(self) -> ValidationOutcome | None:
        rollout, outcome = self.live.rollout, self.outcome
        if rollout is None or outcome is None or outcome.candidate.version != rollout.candidate:
            return None
        return outcome

    def _evidence(self) -> Evidence | None:
        rollout = self.live.rollout
        if rollout is None:
            return None
        return Evidence(trial=rollout.id, epochs=tuple(self.counts.values()), shadow=self.shadow)

    def _judgement(self) -> Judgement | None:
        if self.live.rollout is None or self.live.rollout.traffic_at is None or self.finding is None:
            return None
        return Judgement(
            finding=self.finding,
            is_split_broken=self.is_split_broken,
            sentence=f"it says {self.finding.value}",
        )

    def _count(self, effects: Consequences) -> None:
        """Requests come in, and the data plane counts them in the epoch that is in force."""
        rollout, traffic = self.live.rollout, effects.traffic
        if rollout is None or traffic is None or traffic.trial != rollout.id:
            self.counts, self.shadow = {}, ShadowCounts()
            return
        if traffic.shadow is not None and rollout.candidate in self.process.ready:
            compared = self.shadow.compared + self.random.choice((0, 30))
            self.shadow = ShadowCounts(mirrored=compared, compared=compared)
        weight = sum(each.stop - each.start for each in traffic.ranges)
        if weight and rollout.candidate in self.process.ready:
            before = self.counts.get(traffic.epoch)
            requests = (before.candidate.requests if before else 0) + self.random.choice((0, 20, 200))
            self.counts[traffic.epoch] = EpochCounts(
                epoch=traffic.epoch, weight=weight, is_sticky=True, candidate=ArmCounts(requests=requests)
            )

    def _validate(self) -> None:
        """A candidate that is to be validated is, some time later; most pass."""
        rollout = self.live.rollout
        if rollout is None or rollout.phase is not Phase.VALIDATING:
            self.outcome = None
        elif rollout.candidate in self.process.ready and self.random.random() < 0.5:
            passed = self.random.random() < 0.9
            findings = () if passed else ("2 of 5 golden examples are not reproduced",)
            candidate = ServableId(MODEL, rollout.candidate)
            self.outcome = ValidationOutcome(candidate=candidate, passed=passed, findings=findings)

    def _look(self) -> FoundVersions:
        base_path = "/models/ada" if self.config is None else self.config.base_path
        versions = tuple(FoundVersion(each, f"{base_path}/{each}") for each in sorted(self.found))
        return FoundVersions(MODEL, versions, base_path=base_path)

    def draw_version(self, *, is_new: bool) -> int:
        """The next number, or one of the last few."""
        newest = max(self.found, default=0)
        return newest + 1 if is_new else self.random.randint(max(0, newest - 3), newest)

    def settle(self) -> int:
        """The faults stop, and the verdict is steady; how many ticks until no rollout is left but a paused one."""
        self.store.is_failing, self.kill_in, self.is_split_broken = False, None, False
        self.finding = self.random.choice((Finding.NO_HARM, Finding.HARM, Finding.SUSPICION))
        self.trace(f"{self.now:9.1f} the faults stop; the verdict is {self.finding.value}")
        ticks = 0
        while self.live.rollout is not None and self.live.rollout.pause is None:
            if ticks == SETTLE_TICKS_MAX:
                broken(27, f"after {ticks} ticks there is still {self.live.rollout}")
            self.process.see(self._look())
            self.tick(600.0)
            ticks += 1
        return ticks


def build_world(seed: int, trace: Trace = no_trace, played: Core | None = None) -> World:
    """A world in which everything follows from the seed."""
    random = Random(seed)  # noqa: S311 - a simulation, not a secret
    trace(f"seed {seed}")
    world = World(random, played or Core(), trace)
    if random.random() < 0.6:
        world.strategy = Strategy(starts_itself=random.random() < 0.8, plan=draw_plan(random))
    return world


def draw_plan(random: Random) -> Plan:
    """A plan like those of operators, and some that nobody would write."""
    weights = sorted(random.sample((1, 100, 500, 2_500, 5_000, 9_999), random.choice((1, 2, 3))))
    return Plan(
        shadow=random.choice((None, ShadowStage(dwell_s=5.0, requests=20))),
        steps=tuple(
            Step(
                weight=weight,
                dwell_s=random.choice((0.0, 5.0, 60.0)),
                requests=random.choice((0, 50)),
                needs_approval=random.random() < 0.1,
            )
            for weight in weights
        ),
        wait_s=random.choice((600.0, 3_600.0)),
        duration_max_s=random.choice((1_000.0, 86_400.0)),
        keep_baseline_s=random.choice((0.0, 100.0, 3_600.0)),
        newer=random.choice(list(Newer)),
        inconclusive=random.choice(list(Inconclusive)),
        crashes_max=random.choice((0, 1, 2, 50)),
        is_automatic=random.random() < 0.9,
    )


def draw_policy(world: World) -> VersionPolicy:
    """A version policy."""
    numbers = tuple({world.draw_version(is_new=world.random.random() < 0.3) for _ in range(3)})
    return world.random.choice((Latest(1), Latest(1), Latest(2), All(), Specific(numbers), Specific(())))
