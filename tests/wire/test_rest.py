"""Every REST request case on a live server, with `requests`: status, headers and exact bodies."""

import gzip
import json

import pytest
import requests

from tests.live.process import LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def call(server: LiveServer, method: str, path: str, body: str | bytes | None = None) -> requests.Response:
    return requests.request(method, f"http://{server.rest}{path}", data=body, timeout=30)


def predict(server: LiveServer, model: str, body: object) -> requests.Response:
    return call(server, "POST", f"/v1/models/{model}:predict", json.dumps(body))


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        ("half_plus_two", '{"instances": [1.0, 2.0]}', '{\n    "predictions": [2.5, 3.0\n    ]\n}'),
        ("half_plus_two", '{"instances": [{"x": 1}]}', '{\n    "predictions": [2.5\n    ]\n}'),
        ("half_plus_two", '{"inputs": [1.0, 5.0]}', '{\n    "outputs": [\n        2.5,\n        4.5\n    ]\n}'),
        ("half_plus_two", '{"inputs": {"x": [1.0]}}', '{\n    "outputs": [\n        2.5\n    ]\n}'),
        ("half_plus_two", '{"signature_name": "serving_default", "instances": [0]}', '{\n    "predictions": [2.0\n    ]\n}'),
        ("half_plus_two", '{"instances": [NaN, Infinity, -Inf]}', '{\n    "predictions": [NaN, Infinity, -Infinity\n    ]\n}'),
        ("half_plus_two", '{"instances": [1.0]} trailing', '{\n    "predictions": [2.5\n    ]\n}'),
    ],
)  # fmt: skip
def test_predict_answers_in_the_form_it_was_asked(
    model: str, body: str, expected: str, server: LiveServer
) -> None:
    answer = call(server, "POST", f"/v1/models/{model}:predict", body)
    assert (answer.status_code, answer.text) == (200, expected)
    assert answer.headers["content-type"] == "application/json"


def test_predict_takes_rows_of_several_inputs_and_answers_rows_of_several_outputs(server: LiveServer) -> None:
    body = {"signature_name": "both", "instances": [{"a": 5, "b": 3}, {"a": 1, "b": 1}]}
    answer = predict(server, "several_signatures", body)
    assert answer.json() == {
        "predictions": [{"sum": 8.0, "difference": 2.0}, {"sum": 2.0, "difference": 0.0}]
    }


@pytest.mark.parametrize(
    "path", ["/v1/models/half_plus_two/versions/123:predict", "/V1/MODELS/half_plus_two:predict"]
)
def test_predict_is_found_by_version_and_in_any_case_of_the_fixed_words(
    path: str, server: LiveServer
) -> None:
    assert call(server, "POST", path, '{"instances": [1.0]}').json() == {"predictions": [2.5]}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/v1/models/half_plus_two:predict", "", 400, "JSON Parse error: The document is empty"),
        ("POST", "/v1/models/half_plus_two:predict", "{oops", 400,
         "JSON Parse error: Missing a name for object member. at offset: 1"),
        ("POST", "/v1/models/nobody:predict", '{"instances": [1]}', 404,
         "Servable not found for request: Latest(nobody)"),
        ("POST", "/v1/models/nobody:predict", "nonsense", 400, "JSON Parse error: Invalid value. at offset: 1"),
        ("POST", "/v1/models/half_plus_two/versions/9:predict", '{"instances": [1]}', 404,
         "Servable not found for request: Specific(half_plus_two, 9)"),
        ("POST", "/v1/models/half_plus_two/labels/canary:predict", '{"instances": [1]}', 400,
         "Unrecognized servable version label: canary"),
        ("POST", "/v1/models/half_plus_two:predict", '{"signature_name": "nope", "instances": [1]}', 400,
         'Serving signature name: "nope" not found in signature def'),
        ("POST", "/v1/models/half_plus_two:predict", "{}", 400, "Missing 'inputs' or 'instances' key"),
        ("POST", "/v1/models/half_plus_two:PREDICT", "{}", 400,
         "Malformed request: POST /v1/models/half_plus_two:PREDICT"),
        ("POST", "/v1/models/half_plus_two:predict?x=1", "{}", 400,
         "Malformed request: POST /v1/models/half_plus_two:predict?x=1"),
        ("PUT", "/v1/models/half_plus_two", None, 400, "Malformed request: PUT /v1/models/half_plus_two"),
        ("GET", "/v1/models", None, 400, "Missing model name in request."),
        ("GET", "/v1/models/nobody", None, 404, "Could not find any versions of model nobody"),
        ("GET", "/v1/models/half_plus_two?x=1", None, 404,
         "Could not find any versions of model half_plus_two?x=1"),
        ("GET", "/v1/models/half_plus_two/versions/7", None, 404,
         "Could not find version 7 of model half_plus_two"),
        ("GET", "/v1/models/half_plus_two/versions/18446744073709551615", None, 400,
         "Failed to convert version: 18446744073709551615 to numeric."),
        ("GET", "/v1/models/half_plus_two/labels/canary/metadata", None, 400,
         "Unrecognized servable version label: canary"),
        ("GET", "/v1/models/nobody/metadata", None, 404, "Servable not found for request: Latest(nobody)"),
        ("DELETE", "/v1/models/half_plus_two", None, 400, "Malformed request: DELETE /v1/models/half_plus_two"),
        ("PATCH", "/v1/models/half_plus_two", None, 400, "Malformed request: PATCH /v1/models/half_plus_two"),
        ("POST", "/v1/models/zero_inputs:predict", "{}", 400,
         "Failed to get input map for signature: DEFAULT"),
    ],
)  # fmt: skip
def test_a_request_is_refused_with_the_text_clients_know(
    method: str, path: str, body: str | None, status: int, error: str, server: LiveServer
) -> None:
    answer = call(server, method, path, body)
    assert (answer.status_code, json.loads(answer.text)["error"]) == (status, error)


def test_an_error_is_laid_out_as_stock_does(server: LiveServer) -> None:
    answer = call(server, "GET", "/v1/models")
    assert answer.text == '{\n    "error": "Missing model name in request."\n}'
    assert answer.headers["content-type"] == "application/json"


def test_a_model_that_fails_at_run_time_answers_400_with_its_own_words(server: LiveServer) -> None:
    answer = predict(server, "fails_at_run_time", {"instances": [-1.0]})
    assert answer.status_code == 400
    assert "x must not be negative" in answer.json()["error"]


def test_status_is_laid_out_as_stock_does(server: LiveServer) -> None:
    answer = call(server, "GET", "/v1/models/half_plus_two")
    assert answer.json() == {
        "model_version_status": [
            {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    assert answer.text.startswith('{\n "model_version_status": [\n  {\n   "version": "123",\n')


@pytest.mark.parametrize("path", ["labels/no-such-label", "METADATA", "versions/123"])
def test_status_ignores_labels_and_is_what_an_odd_spelling_of_metadata_asks_for(
    path: str, server: LiveServer
) -> None:
    answer = call(server, "GET", f"/v1/models/half_plus_two/{path}")
    assert answer.status_code == requests.codes.ok
    assert answer.json()["model_version_status"][0]["version"] == "123"


def test_metadata_keeps_the_doubled_key_and_writes_sizes_as_strings(server: LiveServer) -> None:
    data = call(server, "GET", "/v1/models/half_plus_two/metadata").json()
    assert data["model_spec"] == {"name": "half_plus_two", "signature_name": "", "version": "123"}
    signature = data["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}],
        "unknown_rank": False,
    }
    assert signature["method_name"] == "tensorflow/serving/predict"


def test_a_compressed_request_is_read(server: LiveServer) -> None:
    answer = requests.post(
        f"http://{server.rest}/v1/models/half_plus_two:predict",
        data=gzip.compress(b'{"instances": [1.0]}'),
        headers={"Content-Encoding": "gzip"},
        timeout=30,
    )
    assert answer.json() == {"predictions": [2.5]}


@pytest.mark.parametrize(
    "body",
    [b'{"instances": [1.0]}', gzip.compress(b'{"instances": [1.0]}')[:-1], b"", gzip.compress(b"")],
    ids=["not compressed", "cut off", "nothing", "nothing, compressed"],
)
def test_a_body_that_cannot_be_inflated_counts_as_empty(body: bytes, server: LiveServer) -> None:
    answer = requests.post(
        f"http://{server.rest}/v1/models/half_plus_two:predict",
        data=body,
        headers={"Content-Encoding": "gzip"},
        timeout=30,
    )
    assert answer.status_code == requests.codes.bad_request
    assert answer.json() == {"error": "JSON Parse error: The document is empty"}


def test_a_path_outside_the_api_is_a_plain_404(server: LiveServer) -> None:
    answer = call(server, "GET", "/favicon.ico")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("origin", "status"), [("http://a.example", 200), ("nowhere", 400)])
def test_options_depends_on_the_origin(origin: str, status: int, server: LiveServer) -> None:
    answer = requests.options(
        f"http://{server.rest}/v1/models/half_plus_two", headers={"Origin": origin}, timeout=30
    )
    assert (answer.status_code, answer.content) == (status, b"")
