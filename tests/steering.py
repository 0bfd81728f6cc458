"""Rollouts on a desk stepped by hand: orders, candidates that appear, counts. No test cases here."""

from concurrent.futures import Future
from pathlib import Path

from tests.ticking import Ticking, found, ready
from understudy.control.facts import (
    EvidenceSeen,
    Obeyed,
    TrafficOrder,
    TrialSeen,
    Validated,
)
from understudy.evidence import ERRORS, ArmCounts, Bad, EpochCounts, Evidence
from understudy.rollout.commands import (
    Command,
    Start,
)
from understudy.rollout.plan import Plan, Step, Strategy
from understudy.rollout.state import Phase, Rollout
from understudy.rollout.validation import ValidationOutcome
from understudy.routing import ModelRoute
from understudy.routing.traffic import Traffic
from understudy.servable import Loaded, ServableId

PLAN = Plan(
    shadow=None,
    steps=(Step(weight=1_000, dwell_s=5.0, requests=10), Step(weight=5_000, dwell_s=5.0, requests=10)),
)
SETTLED_TICKS = 6
MANAGED = {"m": Strategy(plan=PLAN)}


def command(ticking: Ticking, wanted: Command, name: str = "m") -> Future[Obeyed]:
    """Orders it, and lets it be carried out."""
    order = TrafficOrder(model=name, command=wanted, by="ana")
    ticking.desk.take_traffic(order)
    ticking.tick()
    return order.answer


def rollout(ticking: Ticking) -> Rollout:
    present = ticking.desk.picture.traffic["m"].rollout
    assert present is not None
    return present


def route(ticking: Ticking) -> ModelRoute:
    return ticking.desk.picture.table.routes["m"]


def split(ticking: Ticking) -> Traffic:
    traffic = route(ticking).traffic
    assert traffic is not None
    return traffic


def settle(ticking: Ticking, *, passes: bool = True) -> list[ServableId]:
    """Ticks until nothing is under way: loads succeed, candidates pass validation or do not. What was loaded."""
    loaded = []
    for _ in range(SETTLED_TICKS):
        turn = ticking.tick()
        for each, _platform in turn.loads:
            loaded.append(each.servable)
            ticking.desk.finish(Loaded(each.servable, 0.1))
        for validation in turn.validations:
            findings = () if passes else ("it misses an input",)
            outcome = ValidationOutcome(candidate=validation.candidate, passed=passes, findings=findings)
            ticking.desk.take_traffic(Validated(outcome))
    return loaded


def appear(ticking: Ticking, *versions: int, passes: bool = True) -> list[ServableId]:
    """These versions are there now."""
    ticking.see(found("m", *versions))
    return settle(ticking, passes=passes)


def count(ticking: Ticking, requests: int, *, errors: int = 0) -> None:
    """The candidate answered so many requests in this epoch, and the baseline ten times as many without errors."""
    present = rollout(ticking)
    arm = ArmCounts(requests=requests, assigned=requests, bad={ERRORS: Bad(errors)})
    share = present.weight / 10_000
    others = round(requests / share * (1 - share))
    epoch = EpochCounts(
        epoch=present.epoch,
        weight=present.weight,
        is_sticky=False,
        baseline=ArmCounts(requests=others, assigned=others),
        candidate=arm,
    )
    before = tuple(each for each in present.evidence.epochs if each.epoch != present.epoch)
    evidence = Evidence(trial=present.id, epochs=(*before, epoch))
    ticking.desk.take_traffic(EvidenceSeen({"m": TrialSeen(evidence)}))
    ticking.tick()


def ramping(directory: Path | None = None) -> Ticking:
    """Version 2 answers the first step's share beside version 1."""
    ticking = ready(1, directory=directory)
    command(ticking, Start(candidate=2, plan=PLAN)).result(timeout=0)
    appear(ticking, 1, 2)
    assert rollout(ticking).phase is Phase.RAMPING
    return ticking


def pass_step(ticking: Ticking, requests: int = 20) -> None:
    for _ in range(6):
        ticking.tick()
    count(ticking, requests)


def break_store(ticking: Ticking) -> None:
    ticking.store.database.execute("PRAGMA query_only = ON")  # SQLite's own way to refuse every write


def mend_store(ticking: Ticking) -> None:
    ticking.store.database.execute("PRAGMA query_only = OFF")


def recorded(ticking: Ticking) -> tuple[Phase, int] | None:
    """Phase and weight of the rollout on record."""
    kept = ticking.store.rollouts.in_force().get("m")
    return None if kept is None or kept.rollout is None else (kept.rollout.phase, kept.rollout.weight)
