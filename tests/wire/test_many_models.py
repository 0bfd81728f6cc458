"""Many models change at once, while loads hang and a directory is missing: the others do not notice."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.live.asking import Told, answer_of, told_by_grpc, told_by_rest
from tests.live.exports import Exports, config_text, model_text, release
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

MODELS = 200
FEW = 12
AVAILABLE = Told("AVAILABLE", "OK", "")


class Fleet:
    """A server with many models; version 1 of each is published."""

    def __init__(self, folder: Path, *arguments: str, size: int) -> None:
        self.exports = {f"m{number}": Exports(folder / f"m{number}") for number in range(size)}
        for each in self.exports.values():
            each.synthetic(1)
        config = folder / "models.config"
        config.write_text(
            config_text(*(model_text(name, each.base_path) for name, each in self.exports.items()))
        )
        self.server = LiveServer(f"--model-config-file={config}", "--poll-interval=0.1", *arguments)

    def publish(self, names: Iterable[str], version: int, **members: object) -> None:
        """The same version of each."""
        for name in names:
            self.exports[name].synthetic(version, **members)

    def all_answer(self, names: Iterable[str], version: int) -> None:
        """Each model is answered by this version."""
        assert {name: answer_of(self.server, name) for name in names} == dict.fromkeys(names, float(version))

    def state(self, name: str, version: int) -> str:
        """The operators' API's word."""
        return {each["version"]: each["state"] for each in self.server.status(name)["versions"]}[version]


def test_all_change_while_one_load_hangs_and_one_base_path_is_missing(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, size=MODELS)
    hung, missing, *others = fleet.exports
    with fleet.server as server:
        home = fleet.exports[missing].base_path
        away = home.rename(home.with_name("away"))
        held = fleet.exports[hung].synthetic(2, hang_load=True)
        server.wait_log("state_changed", model=hung, version=2, state="loading")
        fleet.publish(others, 2)
        server.wait_log_of_each("state_changed", others, version=2, state="ready")
        assert fleet.state(hung, 2) == "loading"
        fleet.all_answer(others, 2)
        fleet.all_answer([hung, missing], 1)
        release(held)
        server.wait_log("state_changed", model=hung, version=2, state="ready")
        away.rename(home)
        fleet.publish([missing], 2)
        server.wait_log("state_changed", model=missing, version=2, state="ready")
        fleet.all_answer(fleet.exports, 2)


def test_more_loads_hang_than_there_are_threads_and_the_rest_goes_on(tmp_path: Path) -> None:
    """A load that has passed its deadline is told as failed, and serves all the same when it comes back."""
    fleet = Fleet(tmp_path, "--load-threads=2", "--load-timeout=0.4", size=FEW)
    hung, others = list(fleet.exports)[:5], list(fleet.exports)[5:]
    with fleet.server as server:
        fleet.publish(hung, 2, hang_load=True)
        server.wait_log_of_each("state_changed", hung, version=2, state="overdue")
        fleet.publish(others, 2)
        server.wait_log_of_each("state_changed", others, version=2, state="ready")
        assert {fleet.state(name, 2) for name in hung} == {"overdue"}
        fleet.all_answer(others, 2)
        fleet.all_answer(hung, 1)
        for name in hung:
            told = told_by_grpc(server, name)
            assert told == told_by_rest(server, name)
            assert told[1] == AVAILABLE
            assert (told[2].state, told[2].code) == ("END", "DEADLINE_EXCEEDED")
            assert "its load has not come back for 0.4 s" in told[2].message
        for name in hung:
            release(fleet.exports[name].base_path / "2")
        server.wait_log_of_each("state_changed", hung, version=2, state="ready")
        fleet.all_answer(fleet.exports, 2)
        assert told_by_grpc(server, hung[0])[2] == AVAILABLE


def test_a_load_that_comes_back_late_serves(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "--load-timeout=0.2", size=1)
    with fleet.server as server:
        fleet.publish(["m0"], 2, load_ms=700)
        for state in ("overdue", "ready"):
            server.wait_log("state_changed", version=2, state=state)
        assert not server.logged("state_changed", version=2, state="retrying")
        fleet.all_answer(["m0"], 2)


def test_a_hung_load_is_passed_by_a_newer_version_of_its_own_model(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "--load-threads=1", "--load-timeout=0.2", size=1)
    with fleet.server as server:
        fleet.publish(["m0"], 2, hang_load=True)
        server.wait_log("state_changed", version=2, state="overdue")
        fleet.publish(["m0"], 3)
        server.wait_log("state_changed", version=3, state="ready")
        fleet.all_answer(["m0"], 3)
        release(fleet.exports["m0"].base_path / "2")
        server.wait_log("state_changed", version=2, state="end")
        fleet.all_answer(["m0"], 3)


def test_loads_that_come_back_just_when_their_deadline_passes_serve_all_the_same(tmp_path: Path) -> None:
    """Whichever is told first; what is told too late must not stop the control loop."""
    fleet = Fleet(tmp_path, "--load-threads=20", "--load-timeout=0.05", size=100)
    with fleet.server as server:
        for version in range(2, 6):
            fleet.publish(fleet.exports, version, load_ms=50)
            server.wait_log_of_each("state_changed", fleet.exports, version=version, state="ready")
        assert server.logged("state_changed", state="overdue"), "no load was near its deadline"
        fleet.all_answer(fleet.exports, 5)
