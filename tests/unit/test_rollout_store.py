"""What is kept of models' traffic: whole or not at all, durable, bounded; its times go on in the next process."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.analysis.verdict import Finding, Judgement, MetricVerdict
from understudy.errors import Code, StoreError
from understudy.evidence import ArmCounts, Bad, EpochCounts, Evidence, Moments, ShadowCounts
from understudy.rollout.decision import Change, Decision, Position
from understudy.rollout.plan import Plan, Quality, QualitySettings, Step
from understudy.rollout.state import ModelTraffic, Pause, Phase, Quarantined, Rollout, Weights
from understudy.routing.traffic import BucketRange
from understudy.store import rollouts as rollouts_file
from understudy.store.store import Store
from understudy.testing import ManualClock

NOON = 1_900_000_000.0
METRIC = MetricVerdict(
    metric="errors",
    unit="requests",
    finding=Finding.UNDECIDED,
    is_muted=False,
    baseline_bad=3,
    baseline_total=1_000,
    candidate_bad=1,
    candidate_total=10,
    ratio=33.3,
    ratio_low=None,
    ratio_high=None,
    log_abort_e=0.5,
    log_pass_e=-math.inf,
    needed=None,
    sentence="too little is known",
)
JUDGEMENT = Judgement(finding=Finding.UNDECIDED, metrics=(METRIC,), guards=("a guard",), sentence="wait")
EVIDENCE = Evidence(
    trial="m-2-1",
    epochs=(
        EpochCounts(
            epoch=1,
            weight=100,
            is_sticky=True,
            baseline=ArmCounts(requests=1_000, bad={"errors": Bad(3, 2)}),
            candidate=ArmCounts(requests=10, scores={"log_loss": Moments(count=1, total=math.inf)}),
        ),
    ),
    shadow=ShadowCounts(compared=7, only_candidate={"errors": 1}),
)
PLAN = Plan(
    shadow=None,
    steps=(Step(weight=1_000, needs_approval=True),),
    quality=QualitySettings(metric=Quality.LOG_LOSS),
    duration_max_s=math.inf,
)
ROLLOUT = Rollout(
    id="m-2-1",
    model="m",
    baseline=1,
    candidate=2,
    plan=PLAN,
    salt="m/m-2-1",
    asked_by="ana@desk",
    phase=Phase.RAMPING,
    weight=1_000,
    ranges=(BucketRange(2, 0, 1_000),),
    epoch=3,
    pause=Pause.OPERATOR,
    started_at=10.0,
    traffic_at=20.0,
    entered_at=30.0,
    reason="ana@desk said so",
    thresholds_s=(("slow:p99", 0.25),),
    evidence=EVIDENCE,
    judgement=JUDGEMENT,
    crashes=1,
)
QUARANTINED = Quarantined(version=3, at=15.0, by="ana@desk", reason="wrong on eights")
WEIGHTS = Weights(salt="s", epoch=2, ranges=(BucketRange(2, 0, 10),), default=1, by="ana@desk", at=12.0)


def decision(number: int, rollout: str = "m-2-1") -> Decision:
    return Decision(
        at=30.0,
        model="m",
        version=2,
        rollout=rollout,
        kind="rollout_advanced",
        by="rollout",
        reason=f"decision {number}",
        before=Position(Phase.SHADOWING, 0, 0),
        after=Position(Phase.RAMPING, 0, 1_000),
        judgement=JUDGEMENT,
        evidence=EVIDENCE,
    )


def ended(number: int, model: str = "m") -> Rollout:
    return replace(ROLLOUT, id=f"{model}-2-{number}", model=model, phase=Phase.ROLLED_BACK)


def change(traffic: ModelTraffic, *decisions: Decision) -> dict[str, Change]:
    return {"m": Change(traffic=traffic, decisions=decisions)}


def end(over: Rollout, *decisions: Decision) -> dict[str, Change]:
    return {over.model: Change(traffic=ModelTraffic(stable=2), ended=(over,), decisions=decisions)}


@pytest.mark.parametrize(
    "traffic",
    [
        ModelTraffic(stable=1, rollout=ROLLOUT, quarantined={3: QUARANTINED}),
        ModelTraffic(weights=WEIGHTS),
        ModelTraffic(stable=7),
        ModelTraffic(quarantined={3: QUARANTINED, 4: replace(QUARANTINED, version=4, rollout="m-4-1")}),
    ],
    ids=["a rollout", "weights", "promoted", "quarantine alone"],
)
def test_what_is_in_force_is_read_back_by_the_next_process(traffic: ModelTraffic, tmp_path: Path) -> None:
    with Store(ManualClock(now_s=40.0, wall_at_zero_s=NOON), tmp_path) as store:
        store.rollouts.record(change(traffic, decision(1)))
    with Store(ManualClock(now_s=40.0, wall_at_zero_s=NOON), tmp_path) as store:
        assert store.rollouts.in_force() == {"m": traffic}
        assert store.rollouts.decisions("m-2-1") == (decision(1),)
        assert store.rollouts.other_decisions("m") == ()


def test_what_is_as_by_default_again_leaves_nothing_behind() -> None:
    with Store(ManualClock()) as store:
        store.rollouts.record(change(ModelTraffic(weights=WEIGHTS, quarantined={3: QUARANTINED})))
        store.rollouts.record(change(ModelTraffic()))
        assert store.rollouts.in_force() == {}


def test_durations_go_on_in_a_process_whose_clock_begins_anew(tmp_path: Path) -> None:
    with Store(ManualClock(now_s=40.0, wall_at_zero_s=NOON), tmp_path) as store:
        store.rollouts.record(change(ModelTraffic(rollout=ROLLOUT)))
    later = ManualClock(now_s=1_000.0, wall_at_zero_s=NOON - 1_000.0 + 40.0 + 60.0)  # a minute later
    with Store(later, tmp_path) as store:
        rollout = store.rollouts.in_force()["m"].rollout
        assert rollout is not None
        assert later.now() - rollout.entered_at == pytest.approx(70.0)  # ten seconds before, and the minute
        assert rollout.traffic_at is not None
        assert later.now() - rollout.traffic_at == pytest.approx(80.0)


def test_a_clock_that_was_set_back_makes_nothing_happen_in_the_future(tmp_path: Path) -> None:
    with Store(ManualClock(now_s=40.0, wall_at_zero_s=NOON), tmp_path) as store:
        store.rollouts.record(change(ModelTraffic(rollout=ROLLOUT)))
    with Store(ManualClock(now_s=5.0, wall_at_zero_s=NOON - 86_400.0), tmp_path) as store:
        rollout = store.rollouts.in_force()["m"].rollout
        assert rollout is not None
        assert rollout.entered_at == 5.0


def test_a_rollout_that_ended_is_history() -> None:
    with Store(ManualClock()) as store:
        present = replace(ROLLOUT, started_at=0.0, traffic_at=0.0, entered_at=0.0)
        over = replace(present, phase=Phase.PROMOTED)
        store.rollouts.record(change(ModelTraffic(rollout=present)))
        assert store.rollouts.history("m", 10) == (present,)
        store.rollouts.record(end(over))
        assert store.rollouts.in_force() == {"m": ModelTraffic(stable=2)}
        assert store.rollouts.history("m", 10) == (over,)
        assert store.rollouts.rollout("m-2-1") == over
        assert store.rollouts.rollout("m-2-2") is None
        assert store.rollouts.history("other", 10) == ()


def test_only_so_many_ended_rollouts_are_kept_with_their_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts_file, "ENDED_PER_MODEL_MAX", 2)
    monkeypatch.setattr(rollouts_file, "ENDED_MAX", 3)
    with Store(ManualClock()) as store:
        for number in range(1, 4):
            for model in ("m", "n"):
                over = ended(number, model)
                store.rollouts.record(end(over, decision(number, over.id)))
        assert [each.id for each in store.rollouts.history("m", 10)] == ["m-2-3"]
        assert [each.id for each in store.rollouts.history("n", 10)] == ["n-2-3", "n-2-2"]
        assert store.rollouts.decisions("m-2-2") == ()
        assert len(store.rollouts.decisions("n-2-2")) == 1


def test_a_present_rollout_is_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts_file, "ENDED_PER_MODEL_MAX", 1)
    monkeypatch.setattr(rollouts_file, "DECISIONS_BYTES_MAX", 0)
    with Store(ManualClock(now_s=40.0)) as store:
        store.rollouts.record(change(ModelTraffic(rollout=ROLLOUT), decision(1)))
        for number in range(2, 5):
            over = ended(number, "n")
            store.rollouts.record(end(over, decision(number, over.id)))
        assert store.rollouts.in_force()["m"].rollout == ROLLOUT
        assert len(store.rollouts.decisions("m-2-1")) == 1
        assert store.rollouts.decisions("n-2-4") == ()


def test_only_so_many_decisions_of_a_rollout_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts_file, "DECISIONS_PER_ROLLOUT_MAX", 2)
    with Store(ManualClock()) as store:
        for number in range(1, 5):
            store.rollouts.record(change(ModelTraffic(), decision(number), decision(-number, "")))
        assert [each.reason for each in store.rollouts.decisions("m-2-1")] == ["decision 3", "decision 4"]
        assert [each.reason for each in store.rollouts.other_decisions("m")] == ["decision -3", "decision -4"]


def test_a_full_disk_refuses_all_changes_of_one_record(tmp_path: Path) -> None:
    with Store(ManualClock(), tmp_path) as store:
        store.rollouts.record(change(ModelTraffic(stable=1)))
        store.database.execute("PRAGMA max_page_count = 1")  # SQLite's own way to have a full disk
        many = tuple(decision(number) for number in range(100))
        with pytest.raises(StoreError, match="could not be written, so nothing was changed") as refused:
            store.rollouts.record(
                change(ModelTraffic(stable=2)) | {"n": Change(traffic=ModelTraffic(), decisions=many)}
            )
        assert refused.value.code is Code.RESOURCE_EXHAUSTED
        assert store.rollouts.in_force() == {"m": ModelTraffic(stable=1)}
        store.database.execute("PRAGMA max_page_count = 1000000")
        store.rollouts.record(change(ModelTraffic(stable=2)))
        assert store.rollouts.in_force() == {"m": ModelTraffic(stable=2)}


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (
            lambda text: text.replace('"phase":', '"tomorrow":1,"phase":'),
            "this program does not know tomorrow",
        ),
        (
            lambda text: text.replace('"needs_approval":', '"needs_luck":true,"needs_approval":'),
            r"does not know plan\.steps\.needs_luck",
        ),
        (lambda text: text.replace('"ramping"', '"flying"'), "Invalid enum value 'flying'"),
        (lambda text: text[:-1], "delimiter"),
    ],
    ids=["newer", "newer inside", "a newer phase", "cut off"],
)
def test_what_another_program_wrote_is_refused_with_what_to_do(
    harm: Callable[[str], str], reason: str, tmp_path: Path
) -> None:
    with Store(ManualClock(), tmp_path) as store:
        store.rollouts.record(change(ModelTraffic(rollout=ROLLOUT)))
        (text,) = store.database.execute("SELECT state FROM rollouts").fetchone()
        assert harm(text) != text
        store.database.execute("UPDATE rollouts SET state = ?", (harm(text),))
        with pytest.raises(
            StoreError, match=rf"Rollout: .*{reason}.*name another state directory"
        ) as refused:
            store.rollouts.in_force()
        assert refused.value.code is Code.DATA_LOSS


def test_an_older_record_lacks_what_has_a_default(tmp_path: Path) -> None:
    with Store(ManualClock(now_s=40.0), tmp_path) as store:
        store.rollouts.record(change(ModelTraffic(rollout=ROLLOUT)))
        (text,) = store.database.execute("SELECT state FROM rollouts").fetchone()
        assert '"crashes":1' in text
        store.database.execute("UPDATE rollouts SET state = ?", (text.replace(',"crashes":1', ""),))
        assert store.rollouts.in_force()["m"].rollout == replace(ROLLOUT, crashes=0)


def test_an_end_in_good_order_is_told_from_a_sudden_one(tmp_path: Path) -> None:
    with Store(ManualClock(), tmp_path) as store:
        assert store.ends.was_orderly()  # there was none
        store.ends.note_begun()
    with Store(ManualClock(), tmp_path) as store:
        assert not store.ends.was_orderly()
        store.ends.note_orderly()
    with Store(ManualClock(), tmp_path) as store:
        assert store.ends.was_orderly()
