"""Orders at awkward moments of a rollout, under load from both doors: no request fails by them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.exports import Exports, config_text, model_text, release
from tests.live.load import load_by_grpc, load_by_rest, wait_asked
from tests.live.operating import Operator
from tests.live.process import LiveServer
from tests.live.splits import answers_by_rest, bucket

pytestmark = pytest.mark.slow

SHADOW_FOREVER = "{shadow: {share: 10 %, dwell: 1 h}, steps: [50 %]}"
HALF = "{shadow: none, steps: [{weight: 50 %, dwell: 1 h}]}"
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
        operator.start(3, SHADOW_FOREVER)
        operator.wait_phase("shadowing")
        assert operator.turn("pause").ok
        assert operator.turn("promote").ok, "an operator's word needs no evidence, and ends a pause"
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {3}
        assert operator.turn("abort").ok, "during the watch it takes the promotion back"
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {1}


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
