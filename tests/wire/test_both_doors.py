"""One question through both doors of one live server, for every verb: the table is both_doors/."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from tests.live.exports import Exports, config_text
from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient
from tests.wire.both_doors.heads import HEADS
from tests.wire.both_doors.models import MODELS
from tests.wire.both_doors.predict import PREDICT
from tests.wire.both_doors.rows import Ask, Call, Case, Json, Refused

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

TABLE: tuple[Case, ...] = (*PREDICT, *HEADS, *MODELS)
EXPORTS = {
    "m": ("offset_1", "offset_2"),
    "sums": ("several_signatures",),
    "optional": ("defaults",),
    "nothing": ("zero_inputs",),
    "root": ("fails_at_run_time",),
    "odd": ("odd_heads",),
    "heads": ("shared_heads",),
}
"""The models of the table, and what each of their versions is; the last one of `m` is not the only one kept."""

HTTP_STATUS = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "NOT_FOUND": 404, "UNIMPLEMENTED": 501}


@pytest.fixture(scope="module")
def live(saved_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with the models of the table."""
    folder = tmp_path_factory.mktemp("both-doors")
    models = []
    for name, versions in EXPORTS.items():
        exports = Exports(folder / name)
        for number, export in enumerate(versions, 1):
            exports.copy(saved_models / export, number)
        more = (
            "model_version_policy { all {} } version_labels { key: 'stable' value: 1 }" if name == "m" else ""
        )
        models.append(
            f'config {{ name: "{name}" base_path: "{exports.base_path}" model_platform: "tensorflow" {more} }}'
        )
    config = folder / "models.config"
    config.write_text(config_text(*models))
    with LiveServer(f"--model-config-file={config}", "--enable-session-run") as server:
        yield server


def ids(case: Case) -> str:
    """What pytest calls a row."""
    return case.meaning.replace(" ", "-")


@pytest.mark.parametrize("case", [case for case in TABLE if case.grpc], ids=ids)
def test_grpc_answers_as_the_table_says(case: Case, live: LiveServer, serving_client: ServingClient) -> None:
    assert isinstance(case.grpc, Call)
    said = serving_client.call(live.grpc, case.grpc.rpc, case.grpc.text)
    if isinstance(case.grpc.answer, Refused):
        assert_refused(case.grpc.answer, said.code, case.grpc.answer.code, said.message)
        return
    assert said.code == "OK", said.message
    assert simplify(case.grpc.rpc, said.response) == case.grpc.answer


@pytest.mark.parametrize("case", [case for case in TABLE if case.rest], ids=ids)
def test_rest_answers_as_the_table_says(case: Case, live: LiveServer) -> None:
    assert isinstance(case.rest, Ask)
    url = f"http://{live.rest}/v1/models/{case.rest.path}"
    is_get = case.rest.body is None
    said = requests.get(url, timeout=60) if is_get else requests.post(url, json=case.rest.body, timeout=60)
    assert said.headers["content-type"] == "application/json"
    if isinstance(case.rest.answer, Refused):
        assert said.json().keys() == {"error"}
        assert_refused(
            case.rest.answer, said.status_code, HTTP_STATUS[case.rest.answer.code], said.json()["error"]
        )
        return
    assert said.status_code == 200, said.text
    rpc = "GetModelMetadata" if case.rest.path.endswith("/metadata") else ""
    assert simplify(rpc, said.json()) == case.rest.answer


def test_each_row_says_something_of_its_own() -> None:
    meanings = [case.meaning for case in TABLE]
    assert sorted(set(meanings)) == sorted(meanings)
    assert [case.meaning for case in TABLE if case.grpc is None and case.rest is None] == []


def assert_refused(expected: Refused, code: object, expected_code: object, text: str) -> None:
    """An error's code and text."""
    assert (code, text if not expected.is_part else expected.text) == (expected_code, expected.text), text
    assert expected.text in text


def simplify(rpc: str, response: Mapping[str, Json]) -> Json:
    """What an answer says, without the ways to write it: of tensors the elements, of metadata one signature."""
    if rpc == "Predict":
        tensors = response["outputs"]
        assert isinstance(tensors, dict)
        return {**response, "outputs": {alias: elements(tensor) for alias, tensor in tensors.items()}}
    if rpc == "GetModelMetadata":
        metadata = response["metadata"]
        assert isinstance(metadata, dict)
        signature = metadata["signature_def"]["signature_def"]["serving_default"]
        return without_empty({"model_spec": response["model_spec"], "signature": signature})
    return response


def elements(tensor: Mapping[str, Json]) -> list[Json]:
    """The elements of a TensorProto of floats, or of strings that are text."""
    values = tensor.get("string_val", tensor.get("float_val", []))
    assert isinstance(values, list)
    return [base64.b64decode(each).decode() if isinstance(each, str) else each for each in values]


def without_empty(value: Json) -> Json:
    """The same without what is empty: JSON of messages may leave that out, and TensorFlow Serving's does not."""
    if isinstance(value, dict):
        return {key: without_empty(each) for key, each in value.items() if each}
    return [without_empty(each) for each in value] if isinstance(value, list) else value
