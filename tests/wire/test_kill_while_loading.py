"""kill -9 while versions load and change: the next start, by the same words, serves the newest whole ones.

One loop over many kills, at moments drawn from a seed that a failure names; SEED=n plays it again.
"""

import os
import random
import time
from pathlib import Path

import pytest

from tests.live.asking import answer_of
from tests.live.exports import Exports, config_text, model_text, synthetic_text
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

KILLS = 50
MODELS = ("a", "b", "c")
LINES_OF_A_START_MIN = 10
"""Log lines that a start with these models writes at least."""
CHANGES_MAX = 6
CHANGE_S_MAX = 1.0
LOAD_MS_MAX = 40
PAUSE_S_MAX = 0.03
"""Before a kill, so that it strikes anywhere in a load or a change, not just when a line was written."""


class Shelf:
    """One model's versions on disk: the newest whole one, and perhaps a half-copied one above it."""

    def __init__(self, folder: Path) -> None:
        self.exports = Exports(folder)
        self.whole = 1
        self.half: Path | None = None
        self.exports.synthetic(1)

    def change(self, dice: random.Random) -> None:
        """One thing that a publisher does, or breaks off."""
        if self.half is not None and dice.random() < 0.5:
            self._finish(self.half)
        elif self.half is not None:
            self.exports.remove(self.whole + 1)
        elif dice.random() < 0.4:
            self.half = self.exports.half_copied(self.whole + 1)
            return
        else:
            self.exports.synthetic(self.whole + 1, load_ms=dice.randrange(LOAD_MS_MAX))
            self._is_whole_now()
        self.half = None

    def _finish(self, half: Path) -> None:
        (half / "synthetic.json").write_text(synthetic_text(self.whole + 1))
        self._is_whole_now()

    def _is_whole_now(self) -> None:
        self.whole += 1
        if self.whole > 2:
            self.exports.remove(self.whole - 2)

    def wait_served(self, server: LiveServer, name: str) -> None:
        """Until the newest whole version answers, and the half-copied one is refused."""
        expected = [(self.whole, "ready")]
        if self.half is not None:
            expected.append((self.whole + 1, "error"))
        for version, state in expected:
            while not server.logged("state_changed", model=name, version=version, state=state):
                server.next_log()
        assert answer_of(server, name) == self.whole


def live_and_die(server: LiveServer, shelves: dict[str, Shelf], dice: random.Random) -> None:
    """A life that ends while the server starts, or while versions come and go."""
    if dice.random() < 0.3:
        for _ in range(dice.randrange(LINES_OF_A_START_MIN)):
            server.next_log()
    else:
        server.wait_serving()
        for name, shelf in shelves.items():
            shelf.wait_served(server, name)
        for _ in range(dice.randint(1, CHANGES_MAX)):
            dice.choice(list(shelves.values())).change(dice)
            server.next_log_within(CHANGE_S_MAX)  # none of what is taken back before the server looks
    time.sleep(dice.random() * PAUSE_S_MAX)
    server.kill()


def test_a_server_that_is_killed_comes_back_with_the_newest_whole_versions(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"SEED={seed}")  # noqa: T201 - shown when the test fails
    dice = random.Random(seed)  # noqa: S311 - dice, not secrets
    shelves = {name: Shelf(tmp_path / name) for name in MODELS}
    config = tmp_path / "models.config"
    models = [
        model_text(name, shelf.exports.base_path, policy="latest { num_versions: 2 }")
        for name, shelf in shelves.items()
    ]
    config.write_text(config_text(*models))
    words = [
        f"--model-config-file={config}",
        f"--state-dir={tmp_path / 'state'}",
        "--poll-interval=0.02",
        "--load-retries=0",
    ]
    with LiveServer(*words) as server:
        for door, address in (("grpc", server.grpc), ("rest", server.rest), ("admin", server.admin)):
            words.append(f"--{door}-port={address.rpartition(':')[2]}")
    for _ in range(KILLS):
        with LiveServer(*words, waits_for_start=False) as server:
            live_and_die(server, shelves, dice)
    with LiveServer(*words) as server:
        for name, shelf in shelves.items():
            shelf.wait_served(server, name)
