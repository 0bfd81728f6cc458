"""The operators' API over a real socket: what it answers, and whom it refuses."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from understudy.admin.guard import is_loopback_host
from understudy.admin.listener import AdminServer
from understudy.admin.summary import summarise
from understudy.admin.view import (
    EventView,
    FailureView,
    LabelView,
    ModelsView,
    ModelView,
    Phase,
    PolicyView,
    ServerView,
    UnreadyView,
    VersionView,
    WhyView,
)
from understudy.errors import Code, StartupError
from understudy.model_config import All, Latest, Specific
from understudy.servable import State

NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)
DIGITS = ModelView(
    name="digits",
    configured=True,
    base_path="/models/digits",
    platform="tensorflow",
    policy=PolicyView.of(Latest(2)),
    labels=(LabelView("canary", 3, ready=False), LabelView("stable", 2, ready=True)),
    default_version=2,
    found_versions=(1, 2, 3),
    found_at=NOON,
    versions=(
        VersionView(
            version=3,
            state=State.ERROR,
            since=NOON,
            reason="6 attempts failed",
            failure=FailureView("DATA_LOSS", "saved_model.pb is cut short"),
            attempts=6,
        ),
        VersionView(
            version=2, state=State.READY, since=NOON, reason="It is the highest that loaded", requests=9
        ),
        VersionView(version=1, state=State.END, since=NOON, reason="Version 2 took over", aspired=False),
    ),
)
SLASHED = replace(DIGITS, name="team/ads", versions=(), default_version=None)
EVENTS = (
    EventView(NOON, "digits", 2, "state_changed", "Loaded.", State.READY),
    EventView(NOON, "digits", None, "source_failed", "Gone."),
)
METRICS = b"understudy_models_configured 2.0\n"


@dataclass
class Stage:
    """An AdminView that a test sets by hand."""

    now: Phase = Phase.SERVING
    models: tuple[ModelView, ...] = (DIGITS, SLASHED)
    broken: list[Exception] = field(default_factory=list)

    def phase(self) -> Phase:
        return self.now

    def server(self) -> ServerView:
        for error in self.broken:
            raise error
        return ServerView(
            software="understudy 1",
            phase=self.now,
            started_at=NOON,
            at=NOON,
            generation=5,
            models=self.models,
        )

    def model(self, name: str) -> ModelView | None:
        return next((model for model in self.models if model.name == name), None)

    def events(self, name: str) -> tuple[EventView, ...]:
        return tuple(event for event in EVENTS if event.model == name)

    def metrics(self) -> bytes:
        return METRICS


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def address(stage: Stage) -> Iterator[str]:
    server = AdminServer(stage)
    yield server.start()
    server.stop()


@pytest.fixture
def api(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
        yield client


def test_status_is_the_whole_server_and_reads_back_as_it_was(api: httpx.Client, stage: Stage) -> None:
    answer = api.get("/v1/status")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert msgspec.json.decode(answer.content, type=ServerView) == stage.server()
    first = answer.json()["models"][0]["versions"][0]
    assert (first["state"], first["since"]) == ("error", "2030-01-02T12:00:00Z")


@pytest.mark.parametrize("name", ["digits", "team/ads", "team%2Fads"])
def test_one_model_is_found_by_name(api: httpx.Client, stage: Stage, name: str) -> None:
    answer = api.get(f"/v1/models/{name}")
    assert msgspec.json.decode(answer.content, type=ModelView) == stage.model(name.replace("%2F", "/"))


def test_why_tells_the_state_in_words_and_the_events_in_order(api: httpx.Client) -> None:
    answer = msgspec.json.decode(api.get("/v1/models/digits/why").content, type=WhyView)
    assert answer == WhyView(model="digits", summary=summarise(DIGITS), events=EVENTS)


def test_the_list_of_models_says_who_answers_and_what_does_not(api: httpx.Client) -> None:
    digits, ads = msgspec.json.decode(api.get("/v1/models").content, type=ModelsView).models
    assert (digits.name, digits.default_version, digits.ready_versions) == ("digits", 2, (2,))
    assert digits.unready == (UnreadyView(3, State.ERROR),), "what ended and is not wanted is left out"
    assert (digits.labels, digits.policy) == (DIGITS.labels, DIGITS.policy)
    assert (ads.name, ads.default_version, ads.ready_versions, ads.unready) == ("team/ads", None, (), ())


def test_the_metrics_page_is_passed_on_as_prometheus_wants_it(api: httpx.Client) -> None:
    answer = api.get("/metrics")
    assert answer.content == METRICS
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/v1/models/nobody", "/v1/models/nobody/why"])
def test_a_model_that_is_not_there_is_said_so(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"error": "There is no model named nobody; /v1/status lists all."}


@pytest.mark.parametrize(
    ("phase", "code"), [(Phase.STARTING, 503), (Phase.SERVING, 200), (Phase.DRAINING, 503)]
)
def test_ready_means_that_requests_are_served(
    api: httpx.Client, stage: Stage, phase: Phase, code: int
) -> None:
    stage.now = phase
    assert api.get("/readyz").status_code == code
    assert api.get("/readyz").json() == {"status": phase.value}
    assert api.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "code"), [("POST", "/v1/status", 405), ("GET", "/v2/status", 404), ("GET", "/", 404)]
)
def test_what_is_not_offered_is_refused_in_json(api: httpx.Client, method: str, path: str, code: int) -> None:
    answer = api.request(method, path)
    assert answer.status_code == code
    assert set(answer.json()) == {"error"}


def test_a_defect_answers_500_and_keeps_its_text_from_the_network(
    api: httpx.Client, address: str, stage: Stage
) -> None:
    stage.broken.append(RuntimeError("secret"))
    answer = api.get("/v1/status")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    stage.broken.clear()
    again = httpx.get(f"http://{address}/v1/status", trust_env=False)  # the defect closed its connection
    assert again.status_code == 200


def test_the_api_describes_itself_in_openapi(api: httpx.Client) -> None:
    document = api.get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/v1/status", "/v1/models", "/metrics", "/v1/models/{name}", "/v1/models/{name}/why"} <= set(
        document["paths"]
    )
    references = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert references == set(document["components"]["schemas"])


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8502",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:8502",
        "127.9.9.9:1",
        "[::1]:8502",
        "[::1]",
    ],
)
def test_a_loopback_host_is_known_as_one(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8502",
        "10.0.0.1",
        "[::]",
        "[::2]:1",
        "[::1",
        "[",
        "",
    ],
)
def test_any_other_host_is_not(host: str) -> None:
    assert not is_loopback_host(host)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1:8502"])
def test_a_page_of_a_stranger_cannot_read_through_dns_rebinding(api: httpx.Client, host: str) -> None:
    answer = api.get("/v1/status", headers={"host": host})
    assert answer.status_code == 403
    assert "digits" not in answer.text


def test_a_request_without_a_host_is_refused(address: str) -> None:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"GET /v1/status HTTP/1.0\r\n\r\n")
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status == 403


def test_an_address_beyond_the_loopback_may_have_any_name(stage: Stage) -> None:
    server = AdminServer(stage, host="0.0.0.0")  # noqa: S104 - what this test is about
    port = server.start().rpartition(":")[2]
    answer = httpx.get(
        f"http://127.0.0.1:{port}/healthz", headers={"host": "metrics.example"}, trust_env=False
    )
    server.stop()
    assert answer.status_code == 200


def test_a_header_without_end_is_cut_off_and_nothing_else_suffers(api: httpx.Client, address: str) -> None:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw, suppress(ConnectionError):
        raw.sendall(b"GET /healthz HTTP/1.1\r\nx: ")
        while True:  # a server that reads on would keep this loop going for ever
            raw.sendall(b"y" * 65_536)
    assert api.get("/healthz").status_code == 200


def test_a_port_that_is_taken_says_what_to_do(stage: Stage, address: str) -> None:
    host, _, port = address.rpartition(":")
    with pytest.raises(StartupError, match=f"cannot listen on {host}:{port}: .*Choose another") as caught:
        AdminServer(stage, host=host, port=int(port)).start()
    assert caught.value.code is Code.UNAVAILABLE


def test_a_host_that_is_not_known_says_what_to_do(stage: Stage) -> None:
    with pytest.raises(StartupError, match="cannot listen on"):
        AdminServer(stage, host="no-such-host.invalid").start()


def test_a_stopped_server_frees_its_port_and_may_be_stopped_twice(stage: Stage) -> None:
    server = AdminServer(stage)
    address = server.start()
    server.stop()
    server.stop()
    host, _, port = address.rpartition(":")
    again = AdminServer(stage, host=host, port=int(port))
    assert again.start() == address
    assert httpx.get(f"http://{address}/healthz", trust_env=False).status_code == 200
    again.stop()


def test_an_idle_connection_does_not_hold_up_a_stop(stage: Stage) -> None:
    server = AdminServer(stage)
    host, _, port = server.start().rpartition(":")
    idle = http.client.HTTPConnection(host, int(port), timeout=10)
    idle.request("GET", "/healthz")
    assert idle.getresponse().read() == b'{"status":"alive"}'
    server.stop()
    assert idle.sock.recv(1) == b""
    idle.close()


def test_the_summary_says_who_answers_and_what_is_wrong() -> None:
    assert summarise(DIGITS) == (
        "digits answers with version 2, ready since 2030-01-02 12:00:00+00:00: It is the highest that loaded. "
        "Version 3 is in state error since 2030-01-02 12:00:00+00:00 (DATA_LOSS): 6 attempts failed. "
        "Label canary names version 3, which is not ready: requests by the label are refused."
    )


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (SLASHED, "team/ads answers no requests: no version is ready."),
        (
            replace(SLASHED, source_failure=FailureView("NOT_FOUND", "Could not find base path /x")),
            "The last look for versions failed: Could not find base path /x.",
        ),
        (replace(SLASHED, found_versions=()), "No versions were found in /models/digits."),
        (replace(SLASHED, found_at=None), "No look at /models/digits has been finished yet."),
        (
            replace(
                SLASHED,
                versions=(VersionView(1, State.RETRYING, NOON, "Failed", next_attempt_at=NOON),),
            ),
            "Version 1 is in state retrying since 2030-01-02 12:00:00+00:00: Failed. "
            "Its next attempt is at 2030-01-02 12:00:00+00:00.",
        ),
        (
            replace(SLASHED, versions=(VersionView(1, State.READY, NOON, "Kept", aspired=False),)),
            "Version 1 is no longer aspired: Kept.",
        ),
        (
            replace(SLASHED, versions=(VersionView(1, State.READY, NOON, "So", files_changed_at=NOON),)),
            "The files of version 1 were seen at 2030-01-02 12:00:00+00:00 to be changed in place; it serves "
            "what it loaded. Publish the change under a new number.",
        ),
        (
            replace(
                SLASHED, versions=(VersionView(1, State.END, NOON, "So", aspired=False, requests_left=2),)
            ),
            "2 requests outlived the drain of version 1.",
        ),
        (
            replace(SLASHED, labels=(LabelView("stable", 1, ready=False, missing=True),)),
            "Label stable names version 1, which is not there: requests by the label are refused.",
        ),
        (
            replace(SLASHED, labels=(LabelView("stable", 1, ready=True, target=2),)),
            "Label stable moves to version 2 when that is ready; it is not there yet.",
        ),
        (
            replace(
                SLASHED,
                labels=(LabelView("stable", 1, ready=True),),
                versions=(VersionView(1, State.READY, NOON, "Kept", aspired=False),),
            ),
            "Label stable names version 1, which is no longer aspired: once it is unloaded, requests by the "
            "label are refused.",
        ),
        (replace(DIGITS, configured=False), "The configuration no longer names this model."),
        (
            replace(
                DIGITS, versions=(*DIGITS.versions, VersionView(0, State.READY, NOON, "Pinned.")), labels=()
            ),
            "Also ready: 0.",
        ),
    ],
)
def test_the_summary_says_what_holds_a_model_back(model: ModelView, words: str) -> None:
    assert words in summarise(model)


def test_a_policy_reads_as_it_is_written() -> None:
    assert str(PolicyView.of(Latest(2))) == "latest 2"
    assert str(PolicyView.of(All())) == "all"
    assert str(PolicyView.of(Specific((1, 7)))) == "specific 1, 7"
    assert str(PolicyView.of(Specific(()))) == "specific (none)"
