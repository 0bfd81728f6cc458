"""A server's own life: start, reload by file and by RPC, health, reflection, stop."""

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import requests
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import proto_reflection_descriptor_database as reflection

from tests.live.drop_in import free_port
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import CONSOLE_SCRIPTS, LiveServer
from tests.live.serving_client import ServingClient

pytestmark = pytest.mark.slow

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNAVAILABLE_EXIT = 255


def write_config(folder: Path, *models: str) -> Path:
    path = folder / "models.config"
    path.write_text(config_text(*models))
    return path


def one_model(folder: Path, **members: object) -> Exports:
    exports = Exports(folder / "m")
    exports.synthetic(1, **members)
    return exports


def answer(server: LiveServer, model: str) -> requests.Response:
    url = f"http://{server.rest}/v1/models/{model}:predict"
    return requests.post(url, json={"instances": [{"x": 0.0}]}, timeout=60)


def health(server: LiveServer, service: str) -> object:
    with grpc.insecure_channel(server.grpc) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return health_pb2_grpc.HealthStub(channel).Check(request, timeout=30).status


def reload_request(*models: str) -> str:
    return f"config {{ {config_text(*models)} }}"


def test_sigterm_answers_what_is_in_flight_turns_health_first_and_exits_0(tmp_path: Path) -> None:
    exports = one_model(tmp_path, run_ms=1500)
    config = write_config(tmp_path, model_text("m", exports.base_path))
    with LiveServer(f"--model-config-file={config}") as server, ThreadPoolExecutor(8) as pool:
        channel = grpc.insecure_channel(server.grpc)
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
        assert next(watch).status == SERVING
        asked = [pool.submit(answer, server, "m") for _ in range(4)]
        while server.status("m")["versions"][0]["in_flight"] < len(asked):
            assert not any(each.done() for each in asked)
        server.signal(signal.SIGTERM)
        assert next(watch).status == NOT_SERVING
        assert [each.result().status_code for each in asked] == [200] * len(asked)
        assert server.wait_exit() == 0
        channel.close()


def test_sighup_takes_the_changed_file_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    exports = one_model(tmp_path)
    second = Exports(tmp_path / "n")
    second.synthetic(5)
    config = write_config(tmp_path, model_text("m", exports.base_path))
    with LiveServer(f"--model-config-file={config}") as server:
        write_config(tmp_path, model_text("m", exports.base_path), model_text("n", second.base_path))
        server.signal(signal.SIGHUP)
        server.wait_log("reloaded", origin="file")
        assert answer(server, "n").json()["predictions"][0]["y"] == 5.0
        config.write_text("model_config_list {\n  config { nam: 1 }\n}\n")
        server.signal(signal.SIGHUP)
        line = server.wait_log("reload_refused")
        assert f"{config}:2:" in str(line.fields["reason"])
        assert answer(server, "m").status_code == answer(server, "n").status_code == 200
        write_config(tmp_path, model_text("n", second.base_path))
        server.signal(signal.SIGHUP)
        server.wait_log("state_changed", model="m", version=1, state="end")
        assert answer(server, "m").status_code == 404


@pytest.mark.tensorflow
def test_the_real_client_reloads_and_is_refused_in_the_known_words(
    tmp_path: Path, serving_client: ServingClient
) -> None:
    exports = one_model(tmp_path)
    second, broken = Exports(tmp_path / "n"), Exports(tmp_path / "b")
    second.synthetic(5)
    broken.synthetic(1, fail_load="cursed")
    m, n = model_text("m", exports.base_path), model_text("n", second.base_path)
    config = write_config(tmp_path, m)
    with LiveServer(f"--model-config-file={config}", "--load-retries=0") as server:

        def reload(*models: str) -> tuple[str, str]:
            reply = serving_client.call(server.grpc, "HandleReloadConfigRequest", reload_request(*models))
            return reply.code, reply.message

        assert reload(m, n) == ("OK", "")
        assert answer(server, "n").status_code == 200
        assert reload(m, m) == (
            "INVALID_ARGUMENT",
            "Illegal to list model m multiple times in config list",
        )
        code, message = reload(m, 'config { name: "r" base_path: "relative" model_platform: "tensorflow" }')
        assert (code, message) == (
            "INVALID_ARGUMENT",
            "Expected model r to have an absolute path or URI; got base_path()=relative",
        )
        assert answer(server, "n").status_code == 200
        code, message = reload(m, n, model_text("b", broken.base_path))
        assert code == "UNKNOWN"
        assert message.startswith(
            "1 model(s) did not become available: {{{name: b version: 1} due to error: "
        )
        assert reload(m) == ("OK", "")
        server.wait_log("state_changed", model="n", version=5, state="end")


def test_health_tells_the_truth_of_each_model_and_reflection_names_the_services(tmp_path: Path) -> None:
    exports = one_model(tmp_path)
    empty = Exports(tmp_path / "e")
    config = write_config(tmp_path, model_text("m", exports.base_path), model_text("empty", empty.base_path))
    with LiveServer(f"--model-config-file={config}") as server:
        assert health(server, "") == SERVING
        assert health(server, "tensorflow.serving.PredictionService") == SERVING
        assert health(server, "m") == SERVING
        assert health(server, "empty") == NOT_SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            health(server, "nobody")
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        with grpc.insecure_channel(server.grpc) as channel:
            database = reflection.ProtoReflectionDescriptorDatabase(channel)
            assert {
                "tensorflow.serving.PredictionService",
                "tensorflow.serving.ModelService",
                "grpc.health.v1.Health",
            } <= set(database.get_services())
            predict = DescriptorPool(database).FindMessageTypeByName("tensorflow.serving.PredictRequest")
            assert [field.name for field in predict.fields] == ["model_spec", "inputs", "output_filter"]


@pytest.mark.tensorflow
def test_the_drop_in_command_serves_and_exits_255_when_its_model_is_broken(
    saved_models: Path, tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    exports.copy(saved_models / "half_plus_two", 1)
    port = free_port()
    with LiveServer(
        f"--port={port}",
        "--admin_port=0",
        "--model_name=half",
        f"--model_base_path={exports.base_path}",
        command="tensorflow_model_server",
    ) as server:
        assert health(server, "half") == SERVING
    exports.remove(1)
    (exports.base_path / "2").mkdir()
    ended = subprocess.run(
        [
            str(CONSOLE_SCRIPTS / "tensorflow_model_server"),
            f"--port={port}",
            "--admin_port=0",
            "--max_num_load_retries=0",
            "--model_name=half",
            f"--model_base_path={exports.base_path}",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == UNAVAILABLE_EXIT
    assert ended.stdout.startswith(
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
        "{{{name: half version: 2} due to error: NOT_FOUND: "
    )


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["status", "m"], 0, "ready"),
        (["status", "nobody"], 1, "nobody"),
        (["why", "m"], 0, "serving"),
        (["config", "show"], 0, 'name: "m"'),
        (["config", "history"], 0, "startup"),
        (["config", "diff", "1"], 0, ""),
        (["config", "rollback", "1"], 0, "revision 1 says the same"),
        (["config", "rollback", "2"], 1, "no revision 2 on record"),
        (["label", "set", "m", "stable", "1"], 0, "Requests for stable of m reach version 1."),
        (["version", "retry", "m", "1"], 1, "it has not failed"),
        (["predict", "m", "--instances", '[{"x": 0.0}]'], 0, "predictions"),
        (["predict", "m", "--instances", "[true]"], 1, "JSON Value"),
    ],
)
def test_the_commands_answer_people_and_scripts(
    words: list[str], status: int, part: str, tmp_path: Path
) -> None:
    exports = one_model(tmp_path)
    config = write_config(tmp_path, model_text("m", exports.base_path))
    with LiveServer(f"--model-config-file={config}") as server:
        where = ["--rest-url" if words[0] == "predict" else "--admin-url"]
        where.append(f"http://{server.rest if words[0] == 'predict' else server.admin}")
        ended = subprocess.run(
            [str(CONSOLE_SCRIPTS / "understudy"), *words, *where],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ended.returncode, part in ended.stdout + ended.stderr) == (status, True), ended
