"""kill -9 of a live server while it rolls versions out: no caller ever met more than was on record.

One loop over many kills, at moments drawn from a seed that a failure names; SEED=n plays it again.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import requests

from tests.live.exports import Exports
from tests.live.process import LiveServer
from tests.live.splits import answers_by_rest, bucket, wait_managed
from understudy.clock import SystemClock
from understudy.store.store import Store

pytestmark = pytest.mark.slow

MODEL = "m"
KILLS = 20
DELAY_S_MAX = 0.6
"""From the open doors to the kill: some steps of a ramp."""
WEIGHTS = range(200, 10_000, 200)
"""The steps' weights; each is taken in the tick after the one before."""
PLAN = f"""
models:
  {MODEL}:
    shadow: none
    newer: supersede
    crashes_max: 1000
    steps: [{", ".join(f"{{weight: {weight / 100:g} %, dwell: 0 s, requests: 0}}" for weight in WEIGHTS)}]
"""


class Caller:
    """Asks one key after another until the server is gone.

    Attributes:
        exposed: the highest bucket that each candidate answered.
    """

    def __init__(self, server: LiveServer) -> None:
        self.exposed: dict[int, int] = {}
        self._server = server
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _run(self) -> None:
        for key in _keys():
            try:
                version = answers_by_rest(self._server, MODEL, key)
            except requests.ConnectionError:
                return
            if version > 1:
                self.exposed[version] = max(self.exposed.get(version, 0), bucket(MODEL, version, key))


def _keys() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"caller-{number}"


def on_record(directory: Path) -> dict[int, int]:
    """The highest weight that each candidate was ever given, as the dead server's store says."""
    weights: dict[int, int] = {}
    with Store(SystemClock(), directory) as store:
        for rollout in store.rollouts.history(MODEL, 1_000):
            for decision in store.rollouts.decisions(rollout.id):
                after = 0 if decision.after is None else decision.after.weight
                weights[rollout.candidate] = max(weights.get(rollout.candidate, 0), after)
                if decision.kind == "rollout_restarted":
                    assert decision.before is not None
                    assert after == decision.before.weight, "a restart changes no weight"
    return weights


def test_after_kill_9_at_any_moment_nobody_met_more_than_was_on_record(tmp_path: Path) -> None:
    exports = Exports(tmp_path / MODEL)
    exports.synthetic(1)
    plans, state = tmp_path / "rollouts.yaml", tmp_path / "state"
    plans.write_text(PLAN)
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    config = tmp_path / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "{MODEL}" base_path: "{exports.base_path}" '
        'model_platform: "synthetic" } }'
    )
    arguments = f"--model-config-file={config}", f"--rollout-config={plans}", f"--state-dir={state}"
    newest, exposed = 1, 0
    weights: dict[int, int] = {1: WEIGHTS[-1]}
    for kill in range(KILLS):
        with LiveServer(*arguments) as server, Caller(server) as caller:
            if kill == 0:
                wait_managed(server, MODEL)
            if weights.get(newest) == WEIGHTS[-1]:
                newest += 1
                exports.synthetic(newest)
            time.sleep(moments.random() * DELAY_S_MAX)  # the moment of the kill is what is drawn
            server.kill()
        weights = on_record(state)
        for version, highest in caller.exposed.items():
            assert highest < weights.get(version, 0), f"SEED={seed}: kill {kill}, version {version}"
            exposed += 1
    assert exposed > KILLS / 3, "candidates answered between the kills"
