"""Requests that run together on live servers: answers, errors through both doors, changes of version, metrics."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.live.asking import predict, predict_by_grpc
from tests.live.exports import Exports, config_text, model_text
from tests.live.load import load_by_grpc, load_by_rest, wait_asked
from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient

pytestmark = pytest.mark.slow

HANG = 99.0
CALLERS = 16
ROUNDS = 12
VERSIONS = 3
LOOKS_MAX = 2_000
"""At the metrics page, for a request to arrive: more than enough, and not for ever."""
TIMED_OUT = "Run() timeout exceeded while waiting in batching queue"
BATCHING = {
    "adaptive": "adaptive: true",
    "parameters": "max_batch_size { value: 8 } batch_timeout_micros { value: 2000 } "
    "allowed_batch_sizes: [2, 8] max_enqueued_batches { value: 1000 }",
    "split": "max_batch_size { value: 64 } enable_large_batch_splitting { value: true } "
    "max_execution_batch_size { value: 3 } max_enqueued_batches { value: 1000 }",
}


def parameters(folder: Path, text: str) -> str:
    file = folder / "batching.config"
    file.write_text(text)
    return f"--batching-parameters-file={file}"


def synthetic(folder: Path, **models: Exports) -> str:
    """The argument that serves these, whose versions are synthetic."""
    file = folder / "models.config"
    file.write_text(config_text(*(model_text(name, each.base_path) for name, each in models.items())))
    return f"--model-config-file={file}"


def total(server: LiveServer, name: str) -> float:
    """The sum of a metric's samples."""
    page = requests.get(f"http://{server.admin}/metrics", timeout=30).text
    lines = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith(f"{name}{{")]
    return sum(float(value) for _, value in lines)


def wait_sum(server: LiveServer, name: str, least: float) -> None:
    """Until the sum of a metric's samples is at least this."""
    for _ in range(LOOKS_MAX):
        if total(server, name) >= least:
            return
    raise AssertionError(f"{name} did not come to {least}")


def post(server: LiveServer, model: str, x: list[float]) -> requests.Response:
    return requests.post(
        f"http://{server.rest}/v1/models/{model}:predict", json={"inputs": {"x": x}}, timeout=60
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize("text", BATCHING.values(), ids=BATCHING.keys())
def test_answers_are_bit_for_bit_those_of_requests_that_run_alone(
    saved_models: Path, tmp_path: Path, text: str
) -> None:
    model = Exports(tmp_path / "m")
    model.copy(saved_models / "half_plus_two", 1)
    rows = [[1 / (3 + caller), 0.1 * caller][: 1 + caller % 2] for caller in range(CALLERS)]
    with LiveServer("--model", f"m={model.base_path}") as alone:
        expected = [post(alone, "m", x).content for x in rows]
    with (
        LiveServer("--model", f"m={model.base_path}", parameters(tmp_path, text)) as server,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        for _ in range(ROUNDS):
            together = list(callers.map(lambda x: post(server, "m", x).content, rows))
            assert together == expected
        assert total(server, "understudy_batch_rows_sum") == ROUNDS * sum(map(len, rows))
        assert total(server, "understudy_batch_rows_count") > 0
        assert total(server, "understudy_batch_queue_seconds_count") >= ROUNDS * CALLERS


def predict_text(x: float, *, shape: str = "dim { size: 1 }") -> str:
    tensor = f"dtype: DT_FLOAT tensor_shape {{ {shape} }} float_val: {x}"
    return f'model_spec {{ name: "m" }} inputs {{ key: "x" value {{ {tensor} }} }}'


def test_errors_of_batching_have_the_words_of_tensorflow_serving_through_both_doors(tmp_path: Path) -> None:
    model = Exports(tmp_path / "m")
    held = model.synthetic(1, hang_on=HANG)
    text = "max_batch_size { value: 2 } max_enqueued_batches { value: 1 } num_batch_threads { value: 1 }"
    arguments = (synthetic(tmp_path, m=model), parameters(tmp_path, text))
    with LiveServer(*arguments) as server, ServingClient() as client, ThreadPoolExecutor(2) as callers:
        scalar = client.call(server.grpc, "Predict", predict_text(1.0, shape=""))
        words = "Batching Run() input tensors must have at least one dimension"
        assert (scalar.code, scalar.message) == ("INVALID_ARGUMENT", words)
        large = post(server, "m", [1.0, 2.0, 3.0])
        assert large.status_code == 400
        assert large.json() == {"error": "Task size 3 is larger than maximum input batch size 2"}
        hung = callers.submit(post, server, "m", [HANG])
        wait_sum(server, "understudy_batch_rows_sum", 1)
        waiting = callers.submit(post, server, "m", [1.0, 2.0])
        wait_sum(server, "understudy_version_requests_in_flight", 2)
        full = client.call(server.grpc, "Predict", predict_text(1.0))
        assert full.code == "UNAVAILABLE"
        assert full.message == (
            "The batch scheduling queue to which this task was submitted is full; "
            "currently 1 batches enqueued and max_enqueued_batches is 1"
        )
        (held / "release").touch()
        assert [each.result(60).status_code for each in (hung, waiting)] == [200, 200]


def test_a_request_whose_time_is_up_leaves_the_queue_and_never_runs(tmp_path: Path) -> None:
    model = Exports(tmp_path / "m")
    held = model.synthetic(1, hang_on=HANG)
    arguments = (synthetic(tmp_path, m=model), "--batching", "--rest-timeout=0.5")
    with LiveServer(*arguments) as server, ThreadPoolExecutor(1) as callers:
        hung = callers.submit(predict_by_grpc, server, "m", HANG)
        wait_sum(server, "understudy_batch_rows_sum", 1)
        late = predict(server, "m", 1.0)
        assert (late.status_code, late.json()) == (429, {"error": TIMED_OUT})
        (held / "release").touch()
        assert hung.result(60)[0] == "OK"
        assert total(server, "understudy_batch_rows_sum") == 1


@pytest.mark.tensorflow
def test_versions_change_under_load_and_no_request_fails(saved_models: Path, tmp_path: Path) -> None:
    model = Exports(tmp_path / "m")
    model.copy(saved_models / "offset_1", 1)
    outputs = {version: [0.5 + version] for version in range(1, VERSIONS + 1)}
    with LiveServer("--model", f"m={model.base_path}", "--batching", "--poll-interval=0.05") as server:
        grpc = load_by_grpc(tmp_path, server, "m", 0.5).expecting(outputs)
        rest = load_by_rest(tmp_path, server, "m", 0.5).expecting(outputs)
        with grpc, rest:
            for version in range(2, VERSIONS + 1):
                wait_asked(server, "m", version - 1)
                model.copy(saved_models / f"offset_{version}", version)
                server.wait_log("state_changed", version=version - 1, state="end")
            wait_asked(server, "m", VERSIONS)
    for load in (grpc, rest):
        assert load.report is not None
        assert (load.report.failures, load.report.mixed) == ({}, 0)
        assert load.report.ok > VERSIONS


def test_a_version_is_batched_by_the_file_beside_it(tmp_path: Path) -> None:
    batched, plain = Exports(tmp_path / "batched"), Exports(tmp_path / "plain")
    staged = tmp_path / "export"
    staged.mkdir()
    (staged / "synthetic.json").write_text('{"a": 1.0, "b": 1.0}')
    (staged / "batching_params.pbtxt").write_text("max_batch_size { value: 1 }")
    batched.copy(staged, 1)
    plain.synthetic(1)
    models = synthetic(tmp_path, batched=batched, plain=plain)
    with LiveServer(models, "--batching-by-version", "--poll-interval=0.1") as server:
        assert post(server, "batched", [1.0, 2.0]).status_code == 400
        assert post(server, "plain", [1.0, 2.0]).status_code == 200
        (staged / "batching_params.pbtxt").write_text("max_batch_size { value: 2 } allowed_batch_sizes: 4")
        batched.copy(staged, 2)
        refused = server.wait_log("state_changed", version=2, state="retrying")
        words = "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 2"
        assert words in str(refused.fields["reason"])
