"""Requests that a candidate runs, too: both doors answer as before, and what differs is counted and kept."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import requests
from xxhash import xxh3_64_intdigest

from tests.live.asking import TIMEOUT_S, predict_message
from tests.live.exports import Exports
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import BatchingOptions, DataPlaneOptions, LoadRequest
from understudy.errors import Code
from understudy.routing import ModelRoute, ReadyVersion, RouteUpdate
from understudy.routing.traffic import BUCKETS, ShadowRoute, Traffic
from understudy.server.evidence import read_evidence, read_shown
from understudy.shadow_report import ShadowReport

REQUESTS = 20
HALF_PLUS_TWO = {"a": 0.5, "b": 2.0, "version": None}
WORSE = {"a": 1.5, "fail_on": 13.0}
PREDICT = "/tensorflow.serving.PredictionService/Predict"
KEY, KEY_VALUE = "x-routing-key", "ann"

SHADOW = Traffic(
    trial="m-2-1", epoch=0, candidate=2, salt="salt", shadow=ShadowRoute(version=2, share=BUCKETS)
)
"""All requests of the default version are mirrored, and none is the candidate's."""


class Doors:
    """Version 1 of a model behind both doors, and version 2 in its shadow: another slope, and it fails at 13."""

    def __init__(self, folder: Path, batching: BatchingOptions | None) -> None:
        # What else this machine has to do must not decide what is compared.
        options = DataPlaneOptions(
            grpc_address="127.0.0.1:0", rest_address="127.0.0.1:0", shadow_lateness_max_s=math.inf
        )
        self.plane = NativeDataPlane(options)
        exports = Exports(folder)
        paths = [exports.synthetic(1, **HALF_PLUS_TWO), exports.synthetic(2, **HALF_PLUS_TWO | WORSE)]
        for version, path in enumerate(paths, start=1):
            load = LoadRequest(
                name="m", version=version, path=str(path), platform="synthetic", batching=batching
            )
            self.plane.load(load)
        ready = tuple(ReadyVersion(version) for version in (1, 2))
        route = ModelRoute(name="m", ready=ready, default_version=1, labels=(), statuses=(), traffic=SHADOW)
        self.plane.publish(RouteUpdate(generation=1, changed=(route,), removed=()))
        self.addresses = self.plane.serve()

    def by_rest(self, x: float) -> float:
        url = f"http://{self.addresses.rest}/v1/models/m:predict"
        answer = requests.post(
            url,
            json={"instances": [x]},
            headers={KEY: KEY_VALUE, "x-request-id": f"rest-{x}"},
            timeout=TIMEOUT_S,
        )
        assert answer.status_code == requests.codes.ok, answer.text
        assert answer.headers["x-understudy-version"] == "1"
        assert answer.headers["x-understudy-arm"] == "baseline; reason=sticky"
        return float(answer.json()["predictions"][0])

    def by_grpc(self, x: float) -> bytes:
        with grpc.insecure_channel(str(self.addresses.grpc)) as channel:
            call = channel.unary_unary(PREDICT, bytes, bytes)
            metadata = ((KEY, KEY_VALUE), ("x-request-id", f"grpc-{x}"))
            answer, state = call.with_call(predict_message("m", x), timeout=TIMEOUT_S, metadata=metadata)
            said = {name: text for name, text in state.initial_metadata() if name.startswith("x-")}
            assert said == {"x-request-id": f"grpc-{x}"}, "the id of one that was drawn, and nothing unasked"
            assert isinstance(answer, bytes)
            return answer

    def report(self) -> ShadowReport | None:
        """None before a request was mirrored."""
        shown = read_shown(self.plane, "m")
        assert shown is not None
        return shown.shadow

    def wait(self, is_so: Callable[[ShadowReport], bool]) -> ShadowReport:
        """Looks until it is so; how long that takes does not matter."""
        give_up_at = time.monotonic() + TIMEOUT_S
        while (report := self.report()) is None or not is_so(report):
            assert time.monotonic() < give_up_at, report
            time.sleep(0.01)
        return report


BATCHES = BatchingOptions(
    adaptive=True, max_batch_size=8, batch_timeout_micros=0, max_enqueued_batches=8, allowed_batch_sizes=()
)


@pytest.fixture(params=[None, BATCHES], ids=["one by one", "batched"])
def doors(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Doors]:
    doors = Doors(tmp_path, request.param)
    yield doors
    doors.plane.stop(drain_timeout_s=10)


@pytest.mark.slow
def test_both_doors_answer_as_before_and_what_differs_is_counted_and_kept(doors: Doors) -> None:
    for x in range(REQUESTS):
        assert doors.by_rest(x) == 0.5 * x + 2
        assert doors.by_grpc(x)
    report = doors.wait(lambda seen: seen.counts.compared == 2 * REQUESTS)
    counts = report.counts
    (trial,) = read_evidence(doors.plane).trials.values()
    assert trial.evidence.shadow == counts, "what decisions are made on"
    assert (counts.mirrored, counts.shed, counts.incomparable) == (2 * REQUESTS, 0, 0)
    assert counts.only_candidate == {"errors": 2, "invalid_outputs": 0}
    assert counts.only_baseline == {"errors": 0, "invalid_outputs": 0}
    assert counts.disagreed == 2 * REQUESTS - 2 - 2, "all but those that failed and those of 0"
    (output,) = report.outputs
    assert (output.signature, output.output, output.disagreed) == ("serving_default", "y", counts.disagreed)
    worst = output.worst[0]
    assert worst.request_id in {f"rest-{REQUESTS - 1}", f"grpc-{REQUESTS - 1}"}
    assert (worst.baseline, worst.candidate) == ("11.5", "30.5")
    assert worst.key_hash == f"{xxh3_64_intdigest(b'salt' + bytes(1) + KEY_VALUE.encode()):016x}"
    assert {failure.request_id for failure in report.failures} == {"rest-13", "grpc-13"}
    assert {failure.code for failure in report.failures} == {Code.INVALID_ARGUMENT}


def test_a_model_without_a_trial_has_no_shadow(doors: Doors) -> None:
    assert read_shown(doors.plane, "n") is None
