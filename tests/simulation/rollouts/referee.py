"""What must hold of rollouts, checked from outside after every step, by rules written down a second time."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.simulation.broken import broken
from understudy.analysis.verdict import Finding
from understudy.evidence import Evidence
from understudy.rollout import Change, Consequences
from understudy.rollout.state import ENDS, ModelTraffic, Phase, Rollout
from understudy.routing.traffic import BucketRange, Traffic

ALLOWED = {
    (None, Phase.WAITING),
    (Phase.WAITING, Phase.VALIDATING),
    (Phase.WAITING, Phase.WATCHING),
    (Phase.VALIDATING, Phase.SHADOWING),
    (Phase.VALIDATING, Phase.RAMPING),
    (Phase.VALIDATING, Phase.WATCHING),
    (Phase.SHADOWING, Phase.RAMPING),
    (Phase.SHADOWING, Phase.WATCHING),
    (Phase.RAMPING, Phase.RAMPING),
    (Phase.RAMPING, Phase.WATCHING),
    (Phase.WATCHING, Phase.PROMOTED),
}
"""Beside these, a rollout may stay where it is, and from anywhere it may be rolled back or ended."""

OPERATORS = frozenset({"ada", "bob"})


def buckets(ranges: Iterable[BucketRange], version: int) -> set[int]:
    """Those that a version answers."""
    return {bucket for each in ranges if each.version == version for bucket in range(each.start, each.stop)}


@dataclass(slots=True)
class Referee:
    """Remembers what it saw, and checks each step against it.

    Attributes:
        ended: the rollouts whose end is on record.
        stable: every version that ever was stable, at the present place.
        buckets: the candidate's, of the present rollout, when they last were not withheld.
        rollout: whose those are.
        epochs: the ranges of each epoch of a trial, in this process.
    """

    ended: set[str] = field(default_factory=set)
    stable: set[int] = field(default_factory=set)
    buckets: set[int] = field(default_factory=set)
    rollout: str = ""
    epochs: dict[str, dict[int, tuple[BucketRange, ...]]] = field(default_factory=dict)

    def check_change(self, before: ModelTraffic, change: Change, finding: Finding | None) -> None:
        """One step of the core, with what the evidence is found to say now; none: nothing new."""
        if finding is None and before.rollout is not None and before.rollout.judgement is not None:
            finding = before.rollout.judgement.finding
        if _without_counts(before) != _without_counts(change.traffic) and not change.decisions:
            broken(26, f"from {before} to {change.traffic}")
        if any(not decision.reason for decision in change.decisions):
            broken(26, f"a decision without a reason: {change.decisions}")
        for decision in change.decisions:
            if decision.after is None:
                continue
            phases = (None if decision.before is None else decision.before.phase, decision.after.phase)
            is_end = phases[1] in {Phase.ROLLED_BACK, Phase.ENDED}
            if phases not in ALLOWED and phases[0] is not phases[1] and not is_end:
                broken(20, f"{decision.rollout} from {phases[0]} to {phases[1]}")
            is_promotion = phases[1] is Phase.WATCHING and phases[0] is not Phase.WATCHING
            if is_promotion and decision.by not in OPERATORS and finding is not Finding.NO_HARM:
                broken(21, f"{decision.rollout} was promoted by {decision.by} when the verdict was {finding}")
        _check_rollouts(before, change)

    def note_recorded(self, traffic: ModelTraffic, ended: Iterable[Rollout]) -> None:
        """What is in the store from now on."""
        for rollout in ended:
            if rollout.id in self.ended or rollout.phase not in ENDS:
                broken(
                    20, f"{rollout.id} ends as {rollout.phase}, and ended before: {rollout.id in self.ended}"
                )
            self.ended.add(rollout.id)
        if traffic.rollout is not None and traffic.rollout.id in self.ended:
            broken(20, f"{traffic.rollout.id} is there again after its end")
        if traffic.declared is None:
            self.stable.clear()

    def check_force(self, live: ModelTraffic, record: ModelTraffic, *, is_dirty: bool) -> None:
        """What is in force, beside what is on record."""
        if not is_dirty and _without_counts(live) != _without_counts(record):
            broken(28, f"{live} is in force, and {record} is on record")
        if live.rollout is not None and _place(live.rollout) != _place(record.rollout):
            broken(28, f"{live.rollout} is in force, and {record.rollout} is on record")
        if live.weights is not None and live.weights.default != (record.weights or live.weights).default:
            broken(28, f"{live.weights} are in force, and {record.weights} are on record")

    def check_effects(
        self, live: ModelTraffic, record: ModelTraffic, effects: Consequences, default: int | None
    ) -> None:
        """What requests see."""
        rollout = live.rollout
        if live.stable is not None:
            self.stable.add(live.stable)
        ranges = effects.traffic.ranges if effects.traffic is not None else ()
        self._check_epoch(effects.traffic)
        answering = {each.version for each in ranges} | ({default} if default is not None else set())
        if answering & live.quarantined.keys():
            broken(22, f"{answering} answer, in quarantine are {live.quarantined.keys()}")
        if rollout is None:
            return
        if rollout.phase is not Phase.WATCHING and default == rollout.candidate:
            broken(24, f"{rollout.id} is {rollout.phase}, and its candidate is the default")
        share = 10_000 if default == rollout.candidate else len(buckets(ranges, rollout.candidate))
        known = record.rollout
        on_record = known.weight if known is not None and known.id == rollout.id else 0
        if share > on_record:
            broken(18, f"{rollout.id}: {share} buckets, on record are {on_record}")
        self._check_growth(rollout, ranges)

    def check_managed(self, live: ModelTraffic, default: int | None) -> None:
        """A managed model: whoever answers is no newer than what was stable once."""
        if live.stable is not None and default is not None and default > max(self.stable):
            broken(24, f"{default} answers, and only {self.stable} were stable")

    def check_versions(
        self, live: ModelTraffic, aspired: frozenset[int], *, seen: frozenset[int], gone: frozenset[int]
    ) -> None:
        """What the process does about versions.

        Args:
            live: what is in force.
            aspired: what is to be loaded.
            seen: what the last good look found.
            gone: those that were ready and no longer are.
        """
        if aspired & live.quarantined.keys():
            broken(22, f"{aspired & live.quarantined.keys()} are aspired and in quarantine")
        rollout = live.rollout
        if rollout is not None and rollout.baseline in gone:
            broken(23, f"{rollout.id}: the baseline {rollout.baseline} was unloaded")
        if rollout is not None and rollout.candidate in seen - aspired:
            broken(23, f"{rollout.id}: the candidate is there and not aspired; that are {aspired}")

    def check_restart(self, record: ModelTraffic, change: Change) -> None:
        """What the next process goes on from."""
        before, after = record.rollout, change.traffic.rollout
        if before is None and after is None:
            return
        if before is None or (after is None and [each.phase for each in change.ended] != [Phase.ROLLED_BACK]):
            broken(25, f"from {before} to {change}")
        if after is not None and (after.phase, after.step, after.weight, after.ranges) != (
            before.phase,
            before.step,
            before.weight,
            before.ranges,
        ):
            broken(25, f"from {before} to {after}")

    def _check_growth(self, rollout: Rollout, ranges: tuple[BucketRange, ...]) -> None:
        now = buckets(ranges, rollout.candidate)
        if rollout.id != self.rollout:
            self.rollout, self.buckets = rollout.id, set()
        if not now:
            return
        if not self.buckets <= now:
            broken(19, f"{rollout.id} lost {len(self.buckets - now)} buckets while it goes on")
        self.buckets = now

    def _check_epoch(self, traffic: Traffic | None) -> None:
        """Counts of one epoch belong to one split, and epochs only grow: the data plane refuses any other."""
        if traffic is None:
            return
        epochs = self.epochs.setdefault(traffic.trial, {})
        if traffic.epoch < max(epochs, default=0):
            broken(19, f"{traffic.trial}: epoch {traffic.epoch} after {max(epochs)}")
        if epochs.setdefault(traffic.epoch, traffic.ranges) != traffic.ranges:
            broken(19, f"{traffic.trial}: {traffic.ranges} in the epoch of {epochs[traffic.epoch]}")


def _check_rollouts(before: ModelTraffic, change: Change) -> None:
    """Whatever was there is there, or ended in this step; each at most once."""
    was, now = before.rollout, change.traffic.rollout
    ended = [each.id for each in change.ended]
    if was is not None and (now is None or now.id != was.id) and was.id not in ended:
        broken(20, f"{was.id} is gone without an end")
    if len(set(ended)) < len(ended) or (now is not None and now.id in ended):
        broken(20, f"ended: {ended}, present: {now}")


def _place(rollout: Rollout | None) -> tuple[object, ...]:
    """Where it is, as far as requests are concerned."""
    if rollout is None:
        return ()
    return rollout.id, rollout.phase, rollout.step, rollout.weight, rollout.ranges


def _without_counts(traffic: ModelTraffic) -> ModelTraffic:
    """What may not change without a decision."""
    rollout = traffic.rollout
    if rollout is not None:
        rollout = replace(rollout, evidence=Evidence(trial=rollout.id), counted_at=None, judgement=None)
    return replace(traffic, rollout=rollout, waiting=None, declared=None)
