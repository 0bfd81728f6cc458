"""Candidates are looked at: with a real data plane, and with one whose models hang."""

import json
import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.control.validating import VALIDATION_TIMEOUT_S, Validations
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import DataPlaneOptions, LoadRequest
from understudy.rollout.plan import Validation
from understudy.rollout.validation import (
    FINDINGS_MAX,
    Checked,
    GoldenReport,
    Validate,
    ValidationOutcome,
    judge_validation,
)
from understudy.routing.traffic import Tolerance
from understudy.servable import ServableId
from understudy.testing import ManualClock

TIMEOUT_S = 20
GOLDEN = Path("assets.extra", "understudy_golden.jsonl")
BASELINE, CANDIDATE = ServableId("m", 1), ServableId("m", 2)


class Bench:
    """A baseline and a candidate in a data plane without doors, and what is told of the candidate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.plane = NativeDataPlane(DataPlaneOptions(grpc_address=None, rest_address=None))
        self.told: queue.SimpleQueue[ValidationOutcome] = queue.SimpleQueue()
        self.validations = Validations(self.clock, self.plane, self.told.put)

    def load(self, servable: ServableId, golden: str = "", **members: object) -> Path:
        path = self.folder / str(servable.version)
        (path / GOLDEN).parent.mkdir(parents=True)
        (path / "synthetic.json").write_text(json.dumps(members))
        if golden:
            (path / GOLDEN).write_text(golden)
        self.plane.load(
            LoadRequest(name=servable.name, version=servable.version, path=str(path), platform="synthetic")
        )
        return path

    def start(self, settings: Validation) -> None:
        path = str(self.folder / str(CANDIDATE.version))
        self.validations.start(Validate(candidate=CANDIDATE, path=path, baseline=BASELINE, settings=settings))

    def validate(self, settings: Validation) -> ValidationOutcome:
        self.start(settings)
        return self.told.get(timeout=TIMEOUT_S)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.validations.stop()


def line(x: float, y: float) -> str:
    return json.dumps({"name": f"x = {x:g}", "inputs": x, "outputs": y}) + "\n"


def wait_held(bench: Bench) -> None:
    """Until the candidate's first example holds it."""
    deadline = time.monotonic() + TIMEOUT_S
    while not any(each.in_flight for each in bench.plane.statistics().servables):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_candidate_that_answers_as_it_should_passes_and_it_is_told_what_was_looked_at(bench: Bench) -> None:
    bench.load(BASELINE)
    bench.load(CANDIDATE, line(2, 3) + line(4, 4), examples=True)
    outcome = bench.validate(Validation(latency_budget_s=10.0))
    assert (outcome.candidate, outcome.passed, outcome.findings) == (CANDIDATE, True, ())
    assert outcome.notes[0] == "clients of version 1 miss nothing"
    assert outcome.notes[1].startswith("it reproduces its golden examples (2), the slowest in ")
    assert outcome.sentence.startswith(
        "validated: clients of version 1 miss nothing; it reproduces its golden examples (2)"
    )


def test_one_that_answers_otherwise_is_refused_with_the_examples_named(bench: Bench) -> None:
    bench.load(BASELINE)
    bench.load(CANDIDATE, line(2, 3) + line(4, 4.5), a=0.5)
    outcome = bench.validate(Validation())
    assert not outcome.passed
    assert outcome.findings == (
        "1 of 2 golden examples are not reproduced: line 2 of understudy_golden.jsonl (x = 4): "
        "output y: 4 instead of 4.5 at []",
    )
    assert outcome.sentence.startswith("failed validation: 1 of 2 golden examples")
    assert bench.validate(Validation(golden=False)).passed
    wide = Validation(tolerance=Tolerance(absolute=1.0))
    assert bench.validate(wide).passed


def test_one_whose_clients_would_miss_something_is_refused_unless_the_plan_accepts_it(bench: Bench) -> None:
    bench.load(BASELINE, version=1)
    bench.load(CANDIDATE)
    outcome = bench.validate(Validation())
    loss = "signature serving_default: output version is gone"
    assert outcome.findings == (f"clients of version 1 would miss: {loss}",)
    accepted = bench.validate(Validation(exceptions=("signature serving_default: output version",)))
    assert accepted.passed
    assert accepted.notes[0] == f"clients of version 1 miss nothing but what the plan accepts: {loss}"
    assert bench.validate(Validation(signatures=False)).passed


def test_one_that_is_slower_than_the_budget_is_refused_whether_or_not_its_answers_count(bench: Bench) -> None:
    bench.load(BASELINE)
    bench.load(CANDIDATE, line(2, 30), run_ms=20)
    outcome = bench.validate(Validation(golden=False, latency_budget_s=0.001))
    (finding,) = outcome.findings
    assert finding.startswith("line 1 of understudy_golden.jsonl (x = 2) took 2")
    assert finding.endswith("more than the latency budget of 1 ms")
    assert bench.validate(Validation(golden=False, latency_budget_s=TIMEOUT_S)).passed


def test_a_file_of_examples_that_cannot_be_read_is_no_pass(bench: Bench) -> None:
    bench.load(BASELINE)
    path = bench.load(CANDIDATE)
    (path / GOLDEN).with_suffix(".tfrecord").write_bytes(b"damaged")
    outcome = bench.validate(Validation())
    assert outcome.findings == (
        "it could not be validated: record 1 of understudy_golden.tfrecord: truncated record at 0",
    )


def test_nothing_is_told_of_a_version_that_is_gone_and_the_next_one_is_looked_at(bench: Bench) -> None:
    bench.load(BASELINE)
    bench.load(CANDIDATE)
    bench.plane.unload(BASELINE, drain_timeout_s=0.0)
    bench.start(Validation())
    assert bench.validate(Validation(signatures=False)).passed
    assert bench.told.empty()


def test_an_example_that_hangs_is_told_once_and_others_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.load(BASELINE)
    path = bench.load(CANDIDATE, line(7, 7), hang_on=7, hang_ms_max=600_000)
    bench.start(Validation())
    wait_held(bench)
    bench.clock.advance(VALIDATION_TIMEOUT_S)
    bench.validations.watch_deadlines()
    outcome = bench.told.get(timeout=TIMEOUT_S)
    assert outcome.findings == ("it was not validated within 600 s",)
    assert bench.validate(Validation(golden=False)).passed
    (path / "release").touch()
    bench.validations.stop()
    assert bench.plane.unload(CANDIDATE, drain_timeout_s=TIMEOUT_S).requests_left == 0
    assert bench.told.empty()


def test_what_one_finds_is_bounded() -> None:
    losses = tuple(f"signature {number} is gone" for number in range(FINDINGS_MAX + 5))
    findings, notes = judge_validation(Validation(), Checked(losses=losses), baseline=1)
    assert len(findings) == FINDINGS_MAX + 1
    assert findings[-1] == "and 5 more"
    assert notes == ()


def test_without_golden_examples_a_latency_budget_has_nothing_to_measure_and_that_is_said() -> None:
    settings = Validation(latency_budget_s=1.0)
    findings, notes = judge_validation(settings, Checked(golden=GoldenReport()), baseline=1)
    assert findings == ()
    assert notes == (
        "it ships no golden examples, so that there is nothing to measure the latency budget by",
    )
    settings = replace(settings, latency_budget_s=None)
    assert judge_validation(settings, Checked(golden=GoldenReport()), baseline=1)[1] == (
        "it ships no golden examples",
    )
