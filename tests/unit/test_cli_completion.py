"""What a shell completes: models and versions of the server that the command line names."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.live.control_plane import ControlPlane
from understudy.cli.main import main


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path) as plane:
        yield plane


def complete(line: str, **environment: str) -> list[str]:
    """What may follow the last word of the line."""
    words = line.split(" ")
    asked = {
        "_UNDERSTUDY_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        **environment,
    }
    result = CliRunner().invoke(main, prog_name="understudy", env=asked)
    assert result.exit_code == 0
    return [line.partition(",")[2] for line in result.output.splitlines() if line]


@pytest.mark.parametrize(
    "command", ["status", "why", "versions", "label set", "label remove", "version retry"]
)
def test_models_are_completed(plane: ControlPlane, command: str) -> None:
    plane.api.post("/v1/config", json={"text": plane.text("m", "team/ads")})
    assert complete(f"understudy {command} ", UNDERSTUDY_ADMIN_URL=plane.url) == ["m", "team/ads"]
    assert complete(f"understudy {command} t", UNDERSTUDY_ADMIN_URL=plane.url) == ["team/ads"]
    assert complete(f"understudy {command} x", UNDERSTUDY_ADMIN_URL=plane.url) == []


@pytest.mark.parametrize("command", ["label set m stable", "version retry m"])
def test_versions_of_the_model_are_completed(plane: ControlPlane, command: str) -> None:
    assert complete(f"understudy {command} ", UNDERSTUDY_ADMIN_URL=plane.url) == ["1"]
    nobody = command.replace(" m", " nobody")
    assert complete(f"understudy {nobody} ", UNDERSTUDY_ADMIN_URL=plane.url) == []


def test_rollouts_and_their_versions_are_completed(plane: ControlPlane) -> None:
    begun = plane.api.post("/v1/models/m/rollout", json={"candidate": 2}).json()["id"]
    for command in ("rollout show", "rollout export"):
        assert complete(f"understudy {command} ", UNDERSTUDY_ADMIN_URL=plane.url) == [begun]
    plane.api.post("/v1/models/m/rollout/abort", json={})
    assert complete("understudy rollout show m", UNDERSTUDY_ADMIN_URL=plane.url) == [begun], "it has ended"
    assert complete("understudy rollout start m --to ", UNDERSTUDY_ADMIN_URL=plane.url) == ["1"]
    assert complete("understudy traffic show ", UNDERSTUDY_ADMIN_URL=plane.url) == ["m"]
    assert complete("understudy quarantine add m ", UNDERSTUDY_ADMIN_URL=plane.url) == ["1"]


def test_the_server_that_the_line_names_is_asked(plane: ControlPlane) -> None:
    assert complete(
        f"understudy why --admin-url {plane.url} ", UNDERSTUDY_ADMIN_URL="http://127.0.0.1:1"
    ) == ["m"]


@pytest.mark.slow
def test_a_server_that_does_not_answer_completes_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert complete("understudy why ", UNDERSTUDY_ADMIN_URL=url) == []
