"""A rollout in the middle of its life, for tests of what shows it."""

from dataclasses import replace

from understudy.analysis.verdict import Finding, Judgement, MetricVerdict
from understudy.evidence import ArmCounts, Bad, EpochCounts, Evidence, ShadowCounts
from understudy.rollout.plan import Plan
from understudy.rollout.state import Phase, Rollout
from understudy.routing.traffic import BucketRange

ERRORS = MetricVerdict(
    metric="errors",
    unit="requests",
    finding=Finding.UNDECIDED,
    is_muted=False,
    baseline_bad=40,
    baseline_total=7_800,
    candidate_bad=3,
    candidate_total=412,
    ratio=1.42,
    ratio_low=0.3,
    ratio_high=4.1,
    log_abort_e=0.5,
    log_pass_e=-0.25,
    needed=900,
    sentence="errors: candidate 3 of 412 (0.73 %), baseline 40 of 7,800 (0.51 %)",
)
SLOW = replace(
    ERRORS,
    metric="slow:p99",
    finding=Finding.NO_HARM,
    ratio=None,
    ratio_low=None,
    ratio_high=None,
    needed=None,
    sentence="",
)
JUDGEMENT = Judgement(
    finding=Finding.UNDECIDED, metrics=(ERRORS, SLOW), sentence="Too little evidence either way."
)
EVIDENCE = Evidence(
    trial="m-2-1",
    epochs=(
        EpochCounts(
            epoch=1,
            weight=100,
            is_sticky=False,
            baseline=ArmCounts(requests=4_000, bad={"errors": Bad(10)}),
            candidate=ArmCounts(requests=40),
        ),
        EpochCounts(
            epoch=2,
            weight=500,
            is_sticky=False,
            baseline=ArmCounts(requests=3_800, bad={"errors": Bad(30)}),
            candidate=ArmCounts(requests=19, bad={"errors": Bad(3)}, fallbacks=2, callers_mistakes=1),
        ),
    ),
    shadow=ShadowCounts(mirrored=1_010, shed=4, incomparable=6, compared=1_000, disagreed=3),
)
RAMPING = Rollout(
    id="m-2-1",
    model="m",
    baseline=1,
    candidate=2,
    plan=Plan(),
    salt="m-2-1",
    asked_by="ann@desk",
    phase=Phase.RAMPING,
    step=1,
    weight=500,
    ranges=(BucketRange(2, 0, 500),),
    epoch=2,
    started_at=100.0,
    traffic_at=110.0,
    entered_at=200.0,
    reason="step 1 is passed: no metric suspects harm",
    thresholds_s=(("slow:p99", 0.05),),
    evidence=EVIDENCE,
    judgement=JUDGEMENT,
)
"""At step 2 of 4, with 5 % of the requests, since the time 200."""
