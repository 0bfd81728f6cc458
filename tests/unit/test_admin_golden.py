"""Recording golden examples by the operators' API: what it refuses, and that a recorder who leaves is not waited for."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.live.control_plane import TIMEOUT_S, ControlPlane

PATH = "/v1/models/m/golden"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path) as plane:
        yield plane


def record(plane: ControlPlane, path: str = PATH, **wanted: object) -> httpx.Response:
    return plane.api.post(path, json=wanted)


def test_a_model_that_nobody_asks_gives_an_empty_file(plane: ControlPlane) -> None:
    answer = record(plane, duration_s=0)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "wanted", "status", "text"),
    [
        ("/v1/models/none/golden", {}, 404, "There is no model none"),
        (PATH, {"version": 7}, 404, "Version 7 of m does not answer; these do: 1"),
        (PATH, {"count": 0}, 400, "count"),
        (PATH, {"count": 1_001}, 400, "count"),
        (PATH, {"duration_s": 601}, 400, "duration_s"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_the_reason(
    plane: ControlPlane, path: str, wanted: dict[str, object], status: int, text: str
) -> None:
    answer = record(plane, path, **wanted)
    assert answer.status_code == status
    assert text in answer.json()["error"]


def test_only_a_program_of_this_machine_may_record_requests(plane: ControlPlane) -> None:
    answer = plane.api.post(PATH, content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    answer = plane.api.post(PATH, json={}, headers={"origin": "http://elsewhere"})
    assert answer.status_code == 403


@pytest.mark.slow
def test_one_records_at_a_time_and_one_that_leaves_makes_room(plane: ControlPlane) -> None:
    host, _, port = plane.address.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as leaver:
        body = b'{"duration_s": 600}'
        head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
        leaver.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + body)
        refused = wait_status(plane, 409)
        assert refused.json()["error"] == "requests of m are being captured already; wait for that to end"
    assert wait_status(plane, 200).content == b""


def wait_status(plane: ControlPlane, status: int) -> httpx.Response:
    """Asks until it is answered so."""
    deadline = time.monotonic() + TIMEOUT_S
    while (answer := record(plane, duration_s=0)).status_code != status:
        assert time.monotonic() < deadline
    return answer
