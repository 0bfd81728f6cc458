"""A limit on memory: what does not fit is refused by name, the rest serves, and room that is made is used."""

from pathlib import Path

import pytest

from tests.live.asking import Told, answer_of, predict, told_by_grpc, told_by_rest
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer, VersionStatus

pytestmark = pytest.mark.slow

MB = 1_000_000
LIMIT_BYTES = 30 * MB
FILE_BYTES = 10 * MB
"""Estimated at a fifth more: two such versions fit, a third does not."""
REFUSED = Told(
    "END",
    "RESOURCE_EXHAUSTED",
    "Insufficient resources to load servable {name: c version: 1}: needs 12.0 MB; 6.0 MB of 30.0 MB are left",
)


class Three:
    """Models `a` and `b`, which fit, and `c`, for which nothing is published yet."""

    def __init__(self, folder: Path) -> None:
        self.exports = {name: Exports(folder / name) for name in "abc"}
        for name in "ab":
            self.exports[name].heavy(1, file_bytes=FILE_BYTES)
        config = folder / "models.config"
        config.write_text(
            config_text(*(model_text(name, each.base_path) for name, each in self.exports.items()))
        )
        self.server = LiveServer(
            f"--model-config-file={config}", "--poll-interval=0.05", f"--memory-limit-bytes={LIMIT_BYTES}"
        )


def version(server: LiveServer, model: str, number: int) -> VersionStatus:
    return {each["version"]: each for each in server.status(model)["versions"]}[number]


def test_what_does_not_fit_is_refused_by_name_and_loads_when_there_is_room(tmp_path: Path) -> None:
    three = Three(tmp_path)
    with three.server as server:
        three.exports["c"].heavy(1, file_bytes=FILE_BYTES)
        line = server.wait_log("state_changed", model="c", version=1, state="error")
        assert "needs 12.0 MB; 6.0 MB of 30.0 MB are left" in str(line.fields["reason"])
        assert told_by_grpc(server, "c") == told_by_rest(server, "c") == {1: REFUSED}
        assert predict(server, "c").status_code == 404
        assert {answer_of(server, "a"), answer_of(server, "b")} == {1.0}
        three.exports["a"].remove(1)
        server.wait_log("state_changed", model="c", version=1, state="ready")
        ended, loading = (
            server.logged("state_changed", model="a", version=1, state="end"),
            server.logged("state_changed", model="c", version=1, state="loading"),
        )
        assert ended[0] < loading[0], "its memory was given away before it was free"
        assert answer_of(server, "c") == 1.0
        assert told_by_grpc(server, "c") == told_by_rest(server, "c") == {1: Told("AVAILABLE", "OK", "")}


def test_a_new_version_that_does_not_fit_beside_the_old_leaves_the_old_serving(tmp_path: Path) -> None:
    three = Three(tmp_path)
    with three.server as server:
        three.exports["a"].heavy(2, file_bytes=FILE_BYTES)
        server.wait_log("state_changed", model="a", version=2, state="error")
        assert told_by_grpc(server, "a")[2].code == "RESOURCE_EXHAUSTED"
        assert told_by_grpc(server, "a")[1] == Told("AVAILABLE", "OK", "")
        assert answer_of(server, "a") == 1.0
        three.exports["a"].synthetic(3)
        server.wait_log("state_changed", model="a", version=3, state="ready")
        assert answer_of(server, "a") == 3.0


def test_the_estimate_and_what_was_measured_stand_beside_each_other(tmp_path: Path) -> None:
    three = Three(tmp_path)
    with three.server as server:
        three.exports["c"].heavy(1, file_bytes=1 * MB, memory_bytes=64 * MB)
        server.wait_log("state_changed", model="c", version=1, state="ready")
        loaded = version(server, "c", 1)
        assert loaded["estimate_bytes"] == pytest.approx(1.2 * MB, rel=0.01)
        assert loaded["growth_bytes"] == pytest.approx(64 * MB, rel=0.25)
