"""Rollouts through the real commands against real servers: begun, followed through a crash, promoted, undone."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests.live.command import PATIENCE_S, Command, plain
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import CONSOLE_SCRIPTS, LiveServer

pytestmark = pytest.mark.slow

PLAN = "shadow: none\nsteps: [{weight: 50 %, dwell: 0 s, requests: 0}]\n"
"""It ramps at once, and is promoted by evidence, of which there is none here, or by an operator."""

EVIDENT = (
    "shadow: none\nsteps: [{weight: 50 %, dwell: 0 s, requests: 5}]\n"
    "analysis: {metrics: {errors: {floor: 5 %}, invalid_outputs: {floor: 5 %}, slow:p99: {muted: true}}}\n"
)
"""A few hundred requests without an error decide; how fast they are on a busy machine does not."""
EVIDENCE_S = 60


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    made = Exports(tmp_path / "m")
    made.synthetic(1)
    return made


@pytest.fixture
def plan(tmp_path: Path) -> str:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return str(path)


def serve(folder: Path, exports: Exports, *arguments: str) -> LiveServer:
    file = folder / "models.config"
    file.write_text(config_text(model_text("m", exports.base_path)))
    return LiveServer(
        *("--model-config-file", str(file), "--poll-interval", "0.1"),
        *("--state-dir", str(folder / "state"), *arguments),
    )


def call(server: LiveServer, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CONSOLE_SCRIPTS / "understudy"), *words, "--admin-url", f"http://{server.admin}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def ask(server: LiveServer, key: str) -> tuple[str, str]:
    """Which version answers who has this key, and as which arm."""
    answer = requests.post(
        f"http://{server.rest}/v1/models/m:predict",
        json={"instances": [1.0]},
        headers={"x-routing-key": key},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["x-understudy-version"], answer.headers["x-understudy-arm"].partition(";")[0]


def test_a_rollout_is_followed_through_a_crash_to_its_promotion_and_undone(
    tmp_path: Path, exports: Exports, plan: str
) -> None:
    keys = [f"user-{number}" for number in range(20)]
    with serve(tmp_path, exports) as server:
        admin_port = server.admin.rpartition(":")[2]
        start = ("rollout", "start", "m", "--to", "2", "--plan", plan, "--by", "ann", "--wait", "300")
        with Command(server, *start) as following:
            following.wait(lambda text: "waiting, 0 %: version 2 is to take the place of version 1" in text)
            exports.synthetic(2)
            following.wait(lambda text: "ramping step 1, 50 %" in text)
            before = {key: ask(server, key) for key in keys}
            assert set(before.values()) == {("1", "baseline"), ("2", "candidate")}
            server.kill()
            following.wait(lambda text: "Waiting: No server answers" in text)
            with serve(tmp_path, exports, "--admin-port", admin_port) as again:
                following.wait(lambda text: "The server answers again." in text)
                wait_ready(again, 2)
                assert {key: ask(again, key) for key in keys} == before, "the same users meet it as before"
                assert call(again, "rollout", "promote", "m", "--yes").returncode == 0
                assert following.wait_exit() == 0
                assert "`understudy rollout undo m` goes back at once." in following.text
                assert ask(again, keys[0])[0] == "2"
                check_undo(again, tmp_path / "story.json")
                assert ask_plainly(again) == "1"


def test_what_came_of_shadow_traffic_is_shown_and_exported(tmp_path: Path, exports: Exports) -> None:
    plan = tmp_path / "shadow.yaml"
    plan.write_text("shadow: {share: 100 %, requests: 1000000}\n")
    with serve(tmp_path, exports) as server:
        begun = call(server, "rollout", "start", "m", "--to", "2", "--plan", str(plan), "--json")
        exports.synthetic(2, fail_on=13.0)
        wait_phase(server, "shadowing")
        deadline = time.monotonic() + PATIENCE_S
        while not is_shadow_settled(server):
            assert ask_plainly(server) == "1"
            assert time.monotonic() < deadline
        told = call(server, "rollout", "status", "m").stdout
        assert "which yield to all other work, took" in told or "mirrored requests were shed: " in told
        story = call(server, "rollout", "export", json.loads(begun.stdout)["id"])
        assert json.loads(story.stdout)["rollout"]["shadow"]["trial"] == json.loads(begun.stdout)["id"]


def is_shadow_settled(server: LiveServer) -> bool:
    """Whether some mirrored request has been compared or shed, as it happens on a machine that others use, too."""
    answer = requests.get(f"http://{server.admin}/v1/models/m/rollout", timeout=30)
    shadow = answer.json()["shadow"]
    return shadow is not None and bool(shadow["counts"]["compared"] or shadow["shed"])


def wait_ready(server: LiveServer, number: int) -> None:
    """Until this version of m answers."""
    deadline = time.monotonic() + PATIENCE_S
    while (number, "ready") not in {
        (each["version"], each["state"]) for each in server.status("m")["versions"]
    }:
        assert time.monotonic() < deadline


def wait_phase(server: LiveServer, phase: str) -> None:
    """Until the rollout of m is there."""
    deadline = time.monotonic() + PATIENCE_S
    while (rollout := read_rollout(server))["phase"] != phase:
        assert time.monotonic() < deadline, rollout


def check_undo(server: LiveServer, target: Path) -> None:
    """Takes the promotion back, and reads what is remembered of the rollout."""
    assert call(server, "rollout", "undo", "m", "--by", "bob").returncode == 0
    status = call(server, "rollout", "status", "m", "--json")
    assert status.returncode == 4
    rollout = json.loads(status.stdout)["id"]
    assert rollout in call(server, "rollout", "history", "m").stdout
    assert call(server, "rollout", "export", rollout, "--to", str(target)).returncode == 0
    decisions = json.loads(target.read_text())["decisions"]
    kinds = [each["kind"] for each in decisions]
    expected = [
        "rollout_started",
        "rollout_ramping",
        "rollout_restarted",
        "rollout_watching",
        "rollout_rolled_back",
    ]
    assert [kind for kind in kinds if kind in expected] == expected
    assert {each["by"] for each in decisions} >= {"ann", "bob", "rollout"}
    assert call(server, "quarantine", "list", "m").stdout.splitlines()[1].split()[:2] == ["m", "2"]


def ask_plainly(server: LiveServer) -> str:
    answer = requests.post(f"http://{server.rest}/v1/models/m:predict", json={"instances": [1.0]}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-understudy-version"]


def test_a_terminal_shows_the_ramp_asks_before_it_aborts_and_ctrl_c_leaves_the_rollout_alone(
    tmp_path: Path, exports: Exports, plan: str
) -> None:
    with serve(tmp_path, exports) as server:
        assert call(server, "rollout", "start", "m", "--to", "2", "--plan", plan).returncode == 0
        exports.synthetic(2)
        with Command(server, "rollout", "status", "m", "--watch", on_terminal=True) as watch:
            watch.wait(lambda text: "[50 %] > 100 %" in plain(text) and "━" in text)
            assert watch.end() == 0
        with Command(server, "rollout", "abort", "m", on_terminal=True) as abort:
            abort.wait(lambda text: "Take the candidate of m out of traffic now? [y/N]: " in text)
            abort.type("n\n")
            assert abort.wait_exit() == 1
        assert call(server, "rollout", "status", "m").returncode == 0, "it goes on"
        with Command(server, "rollout", "abort", "m", on_terminal=True) as abort:
            abort.wait(lambda text: "[y/N]: " in text)
            abort.type("y\n")
            assert abort.wait_exit() == 0
        assert call(server, "rollout", "status", "m").returncode == 4


def test_evidence_promotes_and_its_numbers_are_shown_told_and_measured(
    tmp_path: Path, exports: Exports
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(EVIDENT)
    with serve(tmp_path, exports) as server:
        assert call(server, "rollout", "start", "m", "--to", "2", "--plan", str(plan)).returncode == 0
        exports.synthetic(2)
        deadline = time.monotonic() + EVIDENCE_S
        while (rollout := read_rollout(server))["phase"] != "watching":
            assert time.monotonic() < deadline, rollout
            for _ in range(50):
                ask_plainly(server)
        shown = [
            " ".join(line.split()) for line in call(server, "rollout", "status", "m").stdout.splitlines()
        ]
        assert any(line.startswith("errors requests 0 of ") and " no harm " in line for line in shown)
        assert "output version classes 2 100 % classes 1 100 %" in shown
        assert "Together: no harm." in shown
        last = json.loads(call(server, "rollout", "export", str(rollout["id"])).stdout)["decisions"][-1]
        assert (last["kind"], last["by"], last["judgement"]["finding"]) == (
            "rollout_watching",
            "rollout",
            "no_harm",
        )
        page = requests.get(f"http://{server.admin}/metrics", timeout=30).text
        assert 'understudy_rollout_phase{model="m",phase="watching"} 1.0' in page
        assert "has put version 2 in the place of version 1" in call(server, "why", "m").stdout


def test_truths_are_told_from_a_file_and_take_a_version_back_that_is_wrong(
    tmp_path: Path, exports: Exports
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN + "quality: {metric: squared_error, output: y, wrong_above: 0.5}\n")
    with serve(tmp_path, exports) as server:
        nothing = call(server, "feedback", "m", "--id", "a", "--truth", "1")
        assert (nothing.returncode, "asks for truths" in nothing.stderr) == (1, True)
        assert call(server, "rollout", "start", "m", "--to", "2", "--plan", str(plan)).returncode == 0
        exports.synthetic(2)
        wait_phase(server, "ramping")
        truths = write_truths(tmp_path, [(name, value) for name, _, value in ask_answers(server)])
        told = call(server, "feedback", "m", truths)
        assert (told.returncode, told.stdout) == (0, "Truths: 100 counted.\n"), told.stderr
        assert call(server, "feedback", "m", truths).stdout == "Truths: 100 told before.\n"
        unknown = call(server, "feedback", "m", "--id", "nobody", "--truth", "1")
        assert (unknown.returncode, unknown.stdout) == (1, "Truths: 1 of unknown requests.\n")
        answers = ask_answers(server)
        right = next(value for _, version, value in answers if version == "1")
        truths = write_truths(tmp_path, [(name, right) for name, _, _ in answers])
        assert call(server, "feedback", "m", truths).stdout == "Truths: 100 counted.\n"
        wait_phase(server, "rolled_back")
        assert "wrong" in str(read_rollout(server)["reason"])
        assert call(server, "rollout", "status", "m").returncode == 4


def write_truths(folder: Path, truths: list[tuple[str, float]]) -> str:
    path = folder / "truths.jsonl"
    path.write_text("".join(f'{{"request_id": "{name}", "truth": {truth}}}\n' for name, truth in truths))
    return str(path)


def ask_answers(server: LiveServer) -> list[tuple[str, str, float]]:
    return [ask_answer(server) for _ in range(100)]


def ask_answer(server: LiveServer) -> tuple[str, str, float]:
    """The request's id, the version that answered, and its prediction."""
    answer = requests.post(f"http://{server.rest}/v1/models/m:predict", json={"instances": [1.0]}, timeout=30)
    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json()["predictions"]
    value = prediction["y"] if isinstance(prediction, dict) else prediction
    return answer.headers["x-request-id"], answer.headers["x-understudy-version"], value


def read_rollout(server: LiveServer) -> dict[str, object]:
    answer = requests.get(f"http://{server.admin}/v1/models/m/rollout", timeout=30)
    found: dict[str, object] = answer.json()
    return found


def test_traffic_is_split_by_hand_and_the_split_outlives_the_server(tmp_path: Path, exports: Exports) -> None:
    exports.synthetic(2)
    file = tmp_path / "models.config"
    keys = [f"user-{number}" for number in range(40)]
    both = model_text("m", exports.base_path, policy="all {}")
    arguments = ("--model-config-file", str(file), "--state-dir", str(tmp_path / "state"))
    file.write_text(config_text(both))
    with LiveServer(*arguments) as server:
        assert call(server, "traffic", "set", "m", "1=50", "2=50").returncode == 0
        before = {key: ask(server, key)[0] for key in keys}
        assert set(before.values()) == {"1", "2"}
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
    with LiveServer(*arguments) as server:
        wait_ready(server, 1)
        wait_ready(server, 2)
        assert {key: ask(server, key)[0] for key in keys} == before
        shown = call(server, "traffic", "show", "m").stdout.splitlines()
        assert [line.split()[:2] for line in shown[1:3]] == [["1", "50"], ["2", "50"]]
        assert call(server, "traffic", "clear", "m").returncode == 0
        assert {ask_plainly(server) for _ in keys} == {"2"}
