"""A candidate that takes the whole process with it, again and again, is out before it is loaded once more."""

import shutil
from pathlib import Path

import pytest
import requests

from tests.live.asking import answer_of, predict
from tests.live.exports import Exports
from tests.live.operating import Operator
from tests.live.process import LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

PLAN = "{shadow: none, steps: [{weight: 50 %, dwell: 1 h}]}"
CRASHES_MAX = 2
"""By default."""
REQUESTS_MAX = 1_000
SIGABRT = 6


def ask_until_it_dies(server: LiveServer) -> None:
    """Requests that the baseline answers and the candidate does not survive."""
    for _ in range(REQUESTS_MAX):
        try:
            assert predict(server, "m", 13.0).json()["predictions"] == [14.0]
        except requests.ConnectionError:
            assert server.wait_exit() == -SIGABRT
            return
    raise AssertionError(server.tail())


def test_a_candidate_that_keeps_crashing_the_server_is_rolled_back_before_it_is_loaded_again(
    tmp_path: Path, saved_models: Path
) -> None:
    exports = Exports(tmp_path / "m")
    shutil.copytree(saved_models / "offset_1", exports.base_path / "1")
    arguments = (
        f"--model=m={exports.base_path}",
        f"--state-dir={tmp_path / 'state'}",
        "--poll-interval=0.1",
    )
    with LiveServer(*arguments) as server:
        operator = Operator(server)
        assert operator.start(2, PLAN).ok
        exports.copy(saved_models / "aborts", 2)
        operator.wait_phase("ramping")
        ask_until_it_dies(server)
    for crash in range(1, CRASHES_MAX + 1):
        with LiveServer(*arguments) as server:
            operator = Operator(server)
            operator.wait_loaded(1, 2)
            rollout = operator.rollout()
            assert (rollout["phase"], rollout["weight"], rollout["crashes"]) == ("ramping", 5_000, crash)
            ask_until_it_dies(server)
    with LiveServer(*arguments) as server:
        operator = Operator(server)
        assert "ended suddenly 3 times" in operator.rollout()["reason"]
        assert operator.quarantined() == {2}
        assert answer_of(server, "m", 13.0) == 14.0
        assert operator.loaded() == {1}
        assert not server.logged("state_changed", model="m", version=2), "it is not loaded once more"
