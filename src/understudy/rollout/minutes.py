"""The minutes of one step: what a model's traffic is becoming, and the decisions that led there.

An object lives for one call of the core and belongs to it alone; machine.py makes it.
"""

from dataclasses import dataclass, field, replace

from understudy.model_config import Specific, VersionPolicy
from understudy.rollout.decision import Change, Decision, Position
from understudy.rollout.phases import TRANSITIONS, Trigger
from understudy.rollout.situation import Situation
from understudy.rollout.state import ENDS, Declared, ModelTraffic, Pause, Phase, Quarantined, Rollout
from understudy.routing.traffic import BUCKETS, BucketRange

ROLLOUT = "rollout"
"""Who decides by a rollout's plan and its evidence."""
STRATEGY = "strategy"
CONFIGURATION = "configuration"
STABLE_LABEL = "stable"
CANARY_LABEL = "canary"


@dataclass(slots=True)
class Minutes:
    """One step's work.

    Attributes:
        traffic: as it is becoming.
        situation: what is known.
        now: by the control loop's clock.
        decisions: so far.
        ended: rollouts that are over.
        is_urgent: see `Change`.
    """

    traffic: ModelTraffic
    situation: Situation
    now: float
    decisions: list[Decision] = field(default_factory=list)
    ended: list[Rollout] = field(default_factory=list)
    is_urgent: bool = False

    def close(self) -> Change:
        """What came of it."""
        return Change(
            traffic=self.traffic,
            decisions=tuple(self.decisions),
            ended=tuple(self.ended),
            is_urgent=self.is_urgent,
        )

    def present(self) -> Rollout:
        """The rollout that the caller knows to be there."""
        if self.traffic.rollout is None:
            raise AssertionError(f"{self.situation.model} has no rollout")
        return self.traffic.rollout

    def change(self, rollout: Rollout) -> None:
        """The same rollout with other details, and no decision."""
        if rollout != self.traffic.rollout:
            self.traffic = replace(self.traffic, rollout=rollout)

    def note(self, kind: str, reason: str, *, by: str, version: int | None = None, rollout: str = "") -> None:
        """A decision that is not about the rollout's phase."""
        self.decisions.append(
            Decision(
                at=self.now,
                model=self.situation.model,
                version=version,
                rollout=rollout,
                kind=kind,
                by=by,
                reason=reason,
            )
        )

    def tell(self, rollout: Rollout, kind: str, reason: str, *, by: str = ROLLOUT) -> None:
        """The rollout becomes this, and that is a decision."""
        before = self.present()
        self.traffic = replace(self.traffic, rollout=rollout)
        self._record(before, rollout, kind, reason, by)

    def begin(self, rollout: Rollout) -> None:
        """This rollout is the present one from now on."""
        self.traffic = replace(self.traffic, rollout=rollout)
        self._record(None, rollout, "rollout_started", rollout.reason, rollout.asked_by)

    def move(self, rollout: Rollout, trigger: Trigger, reason: str, *, by: str = ROLLOUT) -> None:
        """The rollout, with other details already, enters the phase that the table says."""
        before = self.present()
        phase = TRANSITIONS[before.phase, trigger]
        after = replace(
            rollout,
            phase=phase,
            entered_at=self.now,
            pause=None,
            pause_before=None,
            paused_at=None,
            away_s=0.0,
            reason=reason,
        )
        if phase is not Phase.PROMOTED and phase in ENDS:
            after = replace(after, weight=0, ranges=())
        self.traffic = replace(self.traffic, rollout=None if phase in ENDS else after)
        if phase in ENDS:
            self.ended.append(after)
        self._record(before, after, f"rollout_{phase.value}", reason, by)

    def pause(self, pause: Pause, reason: str, *, by: str = ROLLOUT) -> None:
        """The rollout goes no further."""
        rollout = replace(self.present(), pause=pause, paused_at=self.now, reason=reason)
        self.tell(rollout, "rollout_paused", reason, by=by)

    def quarantine(self, version: int, reason: str, *, by: str, rollout: str | None = None) -> None:
        """The version must not be served."""
        entry = Quarantined(version=version, at=self.now, by=by, reason=reason, rollout=rollout)
        self.traffic = replace(self.traffic, quarantined={**self.traffic.quarantined, version: entry})
        self.is_urgent = True
        self.note("version_quarantined", reason, by=by, version=version, rollout=rollout or "")

    def serve(self, version: int, *, known: int = 0) -> None:
        """The version is the stable one; none up to it is new, nor up to `known`."""
        highest = max(version, known, self.traffic.highest or version)
        self.traffic = replace(self.traffic, stable=version, highest=highest)

    def settle_on(self, version: int, kind: str, reason: str, *, by: str) -> None:
        """The version is the stable one, and that is a decision."""
        self.serve(version)
        self.declare()
        self.note(kind, reason, by=by, version=version)

    def declare(self) -> None:
        """Remembers what the configuration says, so that another word of it is noticed."""
        config = self.situation.config
        if config is not None:
            labels = tuple((name, to) for name, to in config.labels if name in {STABLE_LABEL, CANARY_LABEL})
            declared = Declared(
                base_path=config.base_path, policy=describe_policy(config.version_policy), labels=labels
            )
            self.traffic = replace(self.traffic, declared=declared)

    def _record(self, before: Rollout | None, after: Rollout, kind: str, reason: str, by: str) -> None:
        has_traffic = after.traffic_at is not None
        self.decisions.append(
            Decision(
                at=self.now,
                model=after.model,
                version=after.candidate,
                rollout=after.id,
                kind=kind,
                by=by,
                reason=reason,
                before=None if before is None else Position.of(before),
                after=Position.of(after),
                judgement=after.judgement,
                evidence=after.evidence if has_traffic else None,
            )
        )


def describe_policy(policy: VersionPolicy) -> str:
    """In words; the same words for the same policy."""
    if isinstance(policy, Specific):
        return f"specific {' '.join(str(version) for version in sorted(policy.versions))}"
    return repr(policy)


def percent(weight: int) -> str:
    """A weight in words."""
    return f"{weight / 100:g} %"


def duration(seconds: float) -> str:
    """How long a request takes, in words: `0.36 ms`, `1.2 s`."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1_000:.3g} ms"


def first_buckets(version: int, weight: int) -> tuple[BucketRange, ...]:
    """The candidate's buckets: from the first on, so that growing only adds."""
    if not 0 <= weight <= BUCKETS:
        raise AssertionError(f"a weight of {weight}")
    return (BucketRange(version, 0, weight),) if weight else ()
