"""Versions change under continuous load by both protocols: nobody's request fails, no answer mixes two."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.live.exports import Exports, config_text, model_text
from tests.live.load import load_by_grpc, load_by_rest, wait_asked
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

CHANGES = 20
OFFSETS = 3
X = 0.5


def change_over(server: LiveServer, exports: Exports, publish_first: int, publish: dict[int, Path]) -> None:
    """Publishes one version after the other; each waits for the one before to have left."""
    previous = publish_first
    wait_asked(server, "m", previous)
    for version, export in publish.items():
        exports.copy(export, version)
        server.wait_log("state_changed", version=version, state="ready")
        server.wait_log("state_changed", version=previous, state="end")
        wait_asked(server, "m", version)
        exports.remove(previous)
        previous = version


@pytest.mark.tensorflow
def test_twenty_changes_under_load_fail_nobody_and_mix_nothing(saved_models: Path, tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    by_version = {
        version: saved_models / f"offset_{version % OFFSETS + 1}" for version in range(1, CHANGES + 2)
    }
    outputs = {version: [X + version % OFFSETS + 1] for version in by_version}
    exports.copy(by_version.pop(1), 1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path, platform="tensorflow")))
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05") as server:
        grpc = load_by_grpc(tmp_path, server, "m", X).expecting(outputs)
        rest = load_by_rest(tmp_path, server, "m", X).expecting(outputs)
        with grpc, rest:
            change_over(server, exports, 1, by_version)
    for load in (grpc, rest):
        assert load.report is not None
        assert load.report.failures == {}
        assert load.report.mixed == 0
        assert load.report.ok > CHANGES
    assert grpc.report is not None
    assert set(grpc.report.versions) == {str(version) for version in range(1, CHANGES + 2)}


def test_a_request_that_still_runs_keeps_its_version_and_nothing_else_waits(tmp_path: Path) -> None:
    slow, quick = Exports(tmp_path / "slow"), Exports(tmp_path / "quick")
    held = slow.synthetic(1, hang_on=7.0)
    quick.synthetic(1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("slow", slow.base_path), model_text("quick", quick.base_path)))
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0.05") as server:
        url = f"http://{server.rest}/v1/models"
        hung = requests.Session()
        with hung, ThreadPoolExecutor(1) as pool:
            answer = pool.submit(
                hung.post, f"{url}/slow:predict", json={"instances": [{"x": 7.0}]}, timeout=60
            )
            while server.status("slow")["versions"][0]["in_flight"] == 0:
                assert not answer.done(), answer.result().text
            slow.synthetic(2)
            server.wait_log("state_changed", model="slow", version=1, state="unloading")
            quick.synthetic(2)
            server.wait_log("state_changed", model="quick", version=1, state="end")
            (held / "release").touch()
            assert answer.result().json()["predictions"][0]["y"] == 8.0
            server.wait_log("state_changed", model="slow", version=1, state="end")
