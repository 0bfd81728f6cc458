"""Changes by the operators' API, over a real socket to a real control plane: what they do, who may make them."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.live.control_plane import ControlPlane
from understudy.admin.changes import BODY_BYTES_MAX
from understudy.admin.guard import is_loopback_address
from understudy.server import operator

LABELS = "/v1/models/{}/labels/{}"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path) as plane:
        yield plane


def apply(plane: ControlPlane, *names: str, **more: object) -> httpx.Response:
    return plane.api.post("/v1/config", json={"text": plane.text(*names), **more})


def numbers(plane: ControlPlane) -> list[int]:
    return [each["number"] for each in plane.api.get("/v1/config/revisions").json()["revisions"]]


def test_a_configuration_is_applied_and_answered_when_new_models_serve(plane: ControlPlane) -> None:
    answer = apply(plane, "m", "n", detail="more models")
    assert answer.status_code == 200
    assert answer.json() == {
        "revision": 2,
        "dry_run": False,
        "added": ["n"],
        "removed": [],
        "changed": [],
        "failed": [],
        "labels_left": [],
        "loading": [],
    }
    assert plane.api.get("/v1/models/n").json()["default_version"] == 1
    assert plane.api.get("/v1/status").json()["config_revision"] == 2
    shown = plane.api.get("/v1/config").json()
    assert 'name: "n"' in shown["text"]
    assert shown["revision"]["origin"] == "api"
    assert shown["revision"]["detail"] == "more models"
    assert shown["revision"]["in_force"]


def test_a_dry_run_says_what_would_change_and_changes_nothing(plane: ControlPlane) -> None:
    answer = apply(plane, "n", dry_run=True).json()
    assert (answer["dry_run"], answer["revision"], answer["added"], answer["removed"]) == (
        True,
        1,
        ["n"],
        ["m"],
    )
    assert numbers(plane) == [1]
    assert plane.api.get("/v1/models/n").status_code == 404


def test_an_equal_configuration_makes_no_revision(plane: ControlPlane) -> None:
    answer = apply(plane, "m").json()
    assert (answer["revision"], answer["added"], answer["removed"], answer["changed"]) == (1, [], [], [])
    assert numbers(plane) == [1]


def test_a_new_model_that_fails_is_named_and_the_rest_is_in_force(plane: ControlPlane) -> None:
    plane.exports["n"].synthetic(2, fail_load="cursed")
    answer = apply(plane, "m", "n").json()
    assert answer["revision"] == 2
    (failed,) = answer["failed"]
    assert (failed["model"], failed["version"]) == ("n", 2)
    assert "cursed" in failed["message"]


def test_a_label_that_cannot_move_is_named_and_the_rest_is_in_force(plane: ControlPlane) -> None:
    plane.exports["n"].synthetic(2, fail_load="cursed")
    label = ' version_labels { key: "next" value: 2 } }'
    model = label.join(plane.text("n").rsplit(" }", 1))
    answer = plane.api.post("/v1/config", json={"text": model}).json()
    assert answer["revision"] == 2
    (left,) = answer["labels_left"]
    assert (left["model"], left["label"], left["version"]) == ("n", "next", 2)
    assert "cursed" in left["reason"]


def test_an_answer_does_not_wait_longer_than_it_is_told_to(plane: ControlPlane) -> None:
    plane.exports["n"].synthetic(2, load_ms=5000)
    answer = apply(plane, "m", "n", wait_s=0).json()
    assert (answer["revision"], answer["loading"]) == (2, ["n"])


@pytest.mark.parametrize(
    ("text", "status", "code", "place", "words"),
    [
        ("model_config_list {\n  confog {} }", 400, "INVALID_ARGUMENT", (2, 3), "confog"),
        ('model_config_list { config { name: "m" base_path: "x" model_platform: "synthetic" } }', 400, "INVALID_ARGUMENT", (None, None), "absolute path"),
        ("", 400, "INVALID_ARGUMENT", (None, None), "says nothing"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_taken_is_refused_with_its_place(
    plane: ControlPlane,
    text: str,
    status: int,
    code: str,
    place: tuple[int | None, int | None],
    words: str,
) -> None:
    answer = plane.api.post("/v1/config", json={"text": text})
    assert answer.status_code == status
    body = answer.json()
    assert (body["code"], (body["line"], body["column"])) == (code, place)
    assert words in body["error"]
    assert numbers(plane) == [1]


def test_what_was_is_read_and_comes_back(plane: ControlPlane) -> None:
    apply(plane, "m", "n")
    apply(plane, "n")
    assert numbers(plane) == [3, 2, 1]
    assert [each["number"] for each in plane.api.get("/v1/config/revisions?limit=2").json()["revisions"]] == [
        3,
        2,
    ]
    first = plane.api.get("/v1/config/revisions/1").json()
    assert not first["revision"]["in_force"]
    back = plane.api.post("/v1/config/rollback", json={"revision": 1}).json()
    assert (back["revision"], back["added"], back["removed"]) == (4, ["m"], ["n"])
    assert plane.api.get("/v1/config").json()["text"] == first["text"]
    again = plane.api.post("/v1/config/rollback", json={"revision": 1}).json()
    assert (again["revision"], again["added"]) == (4, [])
    assert plane.api.post("/v1/config/rollback", json={"revision": 9}).status_code == 404
    assert plane.api.get("/v1/config/revisions/9").status_code == 404


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1", "1.5", "9" * 5000])
def test_a_limit_that_is_none_is_refused(plane: ControlPlane, limit: str) -> None:
    answer = plane.api.get(f"/v1/config/revisions?limit={limit}")
    assert answer.status_code == 400
    assert "limit must be a number" in answer.json()["error"]


def test_a_change_from_a_revision_that_is_no_longer_in_force_is_refused(plane: ControlPlane) -> None:
    apply(plane, "m", "n")
    answer = apply(plane, "m", expected_revision=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "ABORTED")
    assert apply(plane, "m", expected_revision=2).json()["revision"] == 3


def test_labels_are_set_moved_and_removed(plane: ControlPlane) -> None:
    apply(plane, "m", "team/ads")
    for name in ("m", "team/ads"):
        put = plane.api.put(LABELS.format(name, "stable"), json={"version": 1})
        assert (put.status_code, put.json()["changed"]) == (200, [name])
        (label,) = plane.api.get(f"/v1/models/{name}").json()["labels"]
        assert (label["label"], label["version"], label["ready"]) == ("stable", 1, True)
    assert plane.api.put(LABELS.format("m", "stable"), json={"version": 1}).json()["changed"] == []
    assert plane.api.delete(LABELS.format("team/ads", "stable")).status_code == 200
    assert plane.api.get("/v1/models/team/ads").json()["labels"] == []
    assert [plane.store.revisions.history(1)[0].detail] == ["label stable of team/ads removed"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", LABELS.format("nobody", "a"), {"version": 1}, 404),
        ("DELETE", LABELS.format("m", "a"), None, 404),
        ("PUT", LABELS.format("m", "a"), {"version": -1}, 400),
        ("PUT", LABELS.format("m", "a"), {}, 400),
        ("POST", LABELS.format("m", "a"), {"version": 1}, 405),
        ("POST", "/v1/models/m/versions/1/retry", None, 409),
        ("POST", "/v1/models/m/versions/9/retry", None, 404),
        ("POST", "/v1/models/nobody/versions/1/retry", None, 404),
        ("POST", "/v1/models/m/versions/one/retry", None, 404),
        ("POST", f"/v1/models/m/versions/{'9' * 5000}/retry", None, 404),
        ("POST", f"/v1/models/m/versions/{2**63}/retry", None, 404),
        ("POST", "/v1/config", [], 400),
        ("POST", "/v1/config", {"text": "model_config_list {}", "wait_s": 1e9}, 400),
        ("POST", "/v1/config", {"text": "model_config_list {}", "detail": "x" * 501}, 400),
        ("POST", "/v1/config/rollback", {"revision": "1"}, 400),
    ],
)
def test_what_cannot_be_done_is_refused(
    plane: ControlPlane, method: str, path: str, body: object, status: int
) -> None:
    answer = plane.api.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]
    assert numbers(plane) == [1]


def test_label_changes_made_at_once_are_all_kept(plane: ControlPlane) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda n: plane.api.put(LABELS.format("m", f"l{n}"), json={"version": 1}), range(4))
        )
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(plane.api.get("/v1/models/m").json()["labels"]) == 4


def test_a_failed_version_is_tried_again(plane: ControlPlane) -> None:
    broken = plane.exports["n"].synthetic(2, fail_load="cursed")
    assert apply(plane, "m", "n").json()["failed"]
    (broken / "synthetic.json").write_text('{"a": 1.0, "b": 0.0, "version": 2}')
    answer = plane.api.post("/v1/models/n/versions/2/retry")
    assert answer.json() == {
        "model": "n",
        "version": 2,
        "reason": "an operator asked for another try",
    }
    while plane.api.get("/v1/models/n").json()["versions"][0]["state"] != "ready":
        pass  # the client's time-out ends a test that hangs


STRANGERS = {
    "a web page": ({"origin": "http://localhost:8502"}, 403),
    "a page that renamed itself": ({"host": "evil.example"}, 403),
    "a form": ({"content-type": "text/plain"}, 415),
    "nobody says what it is": ({"content-type": ""}, 415),
}
CHANGES = [
    ("POST", "/v1/config"),
    ("POST", "/v1/config/rollback"),
    ("PUT", LABELS.format("m", "a")),
    ("DELETE", LABELS.format("m", "a")),
    ("POST", "/v1/models/m/versions/1/retry"),
]


@pytest.mark.parametrize("admin_host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - what this test is about
def test_a_web_page_cannot_change_anything(tmp_path: Path, admin_host: str) -> None:
    with ControlPlane(tmp_path, admin_host=admin_host) as plane:
        for (method, path), (headers, status) in itertools.product(CHANGES, STRANGERS.values()):
            answer = plane.api.request(
                method, path, headers=headers, json={"text": plane.text(), "revision": 1, "version": 1}
            )
            assert answer.status_code == status, (method, path, headers)
        assert numbers(plane) == [1]


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_known_as_such(plane: ControlPlane, content_type: str) -> None:
    answer = plane.api.put(
        LABELS.format("m", "a"), content=b'{"version": 1}', headers={"content-type": content_type}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("::2", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_a_peer_of_this_machine_is_known_as_one(address: str, is_here: bool) -> None:  # noqa: FBT001
    assert is_loopback_address(address) is is_here


def test_a_body_that_is_too_large_is_refused(plane: ControlPlane) -> None:
    answer = plane.api.post("/v1/config", content=b" " * (BODY_BYTES_MAX + 1))
    assert answer.status_code == 413
    assert numbers(plane) == [1]


def test_a_disk_that_takes_nothing_refuses_the_change(plane: ControlPlane) -> None:
    plane.store.database.execute("PRAGMA max_page_count = 1")  # SQLite's own way to have a full disk
    answer = apply(plane, "m", *(f"model-{number}" for number in range(1000)), wait_s=0)
    assert (answer.status_code, answer.json()["code"]) == (507, "RESOURCE_EXHAUSTED")
    assert "could not be written, so nothing was changed" in answer.json()["error"]
    assert numbers(plane) == [1]
    assert plane.api.get("/v1/models/model-1").status_code == 404


def test_a_control_loop_that_has_stopped_is_not_waited_for(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "ANSWER_GRACE_S", 0.05)
    plane.stop_loop()
    answer = apply(plane, "m", "n", wait_s=0)
    assert (answer.status_code, answer.json()["code"]) == (504, "DEADLINE_EXCEEDED")
    assert "whether the change is in force is not known" in answer.json()["error"]


def test_the_api_describes_its_changes(plane: ControlPlane) -> None:
    paths = plane.api.get("/v1/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert {
        ("GET", "/v1/config"),
        ("POST", "/v1/config"),
        ("GET", "/v1/config/revisions"),
        ("GET", "/v1/config/revisions/{number}"),
        ("POST", "/v1/config/rollback"),
        ("PUT", "/v1/models/{name}/labels/{label}"),
        ("DELETE", "/v1/models/{name}/labels/{label}"),
        ("POST", "/v1/models/{name}/versions/{version}/retry"),
    } <= described
