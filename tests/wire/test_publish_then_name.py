"""A version is published, and at once asked for by name: nobody is refused, whatever the last look saw."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import requests

from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

CHANGES = 12
HEADERS = {"content-type": "application/json"}


class Client:
    """Asks over and over, and keeps what was not an answer."""

    def __init__(self, server: LiveServer) -> None:
        self._url = f"http://{server.rest}/v1/models/m:predict"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.refused: list[str] = []
        self.answered = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with requests.Session() as session:
            while not self._over.is_set():
                answer = session.post(self._url, json={"instances": [{"x": 0.0}]}, timeout=30)
                self.answered += 1
                if answer.status_code != requests.codes.ok:
                    self.refused.append(answer.text)


def apply(server: LiveServer, exports: Exports, policy: str, label: str = "") -> None:
    model = model_text("m", exports.base_path, policy=policy)
    body = {"text": config_text(f"{model[:-1]} {label} }}"), "wait_s": 30}
    answer = requests.post(f"http://{server.admin}/v1/config", json=body, headers=HEADERS, timeout=60)
    assert answer.status_code == requests.codes.ok, answer.text


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    return exports


@pytest.fixture
def server(exports: Exports, tmp_path: Path) -> Iterator[LiveServer]:
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    with LiveServer(f"--model-config-file={config}") as server:
        yield server


def test_a_version_published_and_asked_for_alone_at_once_takes_over_without_a_refusal(
    server: LiveServer, exports: Exports
) -> None:
    with Client(server) as client:
        for version in range(2, CHANGES + 2):
            exports.synthetic(version)
            apply(server, exports, f"specific {{ versions: {version} }}")
            server.wait_log("state_changed", version=version, state="ready")
            apply(server, exports, "latest {}")
    assert client.answered > CHANGES
    assert client.refused == []


def test_a_version_published_and_labelled_at_once_answers_by_its_label_when_that_is_said(
    server: LiveServer, exports: Exports
) -> None:
    by_label = f"http://{server.rest}/v1/models/m/labels/stable:predict"
    with Client(server) as client:
        for version in range(2, CHANGES + 2):
            exports.synthetic(version)
            label = f'version_labels {{ key: "stable" value: {version} }}'
            apply(server, exports, f"specific {{ versions: {version} }}", label)
            answer = requests.post(by_label, json={"instances": [{"x": 0.0}]}, timeout=30)
            assert answer.json()["predictions"][0]["version"] == version
    assert client.answered > CHANGES
    assert client.refused == []
