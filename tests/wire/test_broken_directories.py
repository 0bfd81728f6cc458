"""What can be wrong on disk: each with a clear reason, nothing else disturbed, nothing lost."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow


class Two:
    """A server with two models: `m`, to which bad things happen, and `other`, which must not notice."""

    def __init__(self, folder: Path, *, policy: str = "") -> None:
        self.m, self.other = Exports(folder / "m"), Exports(folder / "other")
        self.m.synthetic(1)
        self.other.synthetic(1)
        config = folder / "models.config"
        config.write_text(
            config_text(
                model_text("m", self.m.base_path, policy=policy), model_text("other", self.other.base_path)
            )
        )
        self.server = LiveServer(
            f"--model-config-file={config}",
            "--poll-interval=0.05",
            "--load-retries=1",
            "--load-retry-interval=0.05",
        )

    def answer(self, model: str) -> float:
        """What a model answers to 0: its version."""
        url = f"http://{self.server.rest}/v1/models/{model}:predict"
        answer = requests.post(url, json={"instances": [{"x": 0.0}]}, timeout=30)
        answer.raise_for_status()
        return float(answer.json()["predictions"][0]["y"])

    def other_still_changes_over(self) -> None:
        """Publishes the next version of the other model and sees it serve."""
        self.other.synthetic(2)
        self.server.wait_log("state_changed", model="other", version=2, state="ready")
        assert self.answer("other") == 2.0


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    two = Two(tmp_path)
    with two.server:
        yield two


def test_a_broken_version_is_refused_with_the_reason_and_the_old_one_serves_on(two: Two) -> None:
    two.m.synthetic(2, fail_load="these weights are cursed")
    line = two.server.wait_log("state_changed", model="m", version=2, state="error")
    assert "these weights are cursed" in str(line.fields["reason"])
    assert two.answer("m") == 1.0
    two.other_still_changes_over()
    status = two.server.status("m")
    assert [(each["version"], each["state"]) for each in status["versions"]] == [(2, "error"), (1, "ready")]


def test_a_half_copied_export_is_tried_again_when_it_is_whole(two: Two) -> None:
    half = two.m.base_path / "2"
    half.mkdir()
    two.server.wait_log("state_changed", model="m", version=2, state="error")
    assert two.answer("m") == 1.0
    (half / "synthetic.json").write_text('{"a": 1.0, "b": 2.0, "version": 2}')
    two.server.wait_log("state_changed", model="m", version=2, state="ready")
    assert two.answer("m") == 2.0


def test_contents_overwritten_under_a_version_that_serves_are_reported_and_it_serves_on(two: Two) -> None:
    (two.m.base_path / "1" / "synthetic.json").write_text('{"a": 1.0, "b": 9.0, "version": 1}')
    two.server.wait_log("files_changed", model="m", version=1)
    assert two.answer("m") == 1.0
    two.other_still_changes_over()


def test_versions_named_by_the_policy_are_found_one_by_one(tmp_path: Path) -> None:
    two = Two(tmp_path, policy="specific { versions: 2 versions: 3 }")
    with two.server as server:
        two.m.synthetic(2)
        server.wait_log("state_changed", model="m", version=2, state="ready")
        two.m.synthetic(3).rename(two.m.base_path / "003")
        server.wait_log("state_changed", model="m", version=3, state="ready")
        assert [each["version"] for each in server.status("m")["versions"]] == [3, 2]


def test_a_file_named_like_a_version_is_reported_and_displaces_nothing(two: Two) -> None:
    (two.m.base_path / "9").write_text("a stray file")
    line = two.server.wait_log("entry_ignored", model="m")
    assert "not a directory" in str(line.fields["reason"])
    assert two.answer("m") == 1.0
    two.m.synthetic(2)
    two.server.wait_log("state_changed", model="m", version=2, state="ready")


def test_a_base_path_that_disappears_unloads_nothing_and_goes_on_when_it_returns(two: Two) -> None:
    away = two.m.base_path.with_name("away")
    two.m.base_path.rename(away)
    line = two.server.wait_log("source_failed", model="m")
    assert str(two.m.base_path) in str(line.fields["reason"])
    assert two.answer("m") == 1.0
    two.other_still_changes_over()
    away.rename(two.m.base_path)
    two.server.wait_log("source_recovered", model="m")
    two.m.synthetic(2)
    two.server.wait_log("state_changed", model="m", version=2, state="ready")
    assert two.answer("m") == 2.0


def test_a_base_path_that_was_missing_at_the_start_serves_when_it_appears(tmp_path: Path) -> None:
    late = tmp_path / "late"
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("late", late)))
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05") as server:
        url = f"http://{server.rest}/v1/models/late"
        assert requests.get(url, timeout=30).status_code == 404
        exports = Exports(tmp_path / "made")
        exports.synthetic(1)
        exports.base_path.rename(late)
        server.wait_log("state_changed", model="late", version=1, state="ready")
        assert requests.get(url, timeout=30).json()["model_version_status"][0]["state"] == "AVAILABLE"


def test_a_version_removed_while_it_loads_never_serves(two: Two) -> None:
    two.m.synthetic(2, load_ms=1500)
    two.server.wait_log("state_changed", model="m", version=2, state="loading")
    assert two.answer("m") == 1.0  # by the time of the answer its load has read the directory
    two.m.remove(2)
    two.server.wait_log("cancelling", model="m", version=2)
    two.server.wait_log("state_changed", model="m", version=2, state="end")
    assert two.answer("m") == 1.0


def test_going_back_to_the_old_version_while_the_new_one_loads_never_interrupts_the_old(two: Two) -> None:
    two.m.synthetic(2, load_ms=1000)
    two.server.wait_log("state_changed", model="m", version=2, state="loading")
    assert two.answer("m") == 1.0  # by the time of the answer its load has read the directory
    two.m.remove(2)
    two.server.wait_log("state_changed", model="m", version=2, state="end")
    moves = [line.fields for line in two.server.log if line.fields.get("version") == 1]
    assert "unloading" not in {str(fields.get("state")) for fields in moves}
    assert two.answer("m") == 1.0


def test_an_emptied_base_path_unloads_the_model(two: Two) -> None:
    two.m.remove(1)
    two.server.wait_log("state_changed", model="m", version=1, state="end")
    url = f"http://{two.server.rest}/v1/models/m:predict"
    assert requests.post(url, json={"instances": [{"x": 0.0}]}, timeout=30).status_code == 404
    two.other_still_changes_over()


@pytest.mark.tensorflow
@pytest.mark.parametrize("damage", ["garbage", "truncated", "no variables", "empty directory"])
def test_a_damaged_saved_model_is_refused_and_named(damage: str, saved_models: Path, tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.copy(saved_models / "half_plus_two", 1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path, platform="tensorflow")))
    damaged = tmp_path / "damaged"
    shutil.copytree(saved_models / "half_plus_two", damaged)
    graph = damaged / "saved_model.pb"
    match damage:
        case "garbage":
            graph.write_bytes(b"\xff" * 1000)
        case "truncated":
            graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
        case "no variables":
            shutil.rmtree(damaged / "variables")
        case _:
            shutil.rmtree(damaged)
            damaged.mkdir()
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05", "--load-retries=0") as server:
        exports.copy(damaged, 2)
        line = server.wait_log("state_changed", model="m", version=2, state="error")
        assert len(str(line.fields["reason"])) > len("attempt 1 of 1 failed")
        url = f"http://{server.rest}/v1/models/m:predict"
        assert requests.post(url, json={"instances": [1.0]}, timeout=30).json() == {"predictions": [2.5]}
