"""kill -9 of a live server while it changes its configuration: it comes back to what it acknowledged.

One loop over many kills, at moments drawn from a seed that a failure names; SEED=n plays it again.
"""

import os
import random
import time
from pathlib import Path

import httpx
import pytest
from google.protobuf import text_format

from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer
from tests.live.reload_caller import ReloadCaller
from understudy.wire import descriptor_pool, message_class

pytestmark = pytest.mark.slow

KILLS = 50
CHANGES_MAX = 200
"""Ordered before a kill: more than there is time for."""
DELAY_S_MAX = 0.12
"""From the first order to the kill: some tens of changes."""


class Changes:
    """Configuration n, for every n: its models and where its labels lead say which n it is."""

    def __init__(self, folder: Path) -> None:
        self._exports = {name: Exports(folder / name) for name in ("m", "even", "third")}
        for exports in self._exports.values():
            exports.synthetic(1)
            exports.synthetic(2)

    def models(self, number: int) -> set[str]:
        return {"m"} | ({"even"} if number % 2 == 0 else set()) | ({"third"} if number % 3 == 0 else set())

    def labels(self, number: int) -> dict[str, int]:
        return {"stable": 1 + number % 2, f"n{number}": 1}

    def text(self, number: int) -> str:
        labels = "".join(
            f' version_labels {{ key: "{label}" value: {version} }}'
            for label, version in self.labels(number).items()
        )
        models = [
            model_text(name, self._exports[name].base_path, policy="all {}")[:-1]
            + (labels if name == "m" else "")
            + " }"
            for name in sorted(self.models(number))
        ]
        return config_text(*models)

    def request(self, number: int) -> bytes:
        message = message_class("tensorflow.serving.ReloadConfigRequest")()
        text_format.Parse(f"config {{ {self.text(number)} }}", message, descriptor_pool=descriptor_pool())
        return message.SerializeToString()


def in_force(server: LiveServer) -> tuple[set[str], dict[str, int]]:
    """The configured models, and where m's labels lead."""
    answer = httpx.get(f"http://{server.admin}/v1/status", trust_env=False, timeout=30).json()
    models = {model["name"]: model for model in answer["models"] if model["configured"]}
    return set(models), {label["label"]: label["version"] for label in models["m"]["labels"]}


def test_after_kill_9_at_any_moment_what_was_acknowledged_is_in_force(tmp_path: Path) -> None:
    changes = Changes(tmp_path)
    file = tmp_path / "models.config"
    file.write_text(changes.text(0))
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    acknowledged = 0
    with ReloadCaller() as caller:
        for kill in range(KILLS + 1):
            arguments = f"--model-config-file={file}", f"--state-dir={tmp_path / 'state'}"
            with LiveServer(*arguments) as server:
                found = in_force(server)
                expected = [
                    (changes.models(number), changes.labels(number))
                    for number in (acknowledged, acknowledged + 1)
                ]
                assert found in expected, f"SEED={seed}: after kill {kill} and change {acknowledged}"
                acknowledged += expected.index(found)
                if kill == KILLS:
                    break
                caller.begin(
                    server.grpc, [changes.request(acknowledged + step) for step in range(1, CHANGES_MAX)]
                )
                time.sleep(moments.random() * DELAY_S_MAX)  # the moment of the kill is what is drawn
                server.kill()
                acknowledged += caller.count()
    assert acknowledged > KILLS, "the server changed its configuration between the kills"
