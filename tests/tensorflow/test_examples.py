"""Classify, Regress and MultiInference on real models, through both doors and the real stubs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.live.process import LiveServer
from tests.live.serving_client import Answer, ServingClient

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def strict_server(base_paths: dict[str, Path]) -> Iterator[LiveServer]:
    """A server that checks method names; its models are its own."""
    models = [f"--model={name}={base_paths[name]}" for name in ("shared_heads", "sums_examples")]
    with LiveServer(*models, "--check-method-names") as server:
        yield server


def spec(signature: str, model: str = "shared_heads") -> str:
    return f'model_spec {{ name: "{model}" signature_name: "{signature}" }}'


def feature(x: float) -> str:
    return f'features {{ feature {{ key: "x" value {{ float_list {{ value: {x} }} }} }} }}'


def examples(*values: float) -> str:
    return f"input {{ example_list {{ {' '.join(f'examples {{ {feature(x)} }}' for x in values)} }} }}"


def task(signature: str, method: str) -> str:
    return f'tasks {{ {spec(signature)} method_name: "{method}" }}'


def runs(client: ServingClient, server: LiveServer) -> float:
    """How often the heads were run so far."""
    answer = client.call(server.grpc, "Predict", spec("serving_default"))
    outputs = answer.response["outputs"]
    assert isinstance(outputs, dict)
    return float(outputs["total"]["float_val"][0])


def rest(server: LiveServer, verb: str, body: object, model: str = "shared_heads") -> requests.Response:
    return requests.post(f"http://{server.rest}/v1/models/{model}:{verb}", json=body, timeout=60)


def answered(signature: str) -> dict[str, str]:
    return {"name": "shared_heads", "version": "123", "signature_name": signature}


def test_a_classification_has_labels_and_scores(server: LiveServer, serving_client: ServingClient) -> None:
    answer = serving_client.call(server.grpc, "Classify", spec("classify") + examples(1.5, 4))
    assert answer.code == "OK", answer.message
    assert answer.response == {
        "result": {
            "classifications": [
                {"classes": [{"label": "3.0", "score": 3.0}]},
                {"classes": [{"label": "8.0", "score": 8.0}]},
            ]
        },
        "model_spec": answered("classify"),
    }


def test_a_regression_has_values(server: LiveServer, serving_client: ServingClient) -> None:
    answer = serving_client.call(server.grpc, "Regress", spec("regress") + examples(1.5, 4))
    assert answer.response == {
        "result": {"regressions": [{"value": 1.5}, {"value": 4.0}]},
        "model_spec": answered("regress"),
    }


def test_a_context_gives_what_an_example_lacks(server: LiveServer, serving_client: ServingClient) -> None:
    with_context = f"examples {{ {feature(1.5)} }} examples {{ }} context {{ {feature(7)} }}"
    request = f"{spec('regress')} input {{ example_list_with_context {{ {with_context} }} }}"
    answer = serving_client.call(server.grpc, "Regress", request)
    assert answer.response["result"] == {"regressions": [{"value": 1.5}, {"value": 7.0}]}


def test_several_tasks_are_one_run_of_the_graph(
    strict_server: LiveServer, serving_client: ServingClient
) -> None:
    before = runs(serving_client, strict_server)
    request = task("regress", REGRESS) + task("classify", CLASSIFY) + examples(2)
    answer = serving_client.call(strict_server.grpc, "MultiInference", request)
    assert answer.code == "OK", answer.message
    assert answer.response == {
        "results": [
            {"model_spec": answered("regress"), "regression_result": {"regressions": [{"value": 2.0}]}},
            {
                "model_spec": answered("classify"),
                "classification_result": {"classifications": [{"classes": [{"label": "4.0", "score": 4.0}]}]},
            },
        ]
    }
    assert runs(serving_client, strict_server) == before + 1


def test_tasks_with_inputs_of_their_own_are_answered_together(
    server: LiveServer, serving_client: ServingClient
) -> None:
    tasks = [
        f'tasks {{ {spec(name, "sums_examples")} method_name: "tensorflow/serving/{name}" }}'
        for name in ("classify", "regress")
    ]
    answer = serving_client.call(server.grpc, "MultiInference", "".join(tasks) + examples(2, 3))
    assert answer.code == "OK", answer.message
    results = answer.response["results"]
    assert isinstance(results, list)
    assert [next(key for key in result if key != "model_spec") for result in results] == [
        "classification_result",
        "regression_result",
    ]


@pytest.mark.parametrize(
    ("rpc", "request_text", "code", "message"),
    [
        ("Classify", examples(1), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            "Classify",
            spec("lost") + examples(1),
            "INVALID_ARGUMENT",
            "No signature was found with the name: lost",
        ),
        ("Regress", spec("serving_default"), "INVALID_ARGUMENT", "Expected one input Tensor."),
        ("Regress", spec("regress"), "INVALID_ARGUMENT", "Input is empty."),
        (
            "MultiInference",
            task("regress", REGRESS) * 2,
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress",
        ),
        (
            "MultiInference",
            task("regress", "x"),
            "UNIMPLEMENTED",
            "Unsupported signature method_name: x",
        ),
    ],
)
def test_refusals_have_the_words_of_tensorflow_serving(
    rpc: str, request_text: str, code: str, message: str, server: LiveServer, serving_client: ServingClient
) -> None:
    answer: Answer = serving_client.call(server.grpc, rpc, request_text)
    assert (answer.code, answer.message) == (code, message)


def test_an_example_that_the_model_cannot_read_is_the_models_to_refuse(
    server: LiveServer, serving_client: ServingClient
) -> None:
    without_x = spec("regress") + "input { example_list { examples { } } }"
    answer = serving_client.call(server.grpc, "Regress", without_x)
    assert answer.code == "INVALID_ARGUMENT"
    assert "Feature: x (data type: float) is required but could not be found" in answer.message


def test_rest_answers_in_the_layout_of_tensorflow_serving(server: LiveServer) -> None:
    body = {"signature_name": "classify", "examples": [{"x": 1.5}, {"x": [4.0]}]}
    classified = rest(server, "classify", body)
    assert classified.text == '{\n    "results": [[["3.0", 3.0]], [["8.0", 8.0]]\n    ]\n}'
    with_context = {"signature_name": "regress", "context": {"x": 7.0}, "examples": [{"x": 0.1}, {}]}
    assert rest(server, "regress", with_context).text == '{\n    "results": [0.1, 7.0]\n}'


def test_a_whole_number_is_no_float_over_rest(server: LiveServer) -> None:
    answer = rest(server, "regress", {"signature_name": "regress", "examples": [{"x": 80}]})
    assert answer.status_code == 400
    assert "Data type: int64 but expected type: float" in answer.json()["error"]


def test_method_names_are_checked_when_the_operator_wants_it(
    strict_server: LiveServer, serving_client: ServingClient
) -> None:
    text = f"Expected classification signature method_name to be {CLASSIFY}. Was: tensorflow/serving/predict"
    answer = serving_client.call(
        strict_server.grpc, "Classify", spec("classify", "sums_examples") + examples(1)
    )
    assert (answer.code, answer.message) == ("INVALID_ARGUMENT", text)
    body = {"signature_name": "classify", "examples": [{"x": 1.0}]}
    refused = rest(strict_server, "classify", body, "sums_examples")
    assert (refused.status_code, refused.json()) == (400, {"error": text})
    fitting = serving_client.call(strict_server.grpc, "Classify", spec("classify") + examples(1))
    assert fitting.code == "OK", fitting.message
