"""How rollouts are shown to people: where one is, what it waits for, its numbers, its decisions."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console, RenderableType

from tests.staged_rollouts import ERRORS, EVIDENCE, JUDGEMENT, RAMPING
from understudy.admin.rollout_words import list_waits
from understudy.admin.rollouts import (
    DecisionView,
    OverlayView,
    PositionView,
    QuarantinedView,
    RolloutView,
    ShareView,
    StoryView,
    TrafficView,
)
from understudy.analysis.verdict import Finding
from understudy.cli.judgement_tables import show_ratio
from understudy.cli.rollout_outcome import NOT_RECORDED, describe_outcome, exit_code, is_settled
from understudy.cli.rollout_tables import (
    build_heads,
    build_rollout,
    build_story,
    describe_decision,
    measure_progress,
)
from understudy.cli.tables import show_rate
from understudy.cli.traffic_tables import build_quarantine, build_traffic
from understudy.clock import Calendar
from understudy.errors import Code
from understudy.evidence import (
    ArmProfile,
    Evidence,
    OutputProfile,
    ShadowCounts,
    TrialProfile,
    TruthCounts,
)
from understudy.rollout.plan import Plan, Step
from understudy.rollout.state import Pause, Phase, Rollout
from understudy.server.rollout_views import build_rollout as view_rollout
from understudy.shadow_report import DifferingRequest, FailedRequest, OutputReport, ShadowReport
from understudy.testing import ManualClock

NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)
CALENDAR = Calendar(ManualClock(wall_at_zero_s=NOON.timestamp()))


def view(rollout: Rollout = RAMPING, now: float = 230.0) -> RolloutView:
    return view_rollout(rollout, now, CALENDAR)


def lines(shown: RenderableType, width: int = 200) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()]


def fact(shown: list[str], name: str) -> str:
    """The value beside a name; the test fails when there is none."""
    return next(line for line in shown if line.startswith(name)).removeprefix(name).strip()


def test_a_rollout_says_where_it_is_and_what_it_has_counted() -> None:
    shown = lines(build_rollout(view(), with_bar=False))
    assert shown[0].split() == ["ROLLOUT", "m-2-1"]
    assert fact(shown, "versions") == "2 in place of 1"
    assert fact(shown, "phase") == "ramping, step 2 of 4"
    assert fact(shown, "weight") == "5 %"
    assert fact(shown, "ramp") == "shadow > 1 % > [5 %] > 25 % > 50 % > 100 %"
    assert fact(shown, "candidate") == (
        "59 requests; 1 callers' mistakes; 2 answered by the baseline instead"
    )
    assert fact(shown, "baseline") == "7,800 requests"
    assert fact(shown, "slow") == "slow:p99 beyond 50 ms"
    assert fact(shown, "shadow") == "1,000 compared, 3 of 1,000 (0.30 %) disagreed; 4 shed; 6 not comparable"


def test_each_metric_has_a_line_with_both_rates_their_ratio_and_what_is_missing() -> None:
    shown = lines(build_rollout(view(), with_bar=False))
    head = next(place for place, line in enumerate(shown) if line.startswith("METRIC"))
    assert shown[head + 1].split("  ")[0] == "errors"
    assert "3 of 412 (0.73 %)" in shown[head + 1]
    assert "40 of 7,800 (0.51 %)" in shown[head + 1]
    assert "1.4 (0.3 to 4.1)" in shown[head + 1]
    assert shown[head + 1].endswith("not decided  900")
    assert shown[head + 2].endswith("no harm      -")
    assert shown[-1] == "Together: not decided."


def test_harm_guards_and_a_broken_split_are_said_in_words() -> None:
    harm = replace(ERRORS, finding=Finding.HARM)
    judgement = replace(
        JUDGEMENT, finding=Finding.HARM, metrics=(harm,), guards=("a third fails",), is_split_broken=True
    )
    shown = lines(build_rollout(view(replace(RAMPING, judgement=judgement)), with_bar=False))
    assert ERRORS.sentence in shown
    assert "a third fails" in shown
    assert any("none of these numbers can be trusted" in line for line in shown)


def test_a_muted_metric_is_said_to_be_one() -> None:
    judgement = replace(JUDGEMENT, metrics=(replace(ERRORS, is_muted=True),))
    shown = lines(build_rollout(view(replace(RAMPING, judgement=judgement)), with_bar=False))
    assert any("not decided (muted)" in line for line in shown)


def shadowed(*, compared: int, shed: int = 0, incomparable: int = 0) -> Evidence:
    mirrored = compared + shed + incomparable
    counts = ShadowCounts(mirrored=mirrored, shed=shed, incomparable=incomparable, compared=compared)
    return Evidence(trial="m-2-1", shadow=counts)


@pytest.mark.parametrize(
    ("changes", "now", "waits"),
    [
        ({"phase": Phase.WAITING}, 230.0, ["version 2 to be ready"]),
        ({"phase": Phase.VALIDATING}, 230.0, ["version 2 to pass validation"]),
        ({"phase": Phase.SHADOWING, "evidence": Evidence(trial="m-2-1")}, 230.0, ["30 s more", "50 more compared requests"]),
        ({"phase": Phase.SHADOWING}, 300.0, []),
        ({"phase": Phase.SHADOWING, "evidence": shadowed(shed=312, compared=18)}, 300.0, ["32 more compared requests: 312 of 330 mirrored ones were shed, because the server had no room for them; it has more at quieter hours, or start again with --no-shadow"]),
        ({"phase": Phase.SHADOWING, "evidence": shadowed(incomparable=9, compared=1)}, 300.0, ["49 more compared requests: 9 of 10 mirrored ones are none that the candidate can be asked; if clients are to change with it, start again with --no-shadow"]),
        ({"phase": Phase.SHADOWING, "evidence": shadowed(shed=3, compared=20)}, 300.0, ["30 more compared requests"]),
        ({}, 230.0, ["30 s more", "31 more requests of version 2"]),
        ({"step": 3, "weight": 5_000}, 300.0, ["50 more requests of version 2", "errors to be decided: about 900 more requests"]),
        ({"step": 3, "weight": 5_000, "judgement": None, "evidence": EVIDENCE}, 300.0, ["50 more requests of version 2", "evidence"]),
        ({"phase": Phase.WATCHING}, 230.0, ["59 min more of watching; until then `understudy rollout undo m` is instant"]),
        ({"pause": Pause.OPERATOR}, 230.0, ["`understudy rollout resume m`: an operator paused it"]),
        ({"pause": Pause.APPROVAL}, 230.0, ["`understudy rollout approve m`: the step is passed"]),
        ({"pause": Pause.BASELINE_GONE}, 230.0, ["version 1 to serve again: there is nothing to compare with"]),
        ({"phase": Phase.PROMOTED}, 230.0, []),
        ({"phase": Phase.ROLLED_BACK}, 230.0, []),
        ({"phase": Phase.ENDED}, 230.0, []),
    ],
)  # fmt: skip
def test_what_it_waits_for_is_said(changes: dict[str, object], now: float, waits: list[str]) -> None:
    rollout = replace(RAMPING, **changes)  # type: ignore[arg-type]
    assert list(view(rollout, now).waits_for) == waits


@pytest.mark.parametrize(("met", "is_told"), [(250, True), (3_000, False)])
def test_where_more_users_are_missing_than_there_were_it_is_said_what_to_do(met: int, is_told: bool) -> None:  # noqa: FBT001
    users = replace(ERRORS, unit="keys", candidate_total=met, needed=1_250)
    rollout = replace(RAMPING, step=3, weight=5_000, judgement=replace(JUDGEMENT, metrics=(users,)))
    waits = list_waits(rollout, 300.0)
    assert "errors to be decided: about 1,250 more keys" in waits
    assert any("start again by a plan with a higher `floor`" in wait for wait in waits) == is_told


def test_a_suspicion_is_waited_out() -> None:
    judgement = replace(JUDGEMENT, metrics=(replace(ERRORS, finding=Finding.SUSPICION),))
    waits = view(replace(RAMPING, judgement=judgement), 300.0).waits_for
    assert "errors to be above suspicion" in waits


def test_a_time_that_was_up_for_want_of_room_says_so() -> None:
    held = replace(
        RAMPING, phase=Phase.SHADOWING, pause=Pause.INCONCLUSIVE, evidence=shadowed(shed=9, compared=1)
    )
    (wait,) = view(held).waits_for
    assert "9 of 10 mirrored ones were shed" in wait


@pytest.mark.parametrize("pause", [Pause.INCONCLUSIVE, Pause.BROKEN_SPLIT])
def test_what_only_a_person_can_decide_names_the_commands(pause: Pause) -> None:
    (wait,) = view(replace(RAMPING, pause=pause)).waits_for
    assert wait.startswith("an operator: ")
    assert "`understudy rollout " in wait


@pytest.mark.parametrize(
    ("phase", "pause", "code", "settled", "said"),
    [
        (Phase.RAMPING, None, 0, False, "It waits for 30 s more; "),
        (Phase.RAMPING, Pause.INCONCLUSIVE, 5, True, "It waits for an operator"),
        (Phase.WATCHING, None, 0, True, "`understudy rollout undo m` goes back at once"),
        (Phase.PROMOTED, None, 0, True, "Version 2 is what m serves."),
        (Phase.ROLLED_BACK, None, 4, True, "Version 2 was rolled back; m serves version 1."),
        (Phase.ENDED, None, 6, True, "without a verdict on version 2"),
    ],
)
def test_how_it_stands_is_an_exit_code_and_a_sentence(
    phase: Phase,
    pause: Pause | None,
    code: int,
    settled: bool,  # noqa: FBT001 - a table
    said: str,
) -> None:
    seen = view(replace(RAMPING, phase=phase, pause=pause))
    assert (exit_code(seen), is_settled(seen)) == (code, settled)
    assert said in describe_outcome(seen)


@pytest.mark.parametrize(
    ("phase", "step", "now", "progress"),
    [
        (Phase.WAITING, 0, 230.0, 0.0),
        (Phase.SHADOWING, 0, 230.0, 0.1),
        (Phase.RAMPING, 0, 200.0, 0.2),
        (Phase.RAMPING, 1, 260.0, 0.6),
        (Phase.RAMPING, 3, 10_000.0, 1.0),
        (Phase.WATCHING, 0, 230.0, 1.0),
    ],
)
def test_progress_is_the_stages_behind_it_and_the_time_in_this_one(
    phase: Phase, step: int, now: float, progress: float
) -> None:
    assert measure_progress(view(replace(RAMPING, phase=phase, step=step), now)) == pytest.approx(progress)


def test_what_is_in_force_and_not_on_record_says_so_and_what_to_do() -> None:
    seen = replace(view(replace(RAMPING, phase=Phase.ROLLED_BACK)), is_recorded=False)
    assert describe_outcome(seen).startswith(
        "Version 2 was rolled back; m serves version 1. This is in force, and"
    )
    assert describe_outcome(seen).endswith(NOT_RECORDED)
    shown = lines(build_rollout(seen, with_bar=False))
    assert fact(shown, "on record") == "not yet: the state directory cannot be written"
    assert lines(build_traffic(TrafficView(model="m", is_recorded=False)))[-1] == NOT_RECORDED


def test_a_plan_of_one_step_without_shadow_has_a_ramp_of_two() -> None:
    plan = Plan(shadow=None, steps=(Step(weight=25, dwell_s=0.0),))
    seen = view(replace(RAMPING, plan=plan, step=0, weight=25))
    assert fact(lines(build_rollout(seen, with_bar=False)), "ramp") == "[0.25 %] > 100 %"
    assert measure_progress(seen) == 1.0


def test_both_versions_answers_stand_side_by_side() -> None:
    candidate = ArmProfile(
        requests=9,
        latency_s=((0.5, 0.004), (0.99, 0.02)),
        codes={"OK": 8, "INTERNAL": 1},
        outputs=(
            OutputProfile(name="digit", count=9, classes=((4, 6), (9, 2)), other_classes=1),
            OutputProfile(name="score", count=9, mean=0.5, quantiles=((0.5, 0.25),), not_finite=2),
        ),
    )
    profile = TrialProfile(trial="m-2-1", candidate=candidate, truths=TruthCounts(kept=3, counted=1_500))
    shown = lines(build_rollout(replace(view(), profile=profile), with_bar=False))
    told = [" ".join(line.split()) for line in shown[-6:]]
    assert told == [
        "latency p50 4 ms -",
        "latency p99 20 ms -",
        "answers OK 8, INTERNAL 1 -",
        "output digit classes 4 67 %, 9 22 % -",
        "output score mean 0.5; median 0.25; 2 not finite -",
        "truths 1,500 told 3 predictions wait",
    ]


def test_predictions_that_can_have_no_truth_are_told_with_the_reason() -> None:
    profile = TrialProfile(trial="m-2-1", truths=TruthCounts(unfit=560))
    assert lines(build_rollout(replace(view(), profile=profile), with_bar=False))[-1] == (
        "Without effect: 560 answers lack the output that the plan's `quality` names, or it is too large."
    )


def test_a_bar_is_drawn_only_where_it_is_asked_for() -> None:
    assert not any("━" in line for line in lines(build_rollout(view(), with_bar=False)))
    assert any("━" in line for line in lines(build_rollout(view(), with_bar=True)))


@pytest.mark.parametrize(
    ("bad", "total", "shown"),
    [
        (0, 0, "0 of 0"),
        (0, 10, "0 of 10 (0.00 %)"),
        (3, 412, "3 of 412 (0.73 %)"),
        (412, 412, "412 of 412 (100.00 %)"),
        (12, 4031, "12 of 4,031 (0.30 %)"),
    ],
)
def test_a_rate_is_short(bad: int, total: int, shown: str) -> None:
    assert show_rate(bad, total) == shown


@pytest.mark.parametrize(
    ("ratio", "low", "high", "shown"),
    [
        (None, None, None, "-"),
        (2.3, 1.1, 4.6, "2.3 (1.1 to 4.6)"),
        (1234.5, 99.6, 5e6, "1,234 (100 to 5,000,000)"),
        (2.3, None, None, "2.3 (0 to any)"),
        (None, 1.1, None, "? (1.1 to any)"),
    ],
)
def test_a_ratio_stands_within_its_bounds(
    ratio: float | None, low: float | None, high: float | None, shown: str
) -> None:
    assert show_ratio(replace(ERRORS, ratio=ratio, ratio_low=low, ratio_high=high)) == shown


DECISION = DecisionView(
    at=NOON,
    kind="rollout_ramping",
    by="rollout",
    reason="19 requests\nshow no harm",
    after=PositionView(Phase.RAMPING, 2, 500),
    judgement=JUDGEMENT,
)


def test_a_decision_is_one_line() -> None:
    when = f"{NOON.astimezone():%H:%M:%S}"
    assert describe_decision(DECISION) == f"{when}  ramping step 2, 5 %: 19 requests show no harm"
    paused = replace(DECISION, by="ann@desk", after=PositionView(Phase.RAMPING, 2, 500, Pause.OPERATOR))
    assert describe_decision(paused).endswith(
        "ramping step 2, 5 %, held: 19 requests show no harm (ann@desk)"
    )


def test_a_story_is_its_decisions_and_has_the_numbers_when_asked() -> None:
    story = StoryView(rollout=view(), decisions=(DECISION,))
    brief, whole = (lines(build_story(story, with_numbers=each)) for each in (False, True))
    assert [line.split()[0] for line in brief] == ["WHEN", f"{NOON.astimezone():%Y-%m-%d}"]
    assert not any("1.4 (" in line for line in brief)
    assert any("1.4 (0.3 to 4.1)" in line for line in whole)


def test_traffic_is_shares_and_what_a_person_should_know() -> None:
    traffic = TrafficView(
        model="m",
        managed=True,
        stable=1,
        rollout="m-2-1",
        shares=(
            ShareView(version=1, weight=9_500, arm="baseline"),
            ShareView(version=2, weight=500, arm="candidate"),
        ),
        key_header="x-routing-key",
        salt="m/2",
        overlays=(OverlayView(version=2, kind="pinned", reason="pinned by rollout m-2-1"),),
    )
    shown = lines(build_traffic(traffic))
    assert [line.split() for line in shown[1:3]] == [
        ["1", "95", "%", "baseline"],
        ["2", "5", "%", "candidate"],
    ]
    assert shown[3:] == [
        "Rollout m-2-1 is under way; `understudy rollout status m` shows it.",
        "Requests with the header x-routing-key go by its value and the salt m/2, the others by chance.",
        "No new version serves unless a rollout promotes it.",
        "Version 2 is pinned by rollout m-2-1.",
    ]
    assert lines(build_traffic(TrafficView(model="m")))[1:] == [
        "Nobody answers for m; `understudy why m` says why."
    ]


def test_quarantine_says_since_when_by_whom_and_why() -> None:
    each = QuarantinedView(version=3, at=NOON, by="rollout", reason="errors:\nharm", rollout="m-3-2")
    assert lines(build_quarantine([("m", each)]))[1].split("  ")[0] == "m"
    assert lines(build_quarantine([("m", each)]))[1].endswith("m-3-2    errors: harm")


OUTPUT = OutputReport(
    signature="serving_default",
    output="scores",
    compared=18,
    disagreed=3,
    unlike=0,
    top_1_compared=18,
    top_1_disagreed=1,
    largest_absolute=0.5,
    largest_relative=None,
    absolute_counts=(15, 3),
    relative_counts=(15, 3),
    worst=tuple(
        DifferingRequest(
            request_id=f"order-{number}",
            key_hash=None,
            element=8,
            baseline="0.87",
            candidate="0.31",
            severity=500.0,
            inputs="x: float [1, 64] = 0, 5, …",
        )
        for number in range(5)
    ),
)
REPORT = ShadowReport(
    trial="m-2-1",
    counts=ShadowCounts(mirrored=330, shed=310, incomparable=2, compared=18, disagreed=3),
    shed={"queue_full": 10, "machine_busy": 300},
    incomparable={"a_new_reason": 2},
    overdue=1,
    overdue_ever=1,
    run_quantiles_s=((0.5, 0.004), (0.99, 0.03)),
    bounds=(),
    outputs=(OUTPUT, replace(OUTPUT, output="text", unlike=3, top_1_compared=0, worst=())),
    failures=(
        FailedRequest(request_id="order-9", key_hash=None, code=Code.INTERNAL, message="no\nroom", inputs=""),
    ),
)


def test_what_came_of_shadow_traffic_is_told_with_the_worst_requests_and_why_others_were_shed() -> None:
    shown = lines(build_rollout(replace(view(), shadow=REPORT), with_bar=False))
    told = [" ".join(line.split()) for line in shown[shown.index("") :]]
    assert told[-11:] == [
        "SHADOW DISAGREED TOP 1 ELSEWHERE LARGEST DIFFERENCE",
        "scores 3 of 18 (16.67 %) 1 of 18 (5.56 %) 0.5 (infinite of the baseline's)",
        "text 3 of 18 (16.67 %) - another type or shape",
        *(
            f"Request order-{number}: scores is 0.31 instead of 0.87 at 8 (asked: x: float [1, 64] = 0, 5, …)"
            for number in range(3)
        ),
        "Request order-9 failed on the candidate alone: INTERNAL: no room",
        "310 of 330 mirrored requests were shed: 300 machine_busy (every core is busy: wait for a quieter hour); "
        "10 queue_full (64 wait already: mirror a smaller share).",
        "2 of 330 mirrored requests were not comparable: 2 a_new_reason.",
        "Runs of the candidate that hang, for more than 10 s so far: 1.",
        "The candidate's shadow runs, which yield to all other work, took p50 4 ms, p99 30 ms.",
    ]


WIDTH = 80


def test_a_narrow_screen_gets_lines_that_it_can_fold_instead_of_tables() -> None:
    story = StoryView(
        rollout=view(), decisions=(DECISION, replace(DECISION, kind="version_quarantined", after=None))
    )
    told = lines(build_story(story, with_numbers=False), WIDTH)
    assert told[0].endswith(" rollout_ramping: ramping step 2, 5 % (by rollout)")
    assert told[1] == "  19 requests show no harm"
    assert told[2].endswith(" version_quarantined (by rollout)")
    listed = lines(build_heads([view()]), WIDTH)
    assert listed[0] == "m-2-1 of m, version 2 in place of 1: ramping, step 2 of 4, 5 %"
    assert listed[2] == "  step 1 is passed: no metric suspects harm"
    shown = lines(build_rollout(view(), with_bar=False), WIDTH)
    assert "errors (requests): not decided; about 900 more would decide" in shown
    numbers = "  candidate 3 of 412 (0.73 %), baseline 40 of 7,800 (0.51 %), ratio 1.4 (0.3 to"
    assert numbers in shown, "the bounds are on the next line"


def test_a_decision_about_no_position_says_what_it_was() -> None:
    assert "version quarantined: 19 requests" in describe_decision(
        replace(DECISION, kind="version_quarantined", after=None)
    )
