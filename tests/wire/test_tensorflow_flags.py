"""Flags of tensorflow_model_server by what they do in its live server, where no other file shows it."""

import subprocess
from pathlib import Path

import pytest
import requests

from tests.live.drop_in import drop_in, free_port, here
from tests.live.exports import Exports, config_text, model_text, release
from tests.live.process import CONSOLE_SCRIPTS, LiveServer
from tests.live.serving_client import ServingClient

pytestmark = pytest.mark.slow

HANG = 99.0
RETRIES = 2
X = 'model_spec { name: "m" } inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } } }'


class World:
    """The synthetic model `m`, and the file that names it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.m = Exports(folder / "m")
        self.file = folder / "models.config"
        self.flag = f"--model_config_file={self.file}"

    def write(self, *others: str, more: str = "") -> None:
        """Writes the file: `m`, with `more` in it, and others."""
        self.file.write_text(self.text(*others, more=more))

    def text(self, *others: str, more: str = "") -> str:
        """What the file says."""
        return config_text(model_text("m", self.m.base_path)[:-1] + more + " }", *others)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.write()
    return world


def post(server: LiveServer, x: float) -> requests.Response:
    url = f"http://{here(server.rest)}/v1/models/m:predict"
    return requests.post(url, json={"inputs": [x]}, timeout=60)


def answer(server: LiveServer, x: float) -> float:
    """What `m` answers: x, and its version."""
    outputs = post(server, x).json()["outputs"]
    return float(outputs["y"][0])


def reload(client: ServingClient, server: LiveServer, text: str) -> tuple[str, str]:
    said = client.call(here(server.grpc), "HandleReloadConfigRequest", f"config {{ {text} }}")
    return said.code, said.message


def test_each_door_listens_on_its_port_and_the_operators_on_theirs(world: World) -> None:
    world.m.synthetic(1)
    ports = [free_port() for _ in range(3)]
    flags = [
        f"--{flag}={port}" for flag, port in zip(("port", "rest_api_port", "admin_port"), ports, strict=True)
    ]
    with LiveServer(*flags, world.flag, command="tensorflow_model_server") as server:
        assert [int(each.rpartition(":")[2]) for each in (server.grpc, server.rest, server.admin)] == ports
        assert answer(server, 1.0) == 2.0
        assert server.status("m")["default_version"] == 1


def test_rest_gives_up_after_its_time_and_lets_other_origins_read(world: World) -> None:
    held = world.m.synthetic(1, hang_on=HANG)
    with drop_in(world.flag, "--rest_api_timeout_in_ms=200", "--rest_api_enable_cors_support") as server:
        late = post(server, HANG)
        assert late.status_code == 504
        assert late.headers["Access-Control-Allow-Origin"] == "*"
        release(held)


def test_answers_are_packed_over_grpc(world: World, serving_client: ServingClient) -> None:
    world.m.synthetic(1)
    with drop_in(world.flag, "--enable_serialization_as_tensor_content") as server:
        packed = serving_client.call(here(server.grpc), "Predict", X)
        outputs = packed.response["outputs"]
        assert isinstance(outputs, dict)
        assert "tensor_content" in outputs["y"]
        assert answer(server, 1.0) == 2.0


def test_versions_and_the_config_file_are_looked_at_as_often_as_said(world: World) -> None:
    world.m.synthetic(1)
    polls = ("--model_config_file_poll_wait_seconds=1", "--file_system_poll_wait_seconds=1")
    with drop_in(world.flag, *polls) as server:
        world.m.synthetic(2)
        server.wait_log("state_changed", version=2, state="ready")
        world.write(more="model_version_policy { specific { versions: 1 } }")
        server.wait_log("state_changed", version=2, state="end")
        assert answer(server, 1.0) == 2.0


def test_a_load_is_tried_as_often_as_said_and_then_ends_the_start(world: World) -> None:
    world.m.synthetic(1, fail_load="no such luck")
    retries = (f"--max_num_load_retries={RETRIES}", "--load_retry_interval_micros=1000")
    words = [str(CONSOLE_SCRIPTS / "tensorflow_model_server"), world.flag, *retries, f"--port={free_port()}"]
    done = subprocess.run([*words, "--admin_port=0"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 255
    assert "no such luck" in done.stdout
    assert done.stderr.count('"state": "retrying"') == RETRIES


def test_a_reload_is_answered_within_the_limit_although_a_model_still_loads(
    world: World, serving_client: ServingClient
) -> None:
    world.m.synthetic(1)
    slow = Exports(world.folder / "slow")
    slow.synthetic(1, load_ms=5000)
    with drop_in(world.flag, "--reload_timeout_s=1") as server:
        text = world.text(model_text("slow", slow.base_path))
        assert reload(serving_client, server, text)[0] == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize(
    ("flags", "code"),
    [((), "FAILED_PRECONDITION"), (("--allow_version_labels_for_unavailable_models",), "OK")],
)
def test_a_label_names_what_is_not_available_only_where_it_may(
    flags: tuple[str, ...], code: str, world: World, serving_client: ServingClient
) -> None:
    world.m.synthetic(1)
    with drop_in(world.flag, *flags) as server:
        label = 'version_labels { key: "next" value: 9 }'
        assert reload(serving_client, server, world.text(more=label))[0] == code


def test_a_restart_resumes_what_was_acknowledged(world: World, serving_client: ServingClient) -> None:
    world.m.synthetic(1)
    world.m.synthetic(2)
    state = f"--state_dir={world.folder / 'state'}"
    with drop_in(world.flag, state) as server:
        assert answer(server, 0.0) == 2.0
        text = world.text(more="model_version_policy { specific { versions: 1 } }")
        assert reload(serving_client, server, text) == ("OK", "")
    with drop_in(world.flag, state) as again:
        assert answer(again, 0.0) == 1.0


def test_request_logs_keep_to_their_sizes(world: World) -> None:
    world.m.synthetic(1)
    world.write(more="logging_config { sampling_config { sampling_rate: 1 } }")
    logs = world.folder / "logs"
    limits = (
        "--request_log_file_bytes_max=1000",
        "--request_log_bytes_max=3000",
        "--request_log_file_age_max_s=60",
    )
    with drop_in(world.flag, f"--request_log_dir={logs}", *limits) as server:
        for number in range(60):
            assert post(server, float(number)).status_code == 200
    sizes = [file.stat().st_size for file in logs.rglob("*.tfrecord")]
    assert len(sizes) > 1
    assert max(sizes) <= 1000
    assert sum(sizes) <= 3000
