"""Orders that cannot be, and many at once: a rollout beside weights by hand, a second one, twenty models."""

from pathlib import Path

import pytest
import requests

from tests.live.asking import predict
from tests.live.exports import Exports, config_text, model_text
from tests.live.operating import Operator
from tests.live.process import LiveServer
from tests.live.splits import answers_by_rest, bucket

pytestmark = pytest.mark.slow

KEYS = [f"user-{number}" for number in range(40)]
PLAN = "{shadow: none, steps: [{weight: 30 %, needs_approval: true}]}"
MODELS = [f"m{number}" for number in range(20)]
AT_20_PERCENT = "{shadow: none, steps: [{weight: 20 %, dwell: 0 s}]}"


def serve(folder: Path, *models: str) -> LiveServer:
    file = folder / "models.config"
    file.write_text(config_text(*models))
    return LiveServer(
        f"--model-config-file={file}",
        f"--state-dir={folder / 'state'}",
        "--poll-interval=0.1",
        "--load-retries=0",
    )


def said(answer: requests.Response) -> tuple[int, str]:
    """What an order was answered."""
    return answer.status_code, answer.text


def test_a_model_has_one_rollout_or_weights_and_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    with serve(tmp_path, model_text("m", exports.base_path)) as server:
        operator = Operator(server)
        assert operator.start(2, PLAN).ok
        exports.synthetic(2)
        operator.wait_phase("ramping")
        expected = {key: 2 if bucket("m", 2, key) < 3_000 else 1 for key in KEYS}
        refusals = (
            (operator.start(3), "m has a rollout, m-2-1; it is ramping. A model has one at a time"),
            (operator.start(2), "let it end, or abort it"),
            (
                operator.set_weights(v1=50, v2=50),
                "Rollout m-2-1 splits the traffic of m; it is ramping. Abort",
            ),
            (operator.clear_weights(), "Abort it first, or let it end"),
            (operator.quarantine(1), "Version 1 of m is the baseline of rollout m-2-1"),
            (operator.turn("undo"), "has promoted nothing yet"),
            (operator.turn("resume"), "is not paused"),
            (operator.turn("approve"), "waits for no approval"),
        )
        for answer, words in refusals:
            assert answer.status_code == 409, said(answer)
            assert words in answer.text
        assert {key: answers_by_rest(server, "m", key) for key in KEYS} == expected
        assert operator.turn("promote").ok
        assert operator.turn("promote").ok, "the watch is over, too"
        assert operator.set_weights(v1=50, v2=50).status_code == 409, "version 1 is not loaded any more"


def test_weights_keep_rollouts_out_outlive_the_server_and_do_without_a_version_that_goes(
    tmp_path: Path,
) -> None:
    exports = Exports(tmp_path / "m")
    for version in (1, 2, 3):
        exports.synthetic(version)
    everything = model_text("m", exports.base_path, policy="all {}")
    with serve(tmp_path, everything) as server:
        operator = Operator(server)
        assert operator.set_weights(v1=60, v2=30, v3=10).ok
        refused = operator.start(4)
        assert refused.status_code == 409
        assert "`understudy traffic clear m`" in refused.text
        before = {key: answers_by_rest(server, "m", key) for key in KEYS}
        assert set(before.values()) == {1, 2, 3}
        server.kill()
    with serve(tmp_path, everything) as server:
        operator = Operator(server)
        operator.wait_loaded(1, 2, 3)
        assert {key: answers_by_rest(server, "m", key) for key in KEYS} == before
        exports.remove(2)
        operator.wait_loaded(1, 3)
        after = {key: answers_by_rest(server, "m", key) for key in KEYS}
        assert after == {key: 3 if version == 2 else version for key, version in before.items()}, (
            "the version that answered when the weights were set answers for one that is gone"
        )
        exports.synthetic(2)
        operator.wait_loaded(1, 2, 3)
        assert {key: answers_by_rest(server, "m", key) for key in KEYS} == before
        assert operator.clear_weights().ok
        assert {answers_by_rest(server, "m", key) for key in KEYS} == {3}


def test_twenty_models_are_rolled_out_at_once_each_for_itself(tmp_path: Path) -> None:
    exports = {name: Exports(tmp_path / name) for name in MODELS}
    for each in exports.values():
        each.synthetic(1)
    texts = [model_text(name, each.base_path) for name, each in exports.items()]
    with serve(tmp_path, *texts) as server:
        operators = {name: Operator(server, name) for name in MODELS}
        for operator in operators.values():
            assert operator.start(2, AT_20_PERCENT).ok
        for name, each in exports.items():
            if name != MODELS[0]:
                each.synthetic(2)
        exports[MODELS[0]].synthetic(2, fail_load="broken on purpose")
        for name, operator in operators.items():
            phase = operator.wait_phase("ramping", "rolled_back")["phase"]
            assert phase == ("rolled_back" if name == MODELS[0] else "ramping")
        for name in MODELS[1:]:
            answers = {key: answers_by_rest(server, name, key) for key in KEYS[:5]}
            assert answers == {key: 2 if bucket(name, 2, key) < 2_000 else 1 for key in answers}
        server.kill()
    with serve(tmp_path, *texts) as server:
        operators = {name: Operator(server, name) for name in MODELS}
        assert predict(server, MODELS[0]).json()["predictions"][0]["version"] == 1
        for name in MODELS[1:]:
            operators[name].wait_loaded(1, 2)
            assert operators[name].turn("promote").ok
            assert {answers_by_rest(server, name, key) for key in KEYS[:5]} == {2}
