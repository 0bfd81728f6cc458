"""A stop at bad moments: while a load hangs, while requests hang, while the server starts, asked for twice."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.live.asking import answer_of
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

HANGS = 7.0
NEVER_S = 600
"""Longer than any test runs: who waits so long has not stopped."""
BOTH = [signal.SIGTERM, signal.SIGINT]


def serve(folder: Path, exports: Exports, *arguments: str, waits_for_start: bool = True) -> LiveServer:
    config = folder / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    return LiveServer(
        f"--model-config-file={config}",
        "--poll-interval=0.05",
        *arguments,
        waits_for_start=waits_for_start,
    )


@contextmanager
def hanging_request(server: LiveServer) -> Iterator[Future[float]]:
    """A request that the server is answering, and will not."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(answer_of, server, "m", HANGS)
        while server.status("m")["versions"][0]["in_flight"] == 0:
            assert not asked.done(), asked.result()
        yield asked


@pytest.mark.parametrize("number", BOTH)
def test_a_load_that_hangs_does_not_keep_a_server_from_stopping(
    number: signal.Signals, tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    with serve(tmp_path, exports) as server:
        exports.synthetic(2, hang_load=True)
        server.wait_log("state_changed", version=2, state="loading")
        assert answer_of(server, "m") == 1.0
        server.signal(number)
        assert server.wait_log("stopping").fields["signal"] == number.name
        assert server.wait_exit() == 0


@pytest.mark.parametrize("number", BOTH)
def test_a_server_that_is_still_starting_stops_when_it_is_asked_to(
    number: signal.Signals, tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1, hang_load=True)
    with serve(tmp_path, exports, waits_for_start=False) as server:
        server.wait_log("state_changed", version=1, state="loading")
        server.signal(number)
        assert server.wait_exit() == 0
        server.wait_log("stopped", requests_left=0)
        assert not server.logged("serving")


def test_a_version_that_drains_does_not_keep_a_server_from_stopping(tmp_path: Path) -> None:
    """The unload waits for the request far longer than the stop may."""
    exports = Exports(tmp_path / "m")
    exports.synthetic(1, hang_on=HANGS)
    with (
        serve(tmp_path, exports, f"--drain-timeout={NEVER_S}", "--stop-timeout=0.3") as server,
        hanging_request(server) as asked,
    ):
        exports.synthetic(2)
        server.wait_log("state_changed", version=1, state="unloading")
        server.signal(signal.SIGTERM)
        server.wait_log("stopped", requests_left=1)
        assert server.wait_exit() == 0
        with pytest.raises(requests.ConnectionError):
            asked.result()


def test_a_stop_waits_for_a_version_that_drains_as_long_as_it_may(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    held = exports.synthetic(1, hang_on=HANGS)
    with (
        serve(tmp_path, exports, f"--stop-timeout={NEVER_S}") as server,
        hanging_request(server) as asked,
    ):
        exports.synthetic(2)
        server.wait_log("state_changed", version=1, state="unloading")
        server.signal(signal.SIGTERM)
        server.wait_log("stopping")
        (held / "release").touch()
        assert asked.result() == HANGS + 1
        server.wait_log("stopped", requests_left=0)
        assert server.wait_exit() == 0


@pytest.mark.parametrize("second", BOTH)
def test_a_second_signal_ends_a_stop_that_waits(second: signal.Signals, tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1, hang_on=HANGS)
    with serve(tmp_path, exports, f"--stop-timeout={NEVER_S}") as server, hanging_request(server) as asked:
        server.signal(signal.SIGINT)
        server.wait_log("stopping", signal="SIGINT")
        server.signal(signal.SIGHUP)  # there is nothing left to reload for
        server.signal(second)
        server.wait_log("stopped_at_once", signal=second.name)
        assert server.wait_exit() == 128 + second
        with pytest.raises(requests.ConnectionError):
            asked.result()
