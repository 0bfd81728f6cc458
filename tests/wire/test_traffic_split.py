"""A model's split traffic, through both doors with public clients: who answers, and what the answer says of it."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from threading import Event
from typing import cast

import grpc
import numpy as np
import pytest
import requests

from tests.live.clients import MAKES
from tests.live.split_plane import SplitPlane
from understudy.buckets import BUCKETS, BucketRange
from understudy.client import Assignment, Client, Served
from understudy.routing.traffic import Remembering, Traffic
from understudy.wire import message_class

TIMEOUT_S = 30.0
SALT = "m-2-1"
QUARTER = Traffic(trial=SALT, epoch=1, candidate=2, salt=SALT, ranges=(BucketRange(2, 0, 2_500),))
AWAITING = replace(QUARTER, remembering=Remembering(output="y", window_s=60.0))
"""The same, of which truths will be told."""
CHANGES = 20
DOORS = ("grpc", "rest")


@dataclass(frozen=True)
class Answer:
    """What a client sees: y less x is the version's number; the headers in lower case."""

    code: str
    version: float
    headers: dict[str, str]

    @property
    def named(self) -> str | None:
        return self.headers.get("x-understudy-version")

    @property
    def ours(self) -> set[str]:
        """Names of the headers that speak of the version, or of the request."""
        return {name for name in self.headers if name.startswith("x-")}

    @property
    def why(self) -> tuple[str, str]:
        arm, _, reason = self.headers.get("x-understudy-arm", "").partition("; reason=")
        return arm, reason


def ask(
    plane: SplitPlane, door: str, x: float = 1.0, path: str = "", *, explain: bool = True, **headers: str
) -> Answer:
    """One Predict, which wants to know why; `path` is `/versions/1` or `/labels/stable`.

    Headers by their names with underscores.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if explain:
        named["x-understudy-explain"] = "1"
    return by_grpc(plane, x, path, named) if door == "grpc" else by_rest(plane, x, path, named)


def names(door: str, version: int) -> str | None:
    """What the header of an answer says of its version: nothing by gRPC, whose message does."""
    return None if door == "grpc" else str(version)


def by_rest(plane: SplitPlane, x: float, path: str, headers: dict[str, str]) -> Answer:
    url = f"http://{plane.rest}/v1/models/m{path}:predict"
    body = {"inputs": {"x": [x]}, "output_filter": ["y"]}
    answer = requests.post(url, json=body, headers=headers, timeout=TIMEOUT_S)
    version = answer.json()["outputs"][0] - x if answer.ok else 0
    said = {name.lower(): value for name, value in answer.headers.items()}
    return Answer("OK" if answer.ok else str(answer.status_code), version, said)


def by_grpc(plane: SplitPlane, x: float, path: str, headers: dict[str, str]) -> Answer:
    request = message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.name = "m"  # type: ignore[attr-defined] # of the private pool, here and below
    if path.startswith("/versions/"):
        request.model_spec.version.value = int(path.rsplit("/", 1)[1])  # type: ignore[attr-defined]
    elif path:
        request.model_spec.version_label = path.rsplit("/", 1)[1]  # type: ignore[attr-defined]
    tensor = request.inputs["x"]  # type: ignore[attr-defined]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1)
    tensor.float_val.append(x)
    with grpc.insecure_channel(plane.grpc) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict"
        )
        try:
            message, state = call.with_call(
                request.SerializeToString(), timeout=TIMEOUT_S, metadata=tuple(headers.items())
            )
        except grpc.RpcError as error:
            return Answer(error.code().name, 0, texts(error.trailing_metadata()))
    response = message_class("tensorflow.serving.PredictResponse").FromString(message)
    version = response.outputs["y"].float_val[0] - x  # type: ignore[attr-defined]
    return Answer("OK", version, texts(state.initial_metadata()))


def texts(metadata: object) -> dict[str, str]:
    """What metadata says; the stubs of gRPC do not agree on what that is."""
    pairs = cast(Iterable[tuple[str, str | bytes]], metadata or ())
    return {key: value for key, value in pairs if isinstance(value, str)}


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[SplitPlane]:
    """Versions 1 to 3; a quarter of the callers belong to 2."""
    with SplitPlane(tmp_path) as plane:
        plane.load(1, 2, 3)
        plane.publish((1, 2, 3), QUARTER)
        yield plane


@pytest.mark.parametrize("door", DOORS)
def test_a_caller_gets_the_version_that_the_documented_formula_says_each_time(
    plane: SplitPlane, door: str
) -> None:
    assignment = Assignment(SALT, {2: 2_500})
    versions = set()
    for key in ("ada@example.org", "grace", "7", "user-1", "user-2", "user-3"):
        version = assignment.version(key) or 1
        arm = "candidate" if version == 2 else "baseline"
        for _ in range(2):
            answer = ask(plane, door, x_routing_key=key)
            assert (answer.code, answer.version) == ("OK", version)
            assert (answer.named, answer.why) == (names(door, version), (arm, "sticky"))
        versions.add(version)
    assert versions == {1, 2}, "keys that show both"


@pytest.mark.parametrize("door", DOORS)
def test_a_request_without_a_key_is_drawn_and_says_so(plane: SplitPlane, door: str) -> None:
    said = {(answer.version, *answer.why) for answer in (ask(plane, door) for _ in range(100))}
    assert said == {(1, "baseline", "random"), (2, "candidate", "random")}


@pytest.mark.parametrize("door", DOORS)
def test_where_a_truth_is_awaited_a_request_id_is_the_caller_s_own_or_a_new_one(
    plane: SplitPlane, door: str
) -> None:
    assert "x-request-id" not in ask(plane, door, x_request_id="order/42").headers
    plane.publish((1, 2, 3), replace(AWAITING, epoch=2))
    assert ask(plane, door, x_request_id="order/42").headers["x-request-id"] == "order/42"
    made = {ask(plane, door).headers["x-request-id"] for _ in range(10)}
    assert len(made) == 10
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in made)


@pytest.mark.parametrize("value", ["1", "0", ""])
def test_a_grpc_answer_says_why_to_those_who_ask_in_whatever_words(plane: SplitPlane, value: str) -> None:
    answer = ask(plane, "grpc", x_routing_key="user-1", x_understudy_explain=value, explain=False)
    arm = "candidate" if answer.version == 2 else "baseline"
    assert (answer.code, answer.ours, answer.why) == ("OK", {"x-understudy-arm"}, (arm, "sticky"))


def test_a_grpc_answer_says_nothing_unasked_but_an_id_where_a_truth_is_awaited(plane: SplitPlane) -> None:
    unasked = ask(plane, "grpc", x_routing_key="user-1", x_request_id="order/42", explain=False)
    assert (unasked.code, unasked.ours) == ("OK", set())
    plane.publish((1, 2, 3), None)
    assert unasked.headers.keys() == ask(plane, "grpc", explain=False).headers.keys(), "as without a split"
    plane.publish((1, 2, 3), replace(AWAITING, epoch=2))
    awaited = ask(plane, "grpc", x_routing_key="user-1", x_request_id="order/42", explain=False)
    assert (awaited.code, awaited.ours) == ("OK", {"x-request-id"})
    assert awaited.headers["x-request-id"] == "order/42"
    asked = ask(plane, "grpc", x_routing_key="user-1", x_request_id="order/42")
    assert asked.ours == {"x-request-id", "x-understudy-arm"}


def test_a_rest_answer_says_why_unasked(plane: SplitPlane) -> None:
    answer = ask(plane, "rest", x_routing_key="user-1", explain=False)
    assert (answer.ours, answer.why[1]) == ({"x-understudy-version", "x-understudy-arm"}, "sticky")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("explain", [True, False])
def test_an_error_says_who_made_it_too_asked_or_not(plane: SplitPlane, door: str, *, explain: bool) -> None:
    plane.publish((1, 2, 3), replace(AWAITING, epoch=2))
    answer = ask(plane, door, 13.0, x_routing_key="user-1", x_request_id="order/42", explain=explain)
    assert answer.code in {"INVALID_ARGUMENT", "400"}
    assert answer.named == str(Assignment(SALT, {2: 2_500}).version("user-1") or 1)
    assert answer.why[1] == "sticky"
    assert answer.headers["x-request-id"] == "order/42"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("path", ["/versions/1", "/labels/stable"])
def test_who_names_a_version_or_a_label_is_never_split(plane: SplitPlane, door: str, path: str) -> None:
    plane.publish((1, 2, 3), replace(QUARTER, epoch=2, ranges=(BucketRange(2, 0, BUCKETS),)))
    answer = ask(plane, door, path=path, x_routing_key="user-1", x_understudy_version="3")
    assert (answer.version, answer.why) == (1, ("", ""))
    assert "x-request-id" not in answer.headers


@pytest.mark.parametrize("door", DOORS)
def test_a_tester_gets_a_version_where_that_is_allowed_and_is_not_noticed_where_not(
    plane: SplitPlane, door: str
) -> None:
    assert ask(plane, door, x_understudy_version="3").version in {1, 2}
    plane.publish((1, 2, 3), replace(QUARTER, may_override=True))
    answer = ask(plane, door, x_understudy_version="3")
    assert (answer.version, answer.named) == (3, names(door, 3))
    assert answer.why == ("other", "override")
    assert ask(plane, door, x_understudy_version="9").code in {"NOT_FOUND", "404"}
    assert ask(plane, door, x_understudy_version="three").code in {"INVALID_ARGUMENT", "400"}


@pytest.mark.parametrize("door", DOORS)
def test_a_model_may_have_its_key_under_another_name(plane: SplitPlane, door: str) -> None:
    plane.publish((1, 2, 3), replace(QUARTER, key_header="x-account"))
    assert ask(plane, door, x_account="user-1").why[1] == "sticky"
    assert ask(plane, door, x_routing_key="user-1").why[1] == "random"


@pytest.mark.parametrize("door", DOORS)
def test_without_a_split_only_rest_says_the_version(plane: SplitPlane, door: str) -> None:
    plane.publish((1, 2, 3), None)
    answer = ask(plane, door, x_routing_key="user-1", x_request_id="order/42")
    assert (answer.named, answer.why) == (names(door, 1), ("", ""))
    assert answer.ours == ({"x-understudy-version"} if door == "rest" else set())


@pytest.mark.parametrize("make", MAKES)
def test_our_client_sends_the_key_and_tells_why_a_version_answered(plane: SplitPlane, make: str) -> None:
    version = Assignment(SALT, {2: 2_500}).version("ada@example.org") or 1
    inputs = {"x": np.array([1.0], np.float32)}
    examples = [{"x": 1.0}]
    plane.publish((1, 2, 3), replace(AWAITING, epoch=2))
    with MAKES[make](plane.grpc, metadata={"x-request-id": "order/42"}, explain=True) as client:
        key = "ada@example.org"
        served = [
            client.predict("m", inputs, routing_key=key),
            client.classify("m", examples, signature="classify", routing_key=key),
            client.regress("m", examples, signature="regress", routing_key=key),
            *client.multi_inference("m", {"regress": "regress"}, examples, routing_key=key).values(),
        ]
        arm = "candidate" if version == 2 else "baseline"
        for each in served:
            assert each.version == version
            assert each.served == Served(arm, "sticky", "order/42")
        assert client.predict("m", inputs, version=1).served is None
        plane.publish((1, 2, 3), replace(QUARTER, epoch=3))
        assert client.predict("m", inputs, routing_key=key).served == Served(arm, "sticky")


@pytest.mark.parametrize("make", MAKES)
def test_our_client_unasked_tells_the_version_and_an_id_where_a_truth_is_awaited(
    plane: SplitPlane, make: str
) -> None:
    key, inputs = "ada@example.org", {"x": np.array([1.0], np.float32)}
    version = Assignment(SALT, {2: 2_500}).version(key) or 1
    with MAKES[make](plane.grpc, metadata={"x-request-id": "order/42"}) as client:
        answer = client.predict("m", inputs, routing_key=key)
        assert (answer.version, answer.served) == (version, None)
        plane.publish((1, 2, 3), replace(AWAITING, epoch=2))
        answer = client.predict("m", inputs, routing_key=key)
        assert (answer.version, answer.served) == (version, Served(None, None, "order/42"))


def test_a_key_is_found_in_an_integer_or_string_input_and_in_a_feature(plane: SplitPlane) -> None:
    plane.publish((1, 2, 3), replace(QUARTER, key_input="s"))
    with Client(plane.grpc, explain=True) as client:
        for value, reason in [(["user-1"], "sticky"), (["user-1", "user-1"], "random")]:
            served = client.predict("m", {"s": np.array(value)}, signature="echo").served
            assert served is not None
            assert served.reason == reason
        plane.publish((1, 2, 3), replace(QUARTER, key_input="user"))
        for user in ("user-1", 7):
            answer = client.regress("m", [{"x": 1.0, "user": user}], signature="regress")
            assert answer.version == (Assignment(SALT, {2: 2_500}).version(user) or 1)
            assert answer.served is not None
            assert answer.served.reason == "sticky"


@pytest.mark.slow
def test_while_a_candidate_comes_and_goes_under_load_nobody_fails_and_who_fell_back_is_told(
    plane: SplitPlane,
) -> None:
    over = Event()
    whole = replace(QUARTER, epoch=2, ranges=(BucketRange(2, 0, BUCKETS),))
    plane.publish((1, 2), whole)

    def call_until_over(door: str) -> set[tuple[float | str | None, ...]]:
        said: set[tuple[float | str | None, ...]] = set()
        for number in count():
            if over.is_set():
                return said
            answer = ask(plane, door, x_routing_key=f"user-{number}")
            assert (answer.code, answer.named) == ("OK", names(door, round(answer.version)))
            said.add((answer.version, *answer.why))
        raise AssertionError

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(call_until_over, door) for door in DOORS * 2]
        try:
            for _ in range(CHANGES):
                plane.publish((1,), whole)
                plane.unload(2)
                assert ask(plane, "grpc", x_routing_key="user-1").why == ("baseline", "fallback")
                plane.load(2)
                plane.publish((1, 2), whole)
                assert ask(plane, "rest", x_routing_key="user-1").why == ("candidate", "sticky")
        finally:
            over.set()
    seen = {said for each in callers for said in each.result()}
    assert seen == {(1, "baseline", "fallback"), (2, "candidate", "sticky")}
