"""A model.tflite through both doors answers what the wheel's own interpreter answers."""

import base64
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import requests

from tests.litert.asking import ask, ask_rest, outputs
from tests.litert.judge import Array, answers
from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient

STOPPED_RUNS = 8

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def floats(*shape: int) -> Array:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Case:
    """A model, a signature of it, and what it is asked."""

    model: str
    inputs: Mapping[str, Array]
    signature: str | None = "serving_default"


CASES = {
    "float": Case("half_plus_two", {"x": floats(3)}),
    "another batch": Case("half_plus_two", {"x": floats(700)}),
    "quantized": Case("int8", {"x": np.arange(-16, 16, dtype=np.int8).reshape(4, 8)}),
    "strings": Case(
        "strings",
        {
            "s": np.array([b"pear", b"", b"\xff\x00plum"], dtype=object),
            "i": np.array([2, 0, 2, 1], np.int32),
        },
    ),
    "first signature": Case("two_signatures", {"x": floats(5, 2)}),
    "second signature": Case(
        "two_signatures", {"n": np.array([1, 2, 3], np.int64), "k": np.array(-7, np.int64)}, "times"
    ),
    "no signature": Case("no_signature", {"serving_default_x": floats(1, 2)}, None),
    "no signature, more examples": Case("no_signature", {"serving_default_x": floats(6, 2)}, None),
    "an answer that is not copied": Case("layer", {"x": floats(40, 256)}),
}


@pytest.mark.parametrize("name", CASES)
def test_both_doors_answer_what_the_interpreter_answers(
    name: str, litert_models: dict[str, Path], litert_server: LiveServer, serving_client: ServingClient
) -> None:
    case = CASES[name]
    expected = answers(litert_models[case.model], case.inputs, signature=case.signature)
    signature = case.signature or ""
    answered = outputs(ask(serving_client, litert_server, case.model, case.inputs, signature=signature))
    assert answered.keys() == expected.keys()
    for key, array in expected.items():
        assert answered[key].shape == array.shape
        assert np.array_equal(answered[key], array)
    by_rest = ask_rest(litert_server, case.model, rest_body(case))
    assert by_rest.status_code == 200, by_rest.text
    told = by_rest.json()["outputs"]
    for key, array in expected.items():
        assert_told(told[key] if len(expected) > 1 else told, array)


def rest_body(case: Case) -> dict[str, object]:
    def listed(array: Array) -> object:
        if array.dtype == object:
            return [{"b64": base64.b64encode(each).decode()} for each in array]
        return array.tolist()

    return {
        "signature_name": case.signature or "serving_default",
        "inputs": {name: listed(array) for name, array in case.inputs.items()},
    }


def assert_told(told: object, array: Array) -> None:
    """REST writes strings that may not be text as base64 only where the output's name asks for it."""
    if array.dtype == object:
        assert isinstance(told, list)
        assert len(told) == len(array)
    else:
        assert np.array_equal(np.array(told, dtype=array.dtype), array)


def test_outputs_may_be_asked_for_in_part(litert_server: LiveServer, serving_client: ServingClient) -> None:
    inputs = {"x": np.array([[2.0, 4.0]], np.float32)}
    answer = ask(serving_client, litert_server, "two_signatures", inputs, output_filter=["sum"])
    assert {name: array.tolist() for name, array in outputs(answer).items()} == {"sum": [7.0]}


def test_requests_of_many_sizes_at_once_get_their_own_answers(litert_server: LiveServer) -> None:
    def ask_one(size: int) -> None:
        x = [float(size + index) for index in range(size)]
        answer = ask_rest(litert_server, "half_plus_two", {"inputs": x})
        assert answer.json()["outputs"] == [0.5 * each + 2.0 for each in x]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask_one, [1, 7, 2, 300, 5, 1, 64, 3] * 12))


REFUSALS: dict[str, tuple[str, dict[str, Array], str]] = {
    "another dimension": ("two_signatures", {"x": floats(1, 3)}, "takes shape [-1, 2], not [1, 3]"),
    "another rank": ("two_signatures", {"x": floats(2)}, "takes shape [-1, 2], not [2]"),
    "another type": ("half_plus_two", {"x": np.array([1], np.int32)}, 'input "x" is float, not int32'),
    "no elements": ("half_plus_two", {"x": floats(0)}, "LiteRT takes no tensor without elements"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_an_input_does_not_take_is_refused_with_what_it_takes(
    name: str, litert_server: LiveServer, serving_client: ServingClient
) -> None:
    model, inputs, text = REFUSALS[name]
    answer = ask(serving_client, litert_server, model, inputs)
    assert (answer.code, text in answer.message) == ("INVALID_ARGUMENT", True), answer.message


def test_a_run_that_fails_says_why_and_the_next_one_succeeds(
    litert_server: LiveServer, serving_client: ServingClient
) -> None:
    texts = np.array([b"a"], dtype=object)
    for _ in range(4):  # more often than there are interpreters
        failed = ask(serving_client, litert_server, "strings", {"s": texts, "i": np.array([9], np.int32)})
        assert failed.code == "INTERNAL"
        assert "gather index out of bounds" in failed.message
    good = ask(serving_client, litert_server, "strings", {"s": texts, "i": np.array([0], np.int32)})
    assert outputs(good)["picked"].tolist() == [b"a"]


def test_an_output_whose_size_follows_from_values_is_refused_with_what_to_do(
    litert_server: LiveServer, serving_client: ServingClient
) -> None:
    answer = ask(serving_client, litert_server, "size_by_value", {"x": floats(2)})
    assert answer.code == "UNIMPLEMENTED"
    assert "export the model as a SavedModel instead" in answer.message


def test_metadata_tells_the_files_signatures(litert_server: LiveServer) -> None:
    url = f"http://{litert_server.rest}/v1/models"
    two = requests.get(f"{url}/two_signatures/metadata", timeout=30).json()
    signatures = two["metadata"]["signature_def"]["signature_def"]
    assert signatures.keys() == {"serving_default", "times"}
    assert signatures["times"]["method_name"] == "tensorflow/serving/predict"
    assert signatures["times"]["inputs"]["n"]["dtype"] == "DT_INT64"
    assert [each["size"] for each in signatures["serving_default"]["inputs"]["x"]["tensor_shape"]["dim"]] == [
        "-1",
        "2",
    ]
    none = requests.get(f"{url}/no_signature/metadata", timeout=30).json()
    generated = none["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert generated["inputs"].keys() == {"serving_default_x"}
    assert generated["inputs"]["serving_default_x"]["name"] == "serving_default_x:0"


def test_strings_beyond_what_an_answer_has_room_for_are_refused(
    litert_server: LiveServer, serving_client: ServingClient
) -> None:
    inputs = {"s": np.array([b"x" * (1 << 20)], dtype=object), "i": np.zeros(65, np.int32)}
    refused = ask(serving_client, litert_server, "strings", inputs)
    assert refused.code == "RESOURCE_EXHAUSTED"
    assert "more than 67108864 bytes" in refused.message
    fits = ask(serving_client, litert_server, "strings", inputs | {"i": np.zeros(3, np.int32)})
    assert [len(each) for each in outputs(fits)["picked"]] == [1 << 20] * 3


def test_a_run_ends_when_its_deadline_has_passed(
    litert_server: LiveServer, serving_client: ServingClient
) -> None:
    for _ in range(4):  # more often than there are interpreters: each must come back
        endless = {"n": np.array(2**31 - 1, np.int32)}
        answer = ask(serving_client, litert_server, "loop", endless, timeout_s=0.3)
        assert answer.code == "DEADLINE_EXCEEDED"
    answer = ask(serving_client, litert_server, "loop", {"n": np.array(1000, np.int32)})
    assert outputs(answer)["y"].tolist() == 1000.0


def test_a_run_that_is_stopped_inside_a_loop_is_out_of_time_and_no_failure(
    litert_models: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "loop" / "1").mkdir(parents=True)
    (tmp_path / "loop" / "1" / "model.tflite").symlink_to(litert_models["loop"])
    flags = ["--prefer-tflite-model", f"--model=loop={tmp_path / 'loop'}", "--rest-timeout=0.2"]
    with LiveServer(*flags) as server:
        for _ in range(STOPPED_RUNS):
            late = ask_rest(server, "loop", {"inputs": 2**31 - 1})
            assert late.status_code == 504, late.text
