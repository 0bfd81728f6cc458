"""Every gRPC request case, through the real `tensorflow-serving-api` client: answers, codes and texts."""

import pytest

from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

X = 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1 float_val: 2 } }'
SPEC = 'model_spec { name: "half_plus_two" }'
ADDENDS = (
    'inputs { key: "a" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 5 } } '
    'inputs { key: "b" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 3 } } '
)


def spec(name: str, rest: str = "") -> str:
    return f'model_spec {{ name: "{name}" {rest} }}'


def floats(alias: str, *values: float) -> str:
    elements = " ".join(f"float_val: {value}" for value in values)
    shape = f"tensor_shape {{ dim {{ size: {len(values)} }} }}"
    return f'inputs {{ key: "{alias}" value {{ dtype: DT_FLOAT {shape} {elements} }} }}'


def test_predict_answers_with_the_version_and_signature_that_answered(
    server: LiveServer, serving_client: ServingClient
) -> None:
    answer = serving_client.call(server.grpc, "Predict", SPEC + X)
    assert answer.code == "OK", answer.message
    assert answer.response == {
        "outputs": {
            "y": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "2"}]}, "float_val": [2.5, 3.0]}
        },
        "model_spec": {"name": "half_plus_two", "version": "123", "signature_name": "serving_default"},
    }


@pytest.mark.parametrize(
    "choice",
    ["version { value: 123 }", 'signature_name: "serving_default"', ""],
    ids=["by version", "by signature", "by default"],
)
def test_predict_finds_its_version(choice: str, server: LiveServer, serving_client: ServingClient) -> None:
    answer = serving_client.call(server.grpc, "Predict", spec("half_plus_two", choice) + X)
    assert answer.code == "OK", answer.message
    assert answer.response["model_spec"] == {
        "name": "half_plus_two",
        "version": "123",
        "signature_name": "serving_default",
    }


@pytest.mark.parametrize(
    ("case", "request_text", "code", "message"),
    [
        ("no model spec", X, "INVALID_ARGUMENT", "Missing ModelSpec"),
        ("no name", "model_spec {}" + X, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            "unknown model",
            spec("nobody") + X,
            "NOT_FOUND",
            "Servable not found for request: Latest(nobody)",
        ),
        (
            "unknown version",
            spec("half_plus_two", "version { value: 7 }") + X,
            "NOT_FOUND",
            "Servable not found for request: Specific(half_plus_two, 7)",
        ),
        (
            "an empty version wrapper is version 0",
            spec("half_plus_two", "version {}") + X,
            "NOT_FOUND",
            "Servable not found for request: Specific(half_plus_two, 0)",
        ),
        (
            "unknown label",
            spec("half_plus_two", 'version_label: "canary"') + X,
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: canary",
        ),
        (
            "a label of an unknown model",
            spec("nobody", 'version_label: "canary"') + X,
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: canary",
        ),
        (
            "unknown signature",
            spec("half_plus_two", 'signature_name: "nope"') + X,
            "FAILED_PRECONDITION",
            'Serving signature key "nope" not found.',
        ),
        (
            "too few inputs",
            SPEC,
            "INVALID_ARGUMENT",
            "input size does not match signature: 0!=1 len({}) != len({x}). "
            "Sent extra: {}. Missing but required: {x}.",
        ),
        (
            "too many inputs",
            SPEC + X + floats("z", 1) + floats("b", 1),
            "INVALID_ARGUMENT",
            "input size does not match signature: 3!=1 len({b,x,z}) != len({x}). "
            "Sent extra: {b,z}. Missing but required: {}.",
        ),
        (
            "an unknown output",
            SPEC + X + 'output_filter: "q"',
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: q Outputs expected to be in the set {y}.",
        ),
        (
            "an output twice",
            SPEC + X + 'output_filter: "y" output_filter: "y"',
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: y",
        ),
        (
            "a tensor that is not whole",
            SPEC
            + 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } tensor_content: "abc" } }',
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        ),
        (
            "a tensor without a type",
            SPEC + 'inputs { key: "x" value { float_val: 2 } }',
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        ),
    ],
)
def test_predict_refuses(
    case: str, request_text: str, code: str, message: str, server: LiveServer, serving_client: ServingClient
) -> None:
    answer = serving_client.call(server.grpc, "Predict", request_text)
    assert (answer.code, answer.message) == (code, message), case


@pytest.mark.parametrize(
    ("request_text", "part"),
    [
        (SPEC + floats("wrong", 1.0), "Signature input alias: x(feed name: "),
        (
            SPEC
            + 'inputs { key: "x" value { dtype: DT_BOOL tensor_shape { dim { size: 1 } } bool_val: true } }',
            "bool",
        ),
        (spec("fails_at_run_time") + floats("x", -1.0), "x must not be negative"),
    ],
    ids=["right count, wrong name", "wrong type", "the model itself fails"],
)
def test_predict_refuses_with_a_text_that_names_the_fault(
    request_text: str, part: str, server: LiveServer, serving_client: ServingClient
) -> None:
    answer = serving_client.call(server.grpc, "Predict", request_text)
    assert answer.code == "INVALID_ARGUMENT"
    assert part in answer.message


def test_predict_computes_only_the_outputs_asked_for(
    server: LiveServer, serving_client: ServingClient
) -> None:
    request = spec("several_signatures", 'signature_name: "both"') + ADDENDS + 'output_filter: "difference"'
    outputs = serving_client.call(server.grpc, "Predict", request).response["outputs"]
    assert isinstance(outputs, dict)
    assert list(outputs) == ["difference"]
    assert outputs["difference"]["float_val"] == [2.0]


def test_predict_takes_fewer_values_than_elements_as_the_last_one_repeated(
    server: LiveServer, serving_client: ServingClient
) -> None:
    request = SPEC + (
        'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 3 } } float_val: 1 float_val: 4 } }'
    )
    outputs = serving_client.call(server.grpc, "Predict", request).response["outputs"]
    assert isinstance(outputs, dict)
    assert outputs["y"]["float_val"] == [2.5, 4.0, 4.0]


def test_predict_runs_a_signature_without_inputs(server: LiveServer, serving_client: ServingClient) -> None:
    outputs = serving_client.call(server.grpc, "Predict", spec("zero_inputs")).response["outputs"]
    assert isinstance(outputs, dict)
    assert outputs["answer"]["float_val"] == [42.0]


def test_predict_fills_in_the_signatures_defaults(server: LiveServer, serving_client: ServingClient) -> None:
    answer = serving_client.call(server.grpc, "Predict", spec("defaults") + floats("x", 1.0, 2.0))
    assert answer.code == "OK", answer.message
    outputs = answer.response["outputs"]
    assert isinstance(outputs, dict)
    assert outputs["y"]["float_val"] == [12.0, 14.0]


def test_a_deadline_ends_the_wait_and_the_model_serves_on(
    server: LiveServer, serving_client: ServingClient
) -> None:
    slow = spec("slow") + floats("milliseconds", 3000.0)
    assert serving_client.call(server.grpc, "Predict", slow, timeout_s=0.2).code == "DEADLINE_EXCEEDED"
    quick = spec("slow") + floats("milliseconds", 1.0)
    assert serving_client.call(server.grpc, "Predict", quick).code == "OK"


@pytest.mark.parametrize(
    ("request_text", "code", "message"),
    [
        ("", "INVALID_ARGUMENT", "Missing ModelSpec"),
        (SPEC, "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"),
        (
            spec("nobody") + 'metadata_field: "weights"',
            "INVALID_ARGUMENT",
            "Metadata field weights is not supported",
        ),
        (
            spec("nobody") + 'metadata_field: "signature_def"',
            "NOT_FOUND",
            "Servable not found for request: Latest(nobody)",
        ),
    ],
    ids=["no spec", "no field", "unknown field comes before unknown model", "unknown model"],
)
def test_metadata_refuses(
    request_text: str, code: str, message: str, server: LiveServer, serving_client: ServingClient
) -> None:
    answer = serving_client.call(server.grpc, "GetModelMetadata", request_text)
    assert (answer.code, answer.message) == (code, message)


def test_metadata_tells_every_signature(server: LiveServer, serving_client: ServingClient) -> None:
    answer = serving_client.call(
        server.grpc, "GetModelMetadata", spec("several_signatures") + 'metadata_field: "signature_def"'
    )
    assert answer.response["model_spec"] == {"name": "several_signatures", "version": "123"}
    metadata = answer.response["metadata"]
    assert isinstance(metadata, dict)
    definitions = metadata["signature_def"]["signature_def"]
    assert {"serving_default", "difference", "both"} <= set(definitions)
    assert definitions["serving_default"]["inputs"]["a"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize(
    ("request_text", "code", "message"),
    [
        ("", "INVALID_ARGUMENT", "Missing ModelSpec"),
        (spec("nobody"), "NOT_FOUND", "Could not find any versions of model nobody"),
        (
            spec("half_plus_two", "version { value: 7 }"),
            "NOT_FOUND",
            "Could not find version 7 of model half_plus_two",
        ),
    ],
)
def test_status_refuses(
    request_text: str, code: str, message: str, server: LiveServer, serving_client: ServingClient
) -> None:
    answer = serving_client.call(server.grpc, "GetModelStatus", request_text)
    assert (answer.code, answer.message) == (code, message)


def test_status_tells_the_state_of_each_version(server: LiveServer, serving_client: ServingClient) -> None:
    answer = serving_client.call(server.grpc, "GetModelStatus", SPEC)
    assert answer.response == {
        "model_version_status": [{"version": "123", "state": "AVAILABLE", "status": {}}]
    }
