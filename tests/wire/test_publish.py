"""`understudy publish` beside a live server: what it compares with, and until when it waits."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from tests.live.exports import Exports, config_text, model_text
from tests.live.process import CONSOLE_SCRIPTS, LiveServer
from understudy.admin.listener import AdminServer
from understudy.admin.view import EventView, ModelView, Phase, PolicyView, ServerView, VersionView
from understudy.servable import State

pytestmark = pytest.mark.slow

WAIT_S = "30"
NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Done:
    """What the command said."""

    code: int
    out: str
    err: str


class Published:
    """A model's base path, and the command that publishes into it."""

    def __init__(self, folder: Path) -> None:
        self.exports = Exports(folder / "m")
        self.base = self.exports.base_path
        self._folder = folder

    def export(self, name: str, **members: object) -> Path:
        path = self._folder / name
        path.mkdir()
        (path / "synthetic.json").write_text(json.dumps(members))
        return path

    def run(self, export: Path, admin: str, *flags: str, base: Path | None = None) -> Done:
        words = [str(CONSOLE_SCRIPTS / "understudy"), "publish", str(export), "--platform", "synthetic"]
        words += ["--model", "m", "--base-path", str(base or self.base), "--admin-url", f"http://{admin}"]
        done = subprocess.run([*words, *flags], check=False, capture_output=True, text=True, env=os.environ)
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


def serve(published: Published, folder: Path, policy: str = "") -> LiveServer:
    config = folder / "models.config"
    config.write_text(config_text(model_text("m", published.base, policy=policy)))
    return LiveServer(f"--model-config-file={config}", "--poll-interval=0.05", "--load-retries=0")


def answer(server: LiveServer) -> float:
    url = f"http://{server.rest}/v1/models/m:predict"
    got = requests.post(url, json={"instances": [{"x": 0.0}]}, timeout=30)
    return float(got.json()["predictions"][0]["y"])


def test_a_version_is_published_and_waited_for_until_it_answers(published: Published, tmp_path: Path) -> None:
    published.exports.synthetic(1)
    with serve(published, tmp_path) as server:
        export = published.export("export", b=42.0, version=2)
        done = published.run(export, server.admin, "--wait", WAIT_S, "--json")
        assert (done.code, done.err) == (0, "Version 2 is ready.\n")
        assert json.loads(done.out)["path"] == str(published.base / "2")
        assert answer(server) == 42.0


def test_a_version_that_the_policy_does_not_want_is_told_after_the_wait(
    published: Published, tmp_path: Path
) -> None:
    published.exports.synthetic(1)
    with serve(published, tmp_path, "specific { versions: 1 }") as server:
        done = published.run(published.export("export"), server.admin, "--wait", "0.3")
        assert done.code == 1
        assert "the server does not want it; its policy is specific 1" in done.err
        assert answer(server) == 1.0


def test_a_broken_export_is_refused_and_the_server_never_sees_it(
    published: Published, tmp_path: Path
) -> None:
    published.exports.synthetic(1)
    with serve(published, tmp_path) as server:
        broken = published.export("broken", fail_load="these weights are cursed")
        done = published.run(broken, server.admin, "--wait", WAIT_S)
        assert done.code == 1
        assert "these weights are cursed" in done.err
        assert [each["version"] for each in server.status("m")["versions"]] == [1]
    assert [path.name for path in published.base.iterdir()] == ["1"]


def test_nothing_is_published_when_the_server_would_never_see_it_and_one_waits(
    published: Published, tmp_path: Path
) -> None:
    published.exports.synthetic(1)
    with serve(published, tmp_path) as server:
        export, elsewhere = published.export("export"), tmp_path / "elsewhere"
        done = published.run(export, server.admin, "--wait", WAIT_S, base=elsewhere)
        assert done.code == 1
        assert "It would never see this version" in done.err
        assert not elsewhere.exists()
        done = published.run(export, server.admin, base=elsewhere)
        assert done.code == 0
        assert f"The server has m at {published.base}, not at {elsewhere}." in done.err
    assert (elsewhere / "1" / "synthetic.json").exists()


def test_without_a_server_it_publishes_unless_one_waits(published: Published) -> None:
    with socket.socket() as bound:  # bound, and never opened: nobody answers there
        bound.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{bound.getsockname()[1]}"
        export = published.export("export")
        assert published.run(export, nobody, "--wait", WAIT_S).code == 3
        assert not list(published.base.iterdir())
        done = published.run(export, nobody)
    assert done.code == 0
    assert "Not asked what serves: No server answers" in done.err
    assert (published.base / "1").is_dir()


class Failing:
    """An AdminView of a server on which every version that is found from now on fails."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._model = ModelView("m", True, str(base), "synthetic", PolicyView(kind="latest", count=1))

    def phase(self) -> Phase:
        return Phase.SERVING

    def server(self) -> ServerView:
        raise NotImplementedError

    def model(self, name: str) -> ModelView | None:
        del name
        failed = VersionView(1, State.ERROR, NOON, "the disk was full")
        found = [failed] if (self._base / "1").exists() else []
        return replace(self._model, versions=tuple(found))

    def events(self, name: str) -> tuple[EventView, ...]:
        del name
        return ()

    def metrics(self) -> bytes:
        raise NotImplementedError


@pytest.fixture
def failing(published: Published) -> Iterator[str]:
    server = AdminServer(Failing(published.base))
    yield server.start()
    server.stop()


def test_a_version_that_fails_on_the_server_is_told_with_the_reason(
    published: Published, failing: str
) -> None:
    done = published.run(published.export("export"), failing, "--wait", WAIT_S)
    assert done.code == 1
    assert "Version 1 failed: the disk was full" in done.err


def test_a_directory_that_is_not_there_is_a_mistake_on_the_command_line(published: Published) -> None:
    assert published.run(published.base / "nowhere", "127.0.0.1:1").code == 2
