"""Orders at awkward moments of a rollout, under load from both doors: no request fails by them."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from tests.live.asking import predict
from tests.live.exports import Exports, config_text, model_text, release
from tests.live.load import load_by_grpc, load_by_rest, wait_asked
from tests.live.operating import Operator
from tests.live.process import LiveServer
from tests.live.splits import answers_by_rest, bucket

pytestmark = pytest.mark.slow

SHADOW_FOREVER = "{shadow: {share: 10 %, dwell: 1 h}, steps: [50 %]}"
HALF = "{shadow: none, steps: [{weight: 50 %, dwell: 1 h}]}"
TURNS = ("pause", "resume", "approve", "promote", "promote", "undo", "abort")
ENDS = {"promoted", "rolled_back", "ended"}
OPERATORS = 4
ORDERS = 25
PAUSE_S = 0.005
KEYS = [f"user-{number}" for number in range(20)]
X = 1.0
EXPECTED = {version: [X + version] for version in (1, 2, 3)}


def serve(folder: Path, exports: Exports) -> LiveServer:
    file = folder / "models.config"
    file.write_text(config_text(model_text("m", exports.base_path)))
    return LiveServer(f"--model-config-file={file}", f"--state-dir={folder}/state", "--poll-interval=0.1")


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    return exports


@contextmanager
def unhurt_load(folder: Path, server: LiveServer) -> Iterator[None]:
    """Requests through both doors, of which none fails, and none is answered by what it does not say."""
    grpc_load = load_by_grpc(folder, server, "m", X).expecting(EXPECTED)
    rest_load = load_by_rest(folder, server, "m", X)
    with grpc_load, rest_load:
        yield
    for load in (grpc_load, rest_load):
        assert load.report is not None
        assert (load.report.failures, load.report.mixed) == ({}, 0)
        assert load.report.ok > 0


def test_a_promotion_and_its_undoing_are_instant_and_fail_no_request(
    tmp_path: Path, exports: Exports
) -> None:
    with serve(tmp_path, exports) as server, unhurt_load(tmp_path, server):
        operator = Operator(server)
        operator.start(2, HALF)
        exports.synthetic(2)
        operator.wait_phase("ramping")
        wait_asked(server, "m", 2)
        assert operator.turn("promote").ok
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {2}, "from the answer to the order on"
        wait_asked(server, "m", 2)
        assert operator.turn("undo").ok
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {1}, "likewise"
        wait_asked(server, "m", 1)
        operator.wait_loaded(1)
        refused = operator.start(2)
        assert "is in quarantine: an operator took the promotion back" in refused.json()["error"]
        assert "`understudy quarantine release m 2`" in refused.json()["error"]
        assert operator.release(2).ok


def test_every_moment_before_the_ramp_takes_orders(tmp_path: Path, exports: Exports) -> None:
    with serve(tmp_path, exports) as server, unhurt_load(tmp_path, server):
        operator = Operator(server)
        operator.start(2, HALF)
        assert "Version 2 of m is not ready" in operator.turn("promote").json()["error"]
        assert operator.turn("pause").ok
        exports.synthetic(2)
        operator.wait_loaded(1, 2)
        assert operator.rollout()["phase"] == "waiting", "it is paused"
        assert operator.turn("resume").ok
        operator.wait_phase("ramping")
        assert operator.turn("abort").ok
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {1}

        path = exports.synthetic(3, hang_load=True)
        operator.start(3, SHADOW_FOREVER)
        server.wait_log("state_changed", model="m", version=3, state="loading")
        assert operator.turn("abort").ok, "while it loads"
        release(path)
        operator.wait_loaded(1)
        assert operator.quarantined() == {2, 3}
        assert operator.release(3).ok
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {1}, "no policy serves it to everybody"
        again = operator.start(3, SHADOW_FOREVER)
        assert again.ok, again.text
        operator.wait_phase("shadowing")
        assert operator.turn("pause").ok
        assert operator.turn("promote").ok, "an operator's word needs no evidence, and ends a pause"
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {3}
        assert operator.turn("abort").ok, "during the watch it takes the promotion back"
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {1}


def test_operators_who_contradict_each_other_break_nothing(tmp_path: Path, exports: Exports) -> None:
    exports.synthetic(2)
    file = tmp_path / "models.config"
    file.write_text(config_text(model_text("m", exports.base_path, policy="specific { versions: 1 }")))
    with (
        LiveServer(f"--model-config-file={file}", f"--state-dir={tmp_path}/state") as server,
        unhurt_load(tmp_path, server),
        ThreadPoolExecutor(OPERATORS) as pool,
    ):
        answers = list(pool.map(partial(give_orders, server), range(OPERATORS)))
        assert {each.status_code for one in answers for each in one} <= {200, 409}
        accepted = sum(each.status_code == requests.codes.ok for one in answers for each in one)
        assert accepted > OPERATORS, "not only refusals"
        if Operator(server).traffic()["rollout"] is not None:
            assert Operator(server).turn("abort").ok
        assert {answers_by_rest(server, "m", key) for key in KEYS} <= {1, 2}
        check_history(server)


def give_orders(server: LiveServer, number: int) -> list[requests.Response]:
    """Whatever comes to the mind of an operator with this number."""
    mind = random.Random(number)  # noqa: S311 - orders, not secrets
    operator = Operator(server)
    answers = []
    for _ in range(ORDERS):
        order = mind.choice(("start", "start", "release", *TURNS))
        if order == "start":
            answers.append(operator.start(mind.choice((1, 2)), HALF))
        elif order == "release":
            operator.release(mind.choice((1, 2)))  # there may be nothing to release
        else:
            answers.append(operator.turn(order))
    return answers


def check_history(server: LiveServer) -> None:
    """Every rollout ended, once, and every change follows from the one before."""
    heads = requests.get(f"http://{server.admin}/v1/models/m/rollouts?limit=1000", timeout=60).json()[
        "rollouts"
    ]
    for head in heads:
        story = requests.get(f"http://{server.admin}/v1/rollouts/{head['id']}", timeout=60).json()
        positions = [each for each in story["decisions"] if each["after"] is not None]
        assert [each["after"]["phase"] in ENDS for each in positions[:-1]] == [False] * (len(positions) - 1)
        assert positions[-1]["after"]["phase"] in ENDS
        for before, after in pairwise(positions):
            assert after["before"] == before["after"]


def test_harm_that_comes_after_the_promotion_goes_back_at_once(tmp_path: Path, exports: Exports) -> None:
    with serve(tmp_path, exports) as server:
        operator = Operator(server)
        operator.start(2, HALF)
        exports.synthetic(2, fail_on=13.0)
        operator.wait_phase("ramping")
        assert operator.turn("promote").ok
        while not server.logged("rollout_rolled_back", model="m", version=2):
            predict(server, "m", 13.0)
            server.next_log_within(PAUSE_S)
        assert "more than 20% is harm" in operator.rollout()["reason"]
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {1}
        assert operator.quarantined() == {2}


def test_a_pause_outlives_a_crash_and_keeps_the_share(tmp_path: Path, exports: Exports) -> None:
    expected = {key: 2 if bucket("m", 2, key) < 5_000 else 1 for key in KEYS}
    with serve(tmp_path, exports) as server:
        operator = Operator(server)
        operator.start(2, HALF)
        exports.synthetic(2)
        operator.wait_phase("ramping")
        assert operator.turn("pause").ok
        server.kill()
    with serve(tmp_path, exports) as server:
        operator = Operator(server)
        operator.wait_loaded(1, 2)
        rollout = operator.rollout()
        assert (rollout["pause"], rollout["weight"], rollout["crashes"]) == ("operator", 5_000, 1)
        assert {key: answers_by_rest(server, "m", key) for key in KEYS} == expected
