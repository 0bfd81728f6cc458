"""gRPC on a UNIX socket, by either command, with the real client."""

import signal
import socket
import stat
from pathlib import Path

import grpc
import pytest
import requests

from tests.live.asking import predict_message
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

PREDICT = "/tensorflow.serving.PredictionService/Predict"
TIMEOUT_S = 30


@pytest.fixture
def config(tmp_path: Path) -> Path:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    return config


def answers(target: str) -> bool:
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_unary(PREDICT, bytes, bytes)
        return len(call(predict_message("m", 0.0), timeout=TIMEOUT_S)) > 0


def test_the_drop_in_listens_on_its_socket_alone(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    flags = [f"--model_config_file={config}", "--port=0", f"--grpc_socket_path={path}", "--admin_port=0"]
    with LiveServer(*flags, command="tensorflow_model_server") as server:
        assert answers(f"unix:{path}")
        assert server.grpc == ""
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
    assert not path.exists()


def test_a_socket_stands_beside_the_port_with_the_mode_asked_for(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    flags = [f"--model-config-file={config}", f"--grpc-socket={path}", "--grpc-socket-mode=600"]
    with LiveServer(*flags) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert answers(f"unix:{path}")
        assert answers(server.grpc)


def test_status_tells_of_a_socket_that_stands_alone(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    flags = [f"--model-config-file={config}", f"--grpc-socket={path}", "--grpc-port=off"]
    with LiveServer(*flags) as server:
        told = requests.get(f"http://{server.admin}/v1/status", timeout=TIMEOUT_S).json()
        assert told["grpc_address"] == f"unix:{path}"


def test_what_a_killed_server_left_is_replaced_and_a_living_one_is_not(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    flags = [f"--model-config-file={config}", f"--grpc-socket={path}"]
    with LiveServer(*flags) as killed:
        killed.kill()
    assert path.is_socket()
    with LiveServer(*flags):
        assert answers(f"unix:{path}")
        with LiveServer(*flags, waits_for_start=False) as second:
            assert second.wait_exit() == 1
            with pytest.raises(AssertionError, match="another process listens on it"):
                second.wait_serving()
        assert answers(f"unix:{path}")


def test_a_file_that_is_no_socket_is_left_alone(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    path.write_text("somebody's")
    flags = [f"--model-config-file={config}", f"--grpc-socket={path}"]
    with LiveServer(*flags, waits_for_start=False) as server:
        assert server.wait_exit() == 1
    assert path.read_text() == "somebody's"


def test_an_old_connection_is_told_to_open_another_and_no_call_fails(config: Path) -> None:
    arguments = "grpc.max_connection_age_ms=50,grpc.max_connection_age_grace_ms=30000"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = [f"--model_config_file={config}", f"--port={port}", f"--grpc_channel_arguments={arguments}"]
    with (
        LiveServer(*flags, "--admin_port=0", command="tensorflow_model_server"),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        call = channel.unary_unary(PREDICT, bytes, bytes)
        states: list[grpc.ChannelConnectivity] = []
        channel.subscribe(states.append)
        while states.count(grpc.ChannelConnectivity.IDLE) < 3:  # the first, and one for each GOAWAY
            assert call(predict_message("m", 0.0), timeout=TIMEOUT_S)
