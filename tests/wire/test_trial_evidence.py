"""What requests through both doors leave as evidence of a trial, and how their predictions meet the truth."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import requests

from tests.live.asking import predict_message
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import DataPlaneOptions, LoadRequest
from understudy.dataplane.trials import SLACK_S, build_evidence, build_profile, build_thresholds
from understudy.errors import Code, ConfigError, DataPlaneError
from understudy.evidence import ERRORS, INVALID_OUTPUTS, WRONG, ArmCounts, Bad, EpochCounts
from understudy.quality.desk import FeedbackDesk, FeedbackItem
from understudy.rollout.plan import Quality, QualitySettings
from understudy.rollout_file import parse_plan
from understudy.routing import ModelRoute, ReadyVersion, RouteUpdate, VersionStatus
from understudy.routing.traffic import BUCKETS, BucketRange, Remembering, Traffic
from understudy.server.evidence import read_evidence, read_shown

PREDICT = "/tensorflow.serving.PredictionService/Predict"
TIMEOUT_S = 60
ERROR_NOBODY = Bad(events=1, keyless=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered, by either door."""

    is_ok: bool
    request_id: str


@dataclass(frozen=True, slots=True)
class Doors:
    """A data plane that serves version 1 of `m`, and compares version 2 with it."""

    plane: NativeDataPlane
    grpc: str
    rest: str

    def ask_rest(self, x: float, **headers: str) -> Answer:
        answer = requests.post(
            f"http://{self.rest}/v1/models/m:predict",
            json={"signature_name": headers.pop("signature", ""), "instances": [{"x": x}]},
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            timeout=TIMEOUT_S,
        )
        return Answer(answer.ok, answer.headers.get("x-request-id", ""))

    def ask_grpc(self, x: float, **metadata: str) -> Answer:
        pairs = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        with grpc.insecure_channel(self.grpc) as channel:
            call = channel.unary_unary(PREDICT, bytes, bytes).future(
                predict_message("m", x), metadata=pairs, timeout=TIMEOUT_S
            )
            is_ok = call.exception() is None
            said = dict(call.initial_metadata()) | dict(call.trailing_metadata())
        return Answer(is_ok, str(said.get("x-request-id", "")))

    def epoch(self) -> EpochCounts:
        """The only one."""
        (trial,) = self.plane.trial_statistics()
        (epoch,) = build_evidence(trial).epochs
        return epoch


@contextmanager
def doors(folder: Path, *, weight: int, **candidate: object) -> Iterator[Doors]:
    plane = NativeDataPlane(DataPlaneOptions(grpc_address="127.0.0.1:0", rest_address="127.0.0.1:0"))
    for version, members in ((1, {}), (2, candidate)):
        path = folder / str(version)
        path.mkdir()
        (path / "synthetic.json").write_text(json.dumps(members))
        plane.load(LoadRequest(name="m", version=version, path=str(path), platform="synthetic"))
    traffic = Traffic(
        trial="m-2-1",
        epoch=0,
        candidate=2,
        salt="salt",
        ranges=(BucketRange(2, 0, weight),) if weight else (),
        slow_after_s=(("slow:p99", 0.0), ("slow:objective", 1e6)),
        remembering=Remembering(),
    )
    statuses = tuple(VersionStatus(version, 30, 0, "") for version in (2, 1))
    route = ModelRoute("m", (ReadyVersion(1), ReadyVersion(2)), 1, (), statuses, traffic=traffic)
    plane.publish(RouteUpdate(1, (route,), ()))
    addresses = plane.serve()
    try:
        yield Doors(plane, addresses.grpc or "", addresses.rest or "")
    finally:
        plane.stop(drain_timeout_s=TIMEOUT_S)


@pytest.fixture
def candidate_only(tmp_path: Path) -> Iterator[Doors]:
    """All requests are the candidate's, which fails on 13 and answers what is infinite to 3e38."""
    with doors(tmp_path, weight=BUCKETS, a=10.0, fail_on=13.0) as serving:
        yield serving


def test_what_a_run_refuses_is_the_versions_doing_and_what_cannot_be_run_the_callers(
    candidate_only: Doors,
) -> None:
    assert candidate_only.ask_rest(1.0).is_ok
    assert candidate_only.ask_grpc(1.0).is_ok
    assert not candidate_only.ask_rest(13.0).is_ok
    assert not candidate_only.ask_grpc(13.0).is_ok
    assert not candidate_only.ask_rest(1.0, signature="lost").is_ok
    epoch = candidate_only.epoch()
    counts = epoch.candidate
    assert (counts.requests, counts.callers_mistakes, counts.assigned) == (4, 1, 5)
    assert counts.bad[ERRORS] == Bad(events=2, keyless=2)
    assert counts.bad["slow:p99"].events == counts.requests
    assert counts.bad["slow:objective"].events == 0
    assert (epoch.baseline, epoch.is_sticky, epoch.weight) == (
        ArmCounts(bad=epoch.baseline.bad),
        False,
        BUCKETS,
    )


def test_a_key_counts_once_for_each_kind_of_bad_event(candidate_only: Doors) -> None:
    for ask in (candidate_only.ask_rest, candidate_only.ask_grpc):
        ask(13.0, x_routing_key="alice")
        ask(13.0, x_routing_key="alice")
        ask(1.0, x_routing_key="bob")
    counts = candidate_only.epoch().candidate
    assert counts.bad[ERRORS] == Bad(events=4, keys=1)
    assert (counts.requests, counts.keys, counts.keyless, counts.assigned_keys) == (6, 2, 0, 2)
    assert candidate_only.epoch().is_sticky


def test_outputs_that_are_no_numbers_are_counted_and_shown(candidate_only: Doors) -> None:
    candidate_only.ask_grpc(3e38)
    candidate_only.ask_grpc(2.0)
    assert candidate_only.epoch().candidate.bad[INVALID_OUTPUTS] == ERROR_NOBODY
    shown = read_shown(candidate_only.plane, "m")
    assert shown is not None
    assert shown.shadow is None, "nothing was mirrored"
    profile = shown.profile
    (output,) = profile.candidate.outputs
    assert (output.name, output.count, output.not_finite, output.mean) == ("y", 1, 1, 22.0)
    assert profile.candidate.codes == {"OK": 2}
    assert profile.baseline.outputs == ()


def test_the_baseline_says_what_is_slow_once_it_has_answered_enough(tmp_path: Path) -> None:
    with doors(tmp_path, weight=0) as serving:
        for _ in range(55):
            serving.ask_rest(1.0)
        (trial,) = serving.plane.trial_statistics()
    known = dict(build_thresholds(trial))
    assert list(known) == ["slow:p50", "slow:p90"], "of 55 answers, no more than these have five beyond them"
    assert SLACK_S < known["slow:p50"] <= known["slow:p90"], "what the machine's scheduling takes is not slow"
    assert read_evidence(serving.plane).trials["m"].evidence == build_evidence(trial)


def test_every_quantile_that_a_plan_may_name_is_told_by_the_data_plane(candidate_only: Doors) -> None:
    candidate_only.ask_rest(1.0)
    (trial,) = candidate_only.plane.trial_statistics()
    told = [quantile * 100 for quantile, _ in trial.candidate.latency_quantiles_s]
    metrics = ", ".join(f"slow:p{quantile:g}: {{muted: true}}" for quantile in told)
    plan = parse_plan(f"analysis: {{metrics: {{{metrics}}}}}")
    assert told == [50, 90, 95, 99, 99.9]
    assert sum(metric.is_muted for metric in plan.analysis.metrics) == len(told)


def test_a_truth_meets_its_prediction_by_the_id_that_either_door_gave(candidate_only: Doors) -> None:
    settings = QualitySettings(metric=Quality.SQUARED_ERROR, wrong_above=1.0)
    desk = FeedbackDesk(candidate_only.plane, lambda model: settings if model == "m" else None)
    near, far = candidate_only.ask_rest(1.0), candidate_only.ask_grpc(1.0)  # both answer 12
    own = candidate_only.ask_grpc(1.0, x_request_id="my-own")
    assert own.request_id == "my-own"
    view = desk.take(
        "m",
        [
            FeedbackItem(near.request_id, 12.5),
            FeedbackItem(far.request_id, 14.0),
            FeedbackItem(own.request_id, "twelve"),
            FeedbackItem("nobody's", 12.0),
        ],
    )
    assert (view.counted, view.unknown, view.refused, view.again) == (2, 1, 1, 0)
    assert view.reasons[0].request_id == "my-own"
    assert "'twelve' is no number" in view.reasons[0].reason
    again = desk.take("m", [FeedbackItem(near.request_id, 12.0), FeedbackItem(own.request_id, 12.0)])
    assert (again.again, again.counted) == (1, 1), "what was refused can be told again, put right"
    counts = candidate_only.epoch().candidate
    assert (counts.truths, counts.bad[WRONG]) == (Bad(events=3, keyless=3), ERROR_NOBODY)
    scores = counts.scores["squared_error"]
    assert scores.count == 3
    assert scores.total == pytest.approx(0.25 + 4.0)
    told = build_profile(candidate_only.plane.trial_statistics()[0]).truths
    assert (told.counted, told.again, told.unknown, told.kept) == (3, 1, 1, 0)


def test_truths_that_nobody_asked_for_are_refused_with_what_to_do(candidate_only: Doors) -> None:
    desk = FeedbackDesk(candidate_only.plane, lambda _model: None)
    with pytest.raises(ConfigError, match="start one whose plan has a `quality`"):
        desk.take("m", [FeedbackItem("a", 1)])
    asked = FeedbackDesk(candidate_only.plane, lambda _model: QualitySettings())
    with pytest.raises(DataPlaneError, match="no trial of n is under way") as refused:
        asked.take("n", [FeedbackItem("a", 1)])
    assert refused.value.code is Code.NOT_FOUND
    with pytest.raises(ConfigError, match="10001 truths at once are too many"):
        asked.take("m", [FeedbackItem("a", 1)] * 10_001)


def test_truths_that_no_prediction_could_have_are_refused_and_shown_up_to_a_bound(
    candidate_only: Doors,
) -> None:
    request_id = candidate_only.ask_rest(1.0).request_id
    desk = FeedbackDesk(candidate_only.plane, lambda _model: QualitySettings())
    truths = (math.nan, -math.inf, 10**400, -(10**30), "x" * 257, (1,) * 1_025)
    view = desk.take("m", [FeedbackItem(request_id, truth) for truth in truths * 50])
    assert (view.counted, view.refused, len(view.reasons)) == (0, 300, 100)
    assert view.reasons[3].reason.endswith("is no number that a prediction could have")
