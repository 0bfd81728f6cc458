"""`understudy status`, `why` and `predict` against real HTTP servers: output, JSON, exit codes."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from understudy.admin.listener import AdminServer
from understudy.admin.view import (
    EventView,
    FailureView,
    LabelView,
    ModelsView,
    ModelView,
    Phase,
    PolicyView,
    ServerView,
    VersionView,
    WhyView,
)
from understudy.cli.main import main
from understudy.servable import State

NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)
DIGITS = ModelView(
    name="digits",
    configured=True,
    base_path="/models/digits",
    platform="tensorflow",
    policy=PolicyView(kind="latest", count=1),
    labels=(LabelView("stable", 2, ready=True), LabelView("canary", 3, ready=False)),
    default_version=2,
    found_versions=(2, 3),
    found_at=NOON,
    versions=(
        VersionView(
            3, State.ERROR, NOON, "saved_model.pb is cut short", failure=FailureView("DATA_LOSS", "cut")
        ),
        VersionView(
            2,
            State.READY,
            NOON,
            "Loaded",
            load_duration_s=1.25,
            requests=41,
            failures=1,
            in_flight=3,
            waiting_s=0.03,
            serving_s=7_200.0,
            estimate_bytes=3 * 2**29,
            growth_bytes=2**30,
            files_changed_at=NOON,
        ),
    ),
)
ABSENT = ModelView(
    name="absent",
    configured=True,
    base_path="/models/absent",
    platform="tensorflow",
    policy=PolicyView(kind="all"),
    source_failure=FailureView("NOT_FOUND", "Could not find base path /models/absent"),
)
SERVER = ServerView(
    software="understudy 1",
    phase=Phase.SERVING,
    started_at=NOON,
    at=NOON,
    generation=7,
    grpc_address="0.0.0.0:8500",
    models=(ABSENT, DIGITS),
)
EVENTS = (
    EventView(NOON, "digits", 2, "state_changed", "Loaded", State.READY),
    EventView(NOON, "digits", None, "source_failed", "Gone for a " + "long " * 100 + "while"),
)
METRICS = b"understudy_models_configured 2.0\n"


class Stage:
    """An AdminView with two models."""

    def phase(self) -> Phase:
        return SERVER.phase

    def server(self) -> ServerView:
        return SERVER

    def model(self, name: str) -> ModelView | None:
        return next((model for model in SERVER.models if model.name == name), None)

    def events(self, name: str) -> tuple[EventView, ...]:
        return tuple(event for event in EVENTS if event.model == name)

    def metrics(self) -> bytes:
        return METRICS


@dataclass
class Door:
    """A REST door that notes what it is asked, and answers what it is told to."""

    url: str
    status: int = 200
    answer: bytes = b'{\n    "predictions": [2.5]\n}'
    paths: list[str] = field(default_factory=list)
    bodies: list[object] = field(default_factory=list)


@pytest.fixture
def admin() -> Iterator[str]:
    server = AdminServer(Stage())
    yield f"http://{server.start()}"
    server.stop()


@pytest.fixture
def door() -> Iterator[Door]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            opened.paths.append(self.path)
            opened.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(opened.status)
            self.send_header("content-length", str(len(opened.answer)))
            self.end_headers()
            self.wfile.write(opened.answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        opened = Door(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield opened
        server.shutdown()
        thread.join()


def closed_port() -> int:
    """A port that nothing listens on: bound, and never opened."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return int(reserved.getsockname()[1])


def call(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_status_lists_every_model_with_its_versions(admin: str) -> None:
    result = call("status", "--admin-url", admin)
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[1][:4] == ["MODEL", "DEFAULT", "VERSION", "STATE"]
    assert lines[2] == ["absent", "nobody", "-", "none"]
    assert lines[3][:4] == ["digits", "2", "3", "error"]
    assert lines[3][-3:] == ["canary", "(not", "ready)"]
    assert lines[4][:2] == ["2", "ready"]
    assert lines[4][-4:] == ["3", "41", "1", "stable"]
    assert result.output.splitlines()[5] == "absent: NOT_FOUND: Could not find base path /models/absent"
    assert "\x1b" not in result.output


def test_status_of_one_model_shows_its_reasons(admin: str) -> None:
    result = call("status", "digits", "--admin-url", admin)
    assert result.exit_code == 0
    assert "policy latest 1" in words(result)
    assert "label canary 3 (not ready)" in words(result)
    assert "1.25 s" in result.output
    assert "saved_model.pb is cut short" in result.output


def test_status_of_a_model_that_answers_nobody_is_negative(admin: str) -> None:
    result = call("status", "absent", "--admin-url", admin)
    assert result.exit_code == 1
    assert "last look failed NOT_FOUND: Could not find base path /models/absent" in words(result)


def test_models_are_listed_a_line_each(admin: str) -> None:
    result = call("models", "--admin-url", admin)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines == [
        "MODEL DEFAULT READY LABELS POLICY TRAFFIC NOT READY",
        "absent nobody - all look failed: NOT_FOUND",
        "digits 2 2 stable=2, canary=3? latest 1 3 error",
    ]


def test_versions_are_listed_with_their_steps_and_reasons(admin: str) -> None:
    result = call("versions", "digits", "--admin-url", admin)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines[0] == "VERSION STATE FOR ASPIRED WAITED LOADED SERVED DRAINED TRIES MEMORY REQUESTS"
    assert lines[1] == "3 error 0 s yes - - - - 0 - 0"
    assert lines[2] == "2 ready 0 s yes 30 ms 1.25 s 2 h - 0 1.5 GiB/1 GiB 41, 3 now"
    assert lines[4:] == [
        "3: saved_model.pb is cut short; label canary (not ready) leads here",
        f"2: Loaded; its files were seen at {NOON.astimezone():%b %d %H:%M:%S} to be changed in place; label stable leads here",
    ]


def test_a_model_without_versions_has_a_hint_instead_of_a_table(admin: str) -> None:
    result = call("versions", "absent", "--admin-url", admin)
    assert result.output == "absent has no versions. `understudy why absent` says why.\n"


@pytest.mark.parametrize("command", ["status", "why", "versions"])
def test_a_model_that_is_not_there_is_a_negative_answer(admin: str, command: str) -> None:
    result = call(command, "nobody", "--admin-url", admin)
    assert result.exit_code == 1
    assert result.output == "Error: There is no model named nobody; /v1/status lists all.\n"


def test_programs_get_json(admin: str) -> None:
    status = call("status", "--json", "--admin-url", admin)
    assert msgspec.json.decode(status.stdout_bytes, type=ServerView) == SERVER
    one = call("status", "absent", "--json", "--admin-url", admin)
    assert msgspec.json.decode(one.stdout_bytes, type=ModelView) == ABSENT
    assert one.exit_code == 1
    listed = call("models", "--json", "--admin-url", admin)
    assert [model.name for model in msgspec.json.decode(listed.stdout_bytes, type=ModelsView).models] == [
        "absent",
        "digits",
    ]
    versions = call("versions", "digits", "--json", "--admin-url", admin)
    assert msgspec.json.decode(versions.stdout_bytes, type=ModelView) == DIGITS
    why = call("why", "digits", "--json", "--admin-url", admin)
    assert msgspec.json.decode(why.stdout_bytes, type=WhyView).events == EVENTS


def test_an_answer_with_fields_of_a_newer_server_is_understood() -> None:
    newer = json.loads(msgspec.json.encode(replace(SERVER, models=()))) | {"weather": "fine"}
    assert msgspec.json.decode(json.dumps(newer), type=ServerView).generation == 7


def test_why_tells_the_state_and_the_history(admin: str) -> None:
    result = call("why", "digits", "--admin-url", admin)
    assert result.exit_code == 0
    assert result.output.startswith("digits answers with version 2, ready since ")
    last = result.output.splitlines()[-1]
    assert last.rstrip().endswith(EVENTS[-1].reason), "a row stays on one line where no terminal limits it"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--admin-url"],
        ["why", "digits", "--admin-url"],
        ["models", "--admin-url"],
        ["versions", "digits", "--admin-url"],
        ["predict", "m", "--instances", "[1]", "--rest-url"],
    ],
    ids=["status", "why", "models", "versions", "predict"],
)
@pytest.mark.parametrize("scheme", ["http", "no-proxy-for-loopback"])
def test_a_server_that_cannot_be_reached_is_exit_code_3_and_says_what_to_do(
    arguments: list[str], scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scheme != "http":
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    url = f"http://127.0.0.1:{closed_port()}"
    result = call(*arguments, url)
    assert result.exit_code == 3
    assert result.output.startswith(f"Error: No server answers at {url} ")
    assert "Is the server running" in result.output


@pytest.mark.parametrize("url", ["localhost:8502", "ftp://localhost", "http://", "", "http://h:99999999"])
def test_what_is_no_url_is_a_usage_error(url: str) -> None:
    result = call("status", "--admin-url", url)
    assert result.exit_code == 2, result.output
    assert "is no URL" in result.output


def test_another_server_s_answer_is_not_taken_for_ours(door: Door) -> None:
    result = call("status", "--admin-url", door.url)
    assert result.exit_code == 3
    assert "answered 501, which is not what this command understands" in result.output


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        (["--instances", "[1.0, 2]"], "/v1/models/m:predict", {"instances": [1.0, 2]}),
        (["--inputs", '{"x": 1}', "--version", "0"], "/v1/models/m/versions/0:predict", {"inputs": {"x": 1}}),
        (
            ["--instances", "[1]", "--label", "a/b c", "--signature", "s"],
            "/v1/models/m/labels/a%2Fb%20c:predict",
            {"instances": [1], "signature_name": "s"},
        ),
    ],
)
def test_predict_sends_one_request_and_prints_the_answer(
    door: Door, arguments: list[str], path: str, body: object
) -> None:
    result = call("predict", "m", "--rest-url", door.url, *arguments)
    assert result.exit_code == 0
    assert result.stdout_bytes == door.answer + b"\n"
    assert (door.paths, door.bodies) == ([path], [body])


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ('{"inputs": 1, "signature_name": "t"}', {"inputs": 1, "signature_name": "t"}),
        ("[[1]]", {"instances": [[1]]}),
    ],
)
def test_predict_reads_a_body_from_a_file_or_from_standard_input(
    door: Door, tmp_path: Path, text: str, body: object
) -> None:
    file = tmp_path / "request.json"
    file.write_text(text)
    assert call("predict", "m", "--rest-url", door.url, "--input-file", str(file)).exit_code == 0
    assert call("predict", "m", "--rest-url", door.url, "--input-file", "-", stdin=text).exit_code == 0
    assert door.bodies == [body, body]


def test_predict_passes_bytes_of_an_answer_through(door: Door) -> None:
    door.answer = b'{"predictions": ["\xff"]}'
    assert (
        call("predict", "m", "--instances", "[1]", "--rest-url", door.url).stdout_bytes == door.answer + b"\n"
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            b'{"error": "Servable not found for request: Latest(m)"}',
            "Servable not found for request: Latest(m)",
        ),
        (b"<html>gone</html>", "<html>gone</html>"),
        (b"[1]", "[1]"),
        (b"", "Not Found"),
    ],
)
def test_a_refused_prediction_is_a_negative_answer(door: Door, answer: bytes, reason: str) -> None:
    door.status, door.answer = 404, answer
    result = call("predict", "m", "--instances", "[1]", "--rest-url", door.url)
    assert result.exit_code == 1
    assert result.output == f"Error: The server refused the request (404): {reason}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give exactly one of --instances, --inputs and --input-file"),
        (["--instances", "[1]", "--inputs", "{}"], "Give exactly one of"),
        (["--instances", "[1"], "--instances is not JSON"),
        (["--instances", "[" * 100_000], "--instances is not JSON"),
        (["--instances", "[1]", "--version", "1", "--label", "a"], "--version or --label, not both"),
        (["--instances", "[1]", "--version", "-1"], "not in the range"),
        (["--input-file", "/no/such/file"], "No such file"),
    ],
)
def test_predict_without_one_clear_input_is_a_usage_error(arguments: list[str], said: str) -> None:
    result = call("predict", "m", *arguments)
    assert result.exit_code == 2
    assert said in words(result)


@pytest.mark.parametrize("text", ["{}", "1", '{"instances": [1], "inputs": 1}'])
def test_predict_refuses_a_file_that_is_no_request(text: str) -> None:
    result = call("predict", "m", "--input-file", "-", stdin=text)
    assert result.exit_code == 2
    assert "must hold a list of rows" in result.output
