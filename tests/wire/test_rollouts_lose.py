"""What a rollout loses on a live server: its candidate's files, its baseline's, the store."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.asking import predict
from tests.live.exports import Exports, config_text, model_text
from tests.live.operating import Operator
from tests.live.process import LiveServer
from tests.live.splits import answers_by_rest, answers_label, bucket

pytestmark = pytest.mark.slow

REQUESTS_MAX = 10_000
PAUSE_S = 0.005
KEYS = [f"user-{number}" for number in range(40)]
AT_30_PERCENT = "{shadow: none, steps: [{weight: 30 %, needs_approval: true}]}"
TWO_STEPS = "{shadow: none, steps: [{weight: 30 %, dwell: 0 s, requests: 20}, {weight: 60 %, dwell: 1 h}]}"


def serve(folder: Path, exports: Exports) -> LiveServer:
    file = folder / "models.config"
    file.write_text(config_text(model_text("m", exports.base_path)))
    return LiveServer(f"--model-config-file={file}", f"--state-dir={folder / 'state'}", "--poll-interval=0.1")


def shares(candidate: int, weight: int) -> dict[str, int]:
    """Who answers whom when a candidate has this share beside version 1."""
    return {key: candidate if bucket("m", candidate, key) < weight else 1 for key in KEYS}


def answers(server: LiveServer) -> dict[str, int]:
    return {key: answers_by_rest(server, "m", key) for key in KEYS}


@contextmanager
def a_full_disk(server: LiveServer) -> Iterator[None]:
    """The server can make no file larger, as when its disk is full."""
    whole = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, whole[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, whole)


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    return exports


def test_a_candidate_whose_files_are_deleted_is_taken_back_and_may_come_again(
    tmp_path: Path, exports: Exports
) -> None:
    with serve(tmp_path, exports) as server:
        operator = Operator(server)
        operator.start(2, AT_30_PERCENT)
        exports.synthetic(2)
        operator.wait_phase("ramping")
        exports.remove(2)
        assert "the files of version 2 were deleted" in operator.wait_phase("rolled_back")["reason"]
        assert set(answers(server).values()) == {1}
        assert answers_label(server, "m", "canary") is None
        operator.wait_loaded(1)
        assert operator.quarantined() == set()
        assert operator.start(2, AT_30_PERCENT).ok
        exports.synthetic(2)
        operator.wait_phase("ramping")
        assert answers(server) == shares(2, 3_000)


def test_a_baseline_whose_files_are_deleted_serves_on_and_after_a_restart_nobody_takes_its_place(
    tmp_path: Path, exports: Exports
) -> None:
    with serve(tmp_path, exports) as server:
        operator = Operator(server)
        operator.start(2, AT_30_PERCENT)
        exports.synthetic(2)
        operator.wait_phase("ramping")
        exports.remove(1)
        assert answers(server) == shares(2, 3_000)
        server.kill()
    with serve(tmp_path, exports) as server:
        operator = Operator(server)
        operator.wait_loaded(2)
        server.wait_said("rollout_paused", model="m")
        assert predict(server, "m").status_code == 404, (
            "the candidate was not promoted, and is not the default"
        )
        exports.synthetic(1)
        operator.wait_loaded(1, 2)
        server.wait_said("rollout_resumed", model="m")
        assert answers(server) == shares(2, 3_000)


def test_while_the_store_fails_harm_is_taken_out_at_once_and_nothing_goes_forward(
    tmp_path: Path, exports: Exports
) -> None:
    with serve(tmp_path, exports) as server:
        operator = Operator(server)
        operator.start(2, TWO_STEPS)
        exports.synthetic(2, fail_on=13.0)
        operator.wait_phase("ramping")
        with a_full_disk(server):
            ask_until(server, "traffic_unrecorded", x=0.0)
            assert operator.rollout()["weight"] == 3_000, "no step up without its record"
            refused = operator.turn("promote")
            assert "could not be written, so nothing was changed" in refused.text
            assert answers(server) == shares(2, 3_000)
            ask_until(server, "rollout_rolled_back", x=13.0)
            assert set(answers(server).values()) == {1}
            assert operator.quarantined() == {2}
        server.wait_said("traffic_recorded", model="m")
        server.kill()
    with serve(tmp_path, exports) as server:
        assert Operator(server).quarantined() == {2}
        assert set(answers(server).values()) == {1}


def ask_until(server: LiveServer, event: str, x: float) -> None:
    """Asks until the log says so, leaving the server time to decide."""
    for _ in range(REQUESTS_MAX):
        predict(server, "m", x)
        while (line := server.next_log_within(PAUSE_S)) is not None:
            if line.says(event, model="m"):
                return
    raise AssertionError(server.tail())
