"""Rollouts, traffic and quarantine by the operators' API, over a real socket to a real control plane."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.live.control_plane import TIMEOUT_S, ControlPlane
from understudy.admin.rollout_routes import BODY_BYTES_MAX
from understudy.admin.rollouts import RolloutView, StoryView, TrafficView

ROLLOUT = "/v1/models/{}/rollout"
TRAFFIC = "/v1/models/{}/traffic"
QUARANTINE = "/v1/models/{}/versions/{}/quarantine"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path) as plane:
        yield plane


def start(plane: ControlPlane, candidate: int = 2, model: str = "m", **more: object) -> httpx.Response:
    return plane.api.post(ROLLOUT.format(model), json={"candidate": candidate, **more})


def order(plane: ControlPlane, turn: str, **more: object) -> httpx.Response:
    return plane.api.post(f"{ROLLOUT.format('m')}/{turn}", json=more)


def test_a_rollout_begins_waits_and_is_told_of(plane: ControlPlane) -> None:
    begun = start(plane, by="ann@desk")
    assert begun.status_code == 200, begun.text
    view = msgspec.json.decode(begun.content, type=RolloutView)
    assert (view.model, view.baseline, view.candidate, view.asked_by) == ("m", 1, 2, "ann@desk")
    assert (view.phase.value, view.step, view.steps, view.weight) == ("waiting", 0, 4, 0)
    assert view.waits_for == ("version 2 to be ready",)
    seen = msgspec.json.decode(plane.api.get(ROLLOUT.format("m")).content, type=RolloutView)
    assert seen.id == view.id
    everything = plane.api.get("/v1/rollouts").json()
    assert [each["id"] for each in everything["present"]] == [view.id]
    assert everything["ended"] == []
    story = msgspec.json.decode(plane.api.get(f"/v1/rollouts/{view.id}").content, type=StoryView)
    assert story.rollout.id == view.id
    assert [(each.kind, each.by) for each in story.decisions] == [("rollout_started", "ann@desk")]
    assert plane.api.get("/v1/models/m").json()["rollout"]["id"] == view.id
    assert (
        "is to put version 2 in the place of version 1" in plane.api.get("/v1/models/m/why").json()["summary"]
    )


def test_an_aborted_rollout_is_history_and_its_candidate_in_quarantine(plane: ControlPlane) -> None:
    rollout = start(plane).json()["id"]
    ended = order(plane, "abort", reason="wrong labels", by="ann@desk")
    assert ended.status_code == 200, ended.text
    assert (ended.json()["id"], ended.json()["phase"], ended.json()["weight"]) == (rollout, "rolled_back", 0)
    assert ended.json()["waits_for"] == []
    assert plane.api.get(ROLLOUT.format("m")).json()["phase"] == "rolled_back"
    (head,) = plane.api.get("/v1/models/m/rollouts").json()["rollouts"]
    assert (head["id"], head["phase"]) == (rollout, "rolled_back")
    assert "wrong labels" in head["reason"]
    assert [each["id"] for each in plane.api.get("/v1/rollouts").json()["ended"]] == [rollout]
    (quarantined,) = plane.api.get("/v1/models/m/quarantine").json()["versions"]
    assert (quarantined["version"], quarantined["by"]) == (2, "ann@desk")
    decisions = plane.api.get(f"/v1/rollouts/{rollout}").json()["decisions"]
    last = next(each for each in decisions if each["kind"] == "rollout_rolled_back")
    assert (last["by"], last["after"]["phase"]) == ("ann@desk", "rolled_back")
    assert start(plane).status_code == 409, "it is in quarantine"
    assert plane.api.delete(QUARANTINE.format("m", 2)).json()["quarantined"] == []
    assert start(plane).status_code == 200


def test_an_abort_may_leave_the_candidate_free(plane: ControlPlane) -> None:
    start(plane)
    order(plane, "abort", quarantine=False)
    assert plane.api.get("/v1/models/m/quarantine").json() == {"model": "m", "versions": []}


def test_a_rollout_is_paused_and_resumed(plane: ControlPlane) -> None:
    start(plane)
    paused = order(plane, "pause", by="ann@desk").json()
    assert paused["pause"] == "operator"
    assert paused["waits_for"] == ["`understudy rollout resume m`: an operator paused it"]
    assert order(plane, "resume").json()["pause"] is None
    story = plane.api.get(f"/v1/rollouts/{paused['id']}").json()
    assert [(each["kind"], each["by"]) for each in story["decisions"][1:]] == [
        ("rollout_paused", "ann@desk"),
        ("rollout_resumed", "api"),
    ]


@pytest.mark.parametrize(
    ("asked", "stages", "shadow"),
    [
        ({}, [100, 500, 2_500, 5_000], True),
        ({"steps": [10, 50]}, [1_000, 5_000], True),
        ({"steps": [0.25], "shadow": False}, [25], False),
        ({"steps": []}, [], True),
        ({"plan": "steps: [2 %, {weight: 4 %, dwell: 3 min}]"}, [200, 400], True),
        ({"plan": '{"steps": ["2 %"], "shadow": null}'}, [200], False),
        ({"plan": "steps: [2 %]", "steps": [7, 8]}, [700, 800], True),
    ],
)
def test_the_plan_is_the_text_s_and_steps_and_shadow_vary_it(
    plane: ControlPlane,
    asked: dict[str, object],
    stages: list[int],
    shadow: bool,  # noqa: FBT001 - a table
) -> None:
    plan = plane.api.post(ROLLOUT.format("m"), json={"candidate": 2, **asked}).json()["plan"]
    assert [step["weight"] for step in plan["steps"]] == stages
    assert (plan["shadow"] is not None) is shadow


def test_other_shares_keep_what_must_be_before_the_next_step(plane: ControlPlane) -> None:
    plan = "steps: [{weight: 1 %, dwell: 5 s}, {weight: 2 %, dwell: 7 s, needs_approval: true}]"
    steps = start(plane, plan=plan, steps=[10, 20, 30]).json()["plan"]["steps"]
    assert [(each["dwell_s"], each["needs_approval"]) for each in steps] == [(5, False), (7, True), (7, True)]


def test_a_plan_that_cannot_be_taken_is_refused_with_its_place(plane: ControlPlane) -> None:
    answer = start(plane, plan="shadow: none\nstebs: [1 %]")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")
    assert (answer.json()["line"], answer.json()["column"]) == (2, 1)
    assert "steps" in answer.json()["error"]
    assert plane.api.get(ROLLOUT.format("m")).status_code == 404


def test_a_version_in_quarantine_is_not_served(plane: ControlPlane) -> None:
    answer = plane.api.post(QUARANTINE.format("m", 7), json={"reason": "broken", "by": "ann@desk"})
    view = msgspec.json.decode(answer.content, type=TrafficView)
    ((version, by, reason),) = [(each.version, each.by, each.reason) for each in view.quarantined]
    assert (version, by, reason) == (7, "ann@desk", "broken")
    assert [(each.version, each.kind) for each in view.overlays] == [(7, "quarantined")]
    assert plane.api.post(QUARANTINE.format("m", 7), json={}).status_code == 409
    assert plane.api.delete(QUARANTINE.format("m", 7), params={"by": "bob"}).json()["quarantined"] == []
    assert plane.api.delete(QUARANTINE.format("m", 7)).status_code == 404


def test_traffic_without_a_split_is_the_default_version_s(plane: ControlPlane) -> None:
    traffic = plane.api.get(TRAFFIC.format("m")).json()
    assert traffic["shares"] == [{"version": 1, "weight": 10_000, "arm": ""}]
    assert (traffic["managed"], traffic["rollout"], traffic["weights_by"]) == (False, None, None)


def test_traffic_is_split_by_hand_and_the_split_taken_away(plane: ControlPlane) -> None:
    plane.exports["n"].synthetic(2)
    both = plane.text("n").replace(" }", " model_version_policy { all {} } }", 1)
    applied = plane.api.post("/v1/config", json={"text": both})
    assert applied.status_code == 200, applied.text
    wait_both_ready(plane, "n")
    split = plane.api.put(TRAFFIC.format("n"), json={"weights": {"1": 90, "2": 10}, "by": "ann@desk"})
    assert split.status_code == 200, split.text
    view = msgspec.json.decode(split.content, type=TrafficView)
    assert (view.weights_by, view.key_header) == ("ann@desk", "x-routing-key")
    assert {each.version: each.weight for each in view.shares} == {1: 9_000, 2: 1_000}
    cleared = plane.api.delete(TRAFFIC.format("n"), params={"by": "ann@desk"}).json()
    assert [each["weight"] for each in cleared["shares"]] == [10_000]
    again = plane.api.delete(TRAFFIC.format("n"))
    assert (again.status_code, again.json()["code"]) == (409, "FAILED_PRECONDITION")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", ROLLOUT.format("m"), None, 404, "understudy rollout start m --to VERSION"),
        ("GET", ROLLOUT.format("nobody"), None, 404, "no model named nobody"),
        ("GET", "/v1/models/nobody/rollouts", None, 404, "no model named nobody"),
        ("GET", TRAFFIC.format("nobody"), None, 404, "no model named nobody"),
        ("GET", "/v1/models/nobody/quarantine", None, 404, "no model named nobody"),
        ("GET", "/v1/rollouts/m-9-9", None, 404, "no rollout m-9-9 on record"),
        ("GET", "/v1/rollouts?limit=0", None, 400, "limit must be"),
        ("POST", ROLLOUT.format("m"), {}, 400, "candidate"),
        ("POST", ROLLOUT.format("m"), {"candidate": -1}, 400, "candidate"),
        ("POST", ROLLOUT.format("m"), {"candidate": 1}, 409, "serves already"),
        ("POST", ROLLOUT.format("m"), {"candidate": 2, "baseline": 9}, 409, "begins from what serves"),
        ("POST", ROLLOUT.format("m"), {"candidate": 2, "steps": [5, 5]}, 400, "ascend"),
        ("POST", ROLLOUT.format("m"), {"candidate": 2, "steps": [0]}, 400, "steps"),
        ("POST", ROLLOUT.format("m"), {"candidate": 2, "steps": [0.001]}, 400, "hundredth"),
        ("POST", ROLLOUT.format("m"), {"candidate": 2, "steps": [1] * 101}, 400, "length"),
        ("POST", ROLLOUT.format("m"), {"candidate": 2, "by": "x" * 201}, 400, "length"),
        ("POST", ROLLOUT.format("nobody"), {"candidate": 2}, 404, "nobody"),
        *(
            ("POST", f"{ROLLOUT.format('m')}/{turn}", {}, 409, "m has no rollout")
            for turn in ("pause", "resume", "approve", "promote", "undo", "abort")
        ),
        ("POST", f"{ROLLOUT.format('m')}/restart", {}, 405, ""),
        ("POST", "/v1/models/m/feedback", {"items": []}, 409, "asks for truths"),
        ("POST", "/v1/models/nobody/feedback", {"items": []}, 404, "nobody"),
        ("POST", "/v1/models/m/feedback", {"items": [{"request_id": "a"}]}, 400, "truth"),
        ("POST", "/v1/models/m/feedback", {"items": [{"request_id": "a", "truth": None}]}, 400, "truth"),
        ("PUT", TRAFFIC.format("m"), {"weights": {}}, 400, "length"),
        ("PUT", TRAFFIC.format("m"), {"weights": {"1": 90}}, 400, "add up to 90 %"),
        ("PUT", TRAFFIC.format("m"), {"weights": {"1": 99.999, "2": 0.001}}, 400, "hundredth"),
        ("PUT", TRAFFIC.format("m"), {"weights": {"x": 100}}, 400, "weights"),
        ("PUT", TRAFFIC.format("m"), {"weights": {"1": 90, "9": 10}}, 409, "9"),
        ("DELETE", f"{TRAFFIC.format('m')}?by={'x' * 201}", None, 400, "by may have"),
        ("POST", QUARANTINE.format("m", "one"), {}, 404, "no number of a version"),
        ("POST", QUARANTINE.format("nobody", 1), {}, 404, "nobody"),
        ("DELETE", QUARANTINE.format("m", 9), None, 404, "not in quarantine"),
    ],
)
def test_what_cannot_be_done_is_refused_and_says_why(
    plane: ControlPlane, method: str, path: str, body: object, status: int, words: str
) -> None:
    answer = plane.api.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert plane.api.get("/v1/rollouts").json() == {"present": [], "ended": []}


def test_two_rollouts_of_a_model_are_one_too_many(plane: ControlPlane) -> None:
    first = start(plane).json()["id"]
    second = start(plane, 3)
    assert (second.status_code, second.json()["code"]) == (409, "ALREADY_EXISTS")
    assert first in second.json()["error"]


ORDERS = [
    ("POST", ROLLOUT.format("m")),
    ("POST", f"{ROLLOUT.format('m')}/abort"),
    ("POST", f"{ROLLOUT.format('m')}/promote"),
    ("POST", "/v1/models/m/feedback"),
    ("PUT", TRAFFIC.format("m")),
    ("DELETE", TRAFFIC.format("m")),
    ("POST", QUARANTINE.format("m", 1)),
    ("DELETE", QUARANTINE.format("m", 1)),
]


@pytest.mark.parametrize(("method", "path"), ORDERS)
def test_a_web_page_cannot_order_anything(plane: ControlPlane, method: str, path: str) -> None:
    body = {"candidate": 2, "weights": {"1": 100}}
    for headers, status in (
        ({"origin": "http://localhost:8502"}, 403),
        ({"host": "evil.example"}, 403),
        ({"content-type": "text/plain"}, 415),
    ):
        assert plane.api.request(method, path, headers=headers, json=body).status_code == status
    assert plane.api.get("/v1/rollouts").json()["present"] == []


def test_a_body_that_is_too_large_is_refused(plane: ControlPlane) -> None:
    answer = plane.api.post(ROLLOUT.format("m"), content=b" " * (BODY_BYTES_MAX + 1))
    assert answer.status_code == 413


def test_a_model_whose_name_has_slashes_is_rolled_out_too(plane: ControlPlane) -> None:
    plane.api.post("/v1/config", json={"text": plane.text("m", "team/ads")})
    rollout = start(plane, model="team/ads").json()
    assert rollout["model"] == "team/ads"
    story = plane.api.get(f"/v1/rollouts/{rollout['id']}")
    assert story.json()["rollout"]["id"] == rollout["id"]
    assert plane.api.get("/v1/models/team%2Fads/traffic").json()["rollout"] == rollout["id"]


@pytest.mark.slow
def test_a_retreat_that_cannot_be_recorded_is_in_force_and_said_to_be_unrecorded(plane: ControlPlane) -> None:
    rollout = start(plane).json()["id"]
    plane.store.database.execute("PRAGMA query_only = ON")  # SQLite's own way to refuse every write
    aborted = order(plane, "abort", reason="wrong labels")
    assert aborted.status_code == 200, aborted.text
    assert_rolled_back(aborted.json(), is_recorded=False)
    assert_rolled_back(plane.api.get(ROLLOUT.format("m")).json(), is_recorded=False)
    story = plane.api.get(f"/v1/rollouts/{rollout}").json()
    assert_rolled_back(story["rollout"], is_recorded=False)
    kinds = [each["kind"] for each in story["decisions"]]
    assert kinds == ["rollout_started", "rollout_rolled_back", "version_quarantined"]
    heads = (
        plane.api.get("/v1/models/m/rollouts").json()["rollouts"],
        plane.api.get("/v1/rollouts").json()["ended"],
    )
    assert [[(each["id"], each["phase"]) for each in listed] for listed in heads] == [
        [(rollout, "rolled_back")]
    ] * 2
    assert plane.api.get(TRAFFIC.format("m")).json()["is_recorded"] is False
    assert not start(plane, 3).is_success, "nothing goes forward"
    plane.store.database.execute("PRAGMA query_only = OFF")
    deadline = time.monotonic() + TIMEOUT_S
    while not plane.api.get(TRAFFIC.format("m")).json()["is_recorded"]:
        assert time.monotonic() < deadline
    assert_rolled_back(plane.api.get(ROLLOUT.format("m")).json(), is_recorded=True)
    assert plane.api.get(f"/v1/rollouts/{rollout}").json()["decisions"] == story["decisions"]


def assert_rolled_back(rollout: dict[str, object], *, is_recorded: bool) -> None:
    assert (rollout["phase"], rollout["is_recorded"], rollout["waits_for"]) == (
        "rolled_back",
        is_recorded,
        [],
    )
    assert "wrong labels" in str(rollout["reason"])


HALVES = [{"version": 1, "weight": 5_000}, {"version": 2, "weight": 5_000}]


@pytest.mark.slow
def test_a_model_with_a_very_long_name_is_rolled_out_and_split_and_holds_up_nobody(
    plane: ControlPlane,
) -> None:
    name = "n" * 1_000
    plane.exports["n"].synthetic(2)
    first, both = (
        plane.text("m", "n").replace('name: "n"', f'name: "{name}" model_version_policy {{ {policy} }}')
        for policy in ("specific { versions: 1 }", "all {}")
    )
    assert plane.api.post("/v1/config", json={"text": first}).is_success
    plan = "shadow: none\nsteps: [{weight: 50 %, dwell: 0 s, requests: 1}]"
    begun = start(plane, model=name, plan=plan)
    assert begun.status_code == 200, begun.text
    wait_shares(plane, name, HALVES)
    assert plane.api.put("/v1/models/m/labels/mine", json={"version": 1}).is_success
    assert plane.api.post(f"{ROLLOUT.format(name)}/abort", json={"quarantine": False}).is_success
    assert plane.api.post("/v1/config", json={"text": both}).is_success
    wait_both_ready(plane, name)
    split = plane.api.put(TRAFFIC.format(name), json={"weights": {"1": 50, "2": 50}})
    assert split.status_code == 200, split.text
    wait_shares(plane, name, HALVES)
    assert plane.api.put("/v1/models/m/labels/mine", json={"version": 1}).is_success


def wait_both_ready(plane: ControlPlane, model: str) -> None:
    """Until both versions of a model can answer."""
    deadline = time.monotonic() + TIMEOUT_S
    while [each["state"] for each in plane.api.get(f"/v1/models/{model}").json()["versions"]] != [
        "ready"
    ] * 2:
        assert time.monotonic() < deadline


def wait_shares(plane: ControlPlane, model: str, shares: list[dict[str, int]]) -> None:
    """Until this is how a model's requests are split."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        seen = plane.api.get(TRAFFIC.format(model)).json()["shares"]
        if [{key: each[key] for key in ("version", "weight")} for each in seen] == shares:
            return
        assert time.monotonic() < deadline, seen


def test_the_api_describes_all_of_it(plane: ControlPlane) -> None:
    paths = plane.api.get("/v1/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    model = "/v1/models/{name}"
    assert {
        ("GET", "/v1/rollouts"),
        ("GET", "/v1/rollouts/{rollout}"),
        ("GET", f"{model}/rollout"),
        ("GET", f"{model}/rollouts"),
        ("POST", f"{model}/rollout"),
        *(
            ("POST", f"{model}/rollout/{turn}")
            for turn in ("pause", "resume", "approve", "promote", "undo", "abort")
        ),
        ("POST", f"{model}/feedback"),
        ("GET", f"{model}/traffic"),
        ("PUT", f"{model}/traffic"),
        ("DELETE", f"{model}/traffic"),
        ("GET", f"{model}/quarantine"),
        ("POST", f"{model}/versions/{{version}}/quarantine"),
        ("DELETE", f"{model}/versions/{{version}}/quarantine"),
    } <= described
