"""Files of a version that are overwritten in place: reported while it serves, never mixed while it loads."""

from pathlib import Path

import pytest
import requests

from tests.live.asking import answer_of
from tests.live.exports import Exports, config_text, model_text, release, synthetic_text
from tests.live.load import load_by_grpc, load_by_rest, wait_asked
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

X = 0.5
CHANGED = 'understudy_version_files_changed{model="m",version="1"} '


def overwrite(path: Path, text: str) -> None:
    """In place, and in one write: a reader finds what was there or what is there now."""
    content = text.encode().ljust(path.stat().st_size)
    with path.open("r+b", buffering=0) as file:
        file.write(content)


class Two:
    """A server with a model `m`, whose files are overwritten, and another one."""

    def __init__(self, folder: Path) -> None:
        self.m, self.other = Exports(folder / "m"), Exports(folder / "other")
        self.served = self.m.synthetic(1, version=None)
        self.other.synthetic(1)
        config = folder / "models.config"
        config.write_text(
            config_text(model_text("m", self.m.base_path), model_text("other", self.other.base_path))
        )
        self.server = LiveServer(f"--model-config-file={config}", "--poll-interval=0.05")

    def ask_operators(self, path: str) -> str:
        """What the operators' port answers."""
        return requests.get(f"http://{self.server.admin}/{path}", timeout=30).text


def test_overwriting_what_serves_is_reported_once_and_changes_no_answer(tmp_path: Path) -> None:
    two = Two(tmp_path)
    with two.server as server:
        assert CHANGED + "0.0" in two.ask_operators("metrics")
        overwrite(two.served / "synthetic.json", synthetic_text(9))
        line = server.wait_log("files_changed", model="m", version=1)
        assert line.fields["level"] == "warning"
        assert "publish changes under a new number" in str(line.fields["reason"])
        assert answer_of(server, "m") == 1.0
        assert server.status("m")["versions"][0]["files_changed_at"] is not None
        assert CHANGED + "1.0" in two.ask_operators("metrics")
        assert "files_changed" in two.ask_operators("v1/models/m/why")
        overwrite(two.served / "synthetic.json", "{")
        for version in (2, 3):  # for each of these the server looks several times, at both models
            two.other.synthetic(version)
            server.wait_log("state_changed", model="other", version=version - 1, state="end")
        assert len(server.logged("files_changed")) == 1
        assert answer_of(server, "m") == 1.0
        two.m.synthetic(2)
        server.wait_log("state_changed", model="m", version=1, state="end")
        assert answer_of(server, "m") == 2.0


def test_what_is_overwritten_while_it_loads_is_never_served_as_it_was_read(tmp_path: Path) -> None:
    two = Two(tmp_path)
    with two.server as server:
        outputs = {1: [X + 1], 2: [X + 20]}  # what version 2 was first is wrong under either number
        loads = load_by_grpc(tmp_path, server, "m", X), load_by_rest(tmp_path, server, "m", X)
        with loads[0].expecting(outputs), loads[1].expecting(outputs):
            loading = two.m.synthetic(2, version=None, hang_load=True)
            server.wait_log("state_changed", model="m", version=2, state="loading")
            overwrite(loading / "synthetic.json", synthetic_text(20, version=None))
            release(loading)
            line = server.wait_log("state_changed", model="m", version=2, state="retrying")
            assert "changed while they were being loaded" in str(line.fields["reason"])
            server.wait_log("state_changed", model="m", version=1, state="end")
            wait_asked(server, "m", 2)
        for load in loads:
            assert load.report is not None
            assert (load.report.failures, load.report.mixed) == ({}, 0)
        assert answer_of(server, "m") == 20.0
        assert not server.logged("files_changed")
