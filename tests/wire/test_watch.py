"""`understudy status --watch` as a process: on a terminal, on a pipe, as JSON, and while the server is away."""

import json
import re
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.live.command import Command, plain
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

STANDS_OUT = "\x1b[7m"
"""Reverse video."""


class Watch(Command):
    """`understudy status --watch` under way."""

    def __init__(self, server: LiveServer, *arguments: str, on_terminal: bool = False) -> None:
        super().__init__(server, "status", *arguments, "--watch", "0.1", on_terminal=on_terminal)


def serve(folder: Path, base_path: Path, *arguments: str) -> LiveServer:
    file = folder / "models.config"
    file.write_text(config_text(model_text("m", base_path)))
    return LiveServer("--model-config-file", str(file), "--poll-interval", "0.1", *arguments)


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    made = Exports(tmp_path / "m")
    made.synthetic(1)
    return made


def test_a_terminal_is_redrawn_what_changed_stands_out_and_ctrl_c_is_a_good_end(
    tmp_path: Path, exports: Exports
) -> None:
    with serve(tmp_path, exports.base_path) as server, Watch(server, on_terminal=True) as watch:
        watch.wait(lambda text: re.search(r"^m +1 +1 +ready", plain(text), re.MULTILINE))
        assert STANDS_OUT not in watch.text, "nothing stands out in the first picture"
        exports.synthetic(2)
        watch.wait(
            lambda text: STANDS_OUT in text and re.search(r"^m +2 +2 +ready", plain(text), re.MULTILINE)
        )
        assert "\x1b[1A" in watch.text, "it goes back up and draws over"
        assert watch.end() == 0


def test_a_pipe_gets_a_table_when_something_changed_and_nothing_else(
    tmp_path: Path, exports: Exports
) -> None:
    with serve(tmp_path, exports.base_path) as server, Watch(server, "m") as watch:
        watch.wait(lambda text: re.search(r"^1 +ready", text, re.MULTILINE))
        exports.synthetic(2)
        watch.wait(lambda text: re.search(r"^1 +end", text, re.MULTILINE))
        assert watch.end() == 0
        assert "\x1b" not in watch.text
        versions = [re.findall(r"^(\d) +(\w+) .*", table, re.MULTILINE) for table in watch.text.split("\n\n")]
        shown = [table for table in versions if table]
        assert all(first != second for first, second in pairwise(shown))
        assert shown[0] == [("1", "ready")]
        assert shown[-1] == [("2", "ready"), ("1", "end")]


def test_json_is_one_document_a_line_and_a_server_that_returns_is_noticed(
    tmp_path: Path, exports: Exports
) -> None:
    with serve(tmp_path, exports.base_path) as server:
        port = server.admin.rpartition(":")[2]
        with Watch(server, "--json") as watch:
            watch.wait(lambda text: text.endswith("\n"))
            server.signal(signal.SIGTERM)
            assert server.wait_exit() == 0
            watch.wait(lambda text: "Waiting: No server answers" in text)
            exports.synthetic(2)
            with serve(tmp_path, exports.base_path, "--admin-port", port):
                watch.wait(lambda text: re.search(r"The server answers again\.\n.*serving.*\n", text))
            assert watch.end() == 0
    documents = [json.loads(line) for line in watch.text.splitlines() if line.startswith("{")]
    served = [[each["version"] for each in document["models"][0]["versions"]] for document in documents]
    assert served[0] == [1]
    assert served[-1] == [2]
