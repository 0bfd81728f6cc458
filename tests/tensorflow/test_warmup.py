"""Warm-up files as TensorFlow's own classes write them, replayed on real models before they answer."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.exports import Exports
from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SCRIPT = Path(__file__).parent / "warmup.py"
FILE = Path("assets.extra", "tf_serving_warmup_requests")
ELSEWHERE = 'name: "recorded_elsewhere" version { value: 9999 }'


def example(x: float) -> str:
    return f'{{ features {{ feature {{ key: "x" value {{ float_list {{ value: {x} }} }} }} }} }}'


def predict(alias: str, *values: float) -> str:
    shape = f"tensor_shape {{ dim {{ size: {len(values)} }} }}"
    tensor = f"dtype: DT_FLOAT {shape} {' '.join(f'float_val: {value}' for value in values)}"
    return (
        f"predict_log {{ request {{ model_spec {{ {ELSEWHERE} }} "
        f'inputs {{ key: "{alias}" value {{ {tensor} }} }} }} }}'
    )


def publish(folder: Path, export: Path, *records: str) -> Exports:
    """An export as version 1, with a warm-up file of these records."""
    exports = Exports(folder)
    staged = folder / "warm"
    shutil.copytree(export, staged)
    subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT, staged / FILE],
        input=json.dumps(records),
        text=True,
        check=True,
        capture_output=True,
    )
    exports.copy(staged, 1)
    return exports


def total(client: ServingClient, server: LiveServer, inputs: str = "") -> object:
    """What a model that remembers its runs answers."""
    answer = client.call(server.grpc, "Predict", f'model_spec {{ name: "m" }} {inputs}')
    assert answer.code == "OK", answer.message
    outputs = answer.response["outputs"]
    assert isinstance(outputs, dict)
    return outputs["total"]["float_val"]


@pytest.mark.parametrize(("flags", "expected"), [([], [1, 2]), (["--warmup-iterations=3"], [3, 6])])
def test_predict_records_are_replayed_as_often_as_asked_for(
    saved_models: Path,
    serving_client: ServingClient,
    tmp_path: Path,
    flags: list[str],
    expected: list[float],
) -> None:
    exports = publish(tmp_path, saved_models / "counter", predict("x", 1.0, 2.0))
    with LiveServer(f"--model=m={exports.base_path}", *flags) as server:
        zeros = "dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 0"
        assert total(serving_client, server, f'inputs {{ key: "x" value {{ {zeros} }} }}') == expected


def test_records_of_examples_are_replayed_with_their_context(
    saved_models: Path, serving_client: ServingClient, tmp_path: Path
) -> None:
    context = f"example_list_with_context {{ examples {example(1)} examples {{ }} context {example(10)} }}"
    tasks = (
        'tasks { model_spec { name: "m" signature_name: "classify" } '
        'method_name: "tensorflow/serving/classify" } '
        'tasks { model_spec { name: "m" signature_name: "regress" } '
        'method_name: "tensorflow/serving/regress" }'
    )
    exports = publish(
        tmp_path,
        saved_models / "sums_examples",
        f'classify_log {{ request {{ model_spec {{ {ELSEWHERE} signature_name: "classify" }} '
        f"input {{ {context} }} }} }}",
        'regress_log { request { model_spec { signature_name: "regress" } '
        f"input {{ example_list {{ examples {example(100)} }} }} }} }}",
        f"multi_inference_log {{ request {{ {tasks} "
        f"input {{ example_list {{ examples {example(1000)} }} }} }} }}",
        'log_metadata { model_spec { name: "of no kind" } }',
    )
    with LiveServer(f"--model=m={exports.base_path}") as server:
        assert total(serving_client, server) == [2111.0]


def test_a_record_that_fails_keeps_its_version_from_serving_and_is_named(
    saved_models: Path, tmp_path: Path
) -> None:
    exports = publish(
        tmp_path, saved_models / "fails_at_run_time", predict("x", 4.0), predict("x", -1.0), predict("x", 9.0)
    )
    with LiveServer(f"--model=m={exports.base_path}", "--load-retries=0") as server:
        (version,) = server.status("m")["versions"]
        assert version["state"] == "error"
        assert "x must not be negative" in version["reason"]
        assert f"(record 2 of {exports.base_path / '1' / FILE})" in version["reason"]


def test_records_are_left_alone_where_warm_up_is_off(saved_models: Path, tmp_path: Path) -> None:
    exports = publish(tmp_path, saved_models / "fails_at_run_time", predict("x", -1.0))
    with LiveServer(f"--model=m={exports.base_path}", "--no-warmup") as server:
        (version,) = server.status("m")["versions"]
        assert version["state"] == "ready"
