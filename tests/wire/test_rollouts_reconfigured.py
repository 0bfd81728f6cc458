"""A configuration that changes while a rollout lasts: what says nothing of it leaves it alone, else the file wins."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.asking import answer_of, predict
from tests.live.exports import Exports, config_text, model_text
from tests.live.operating import Operator
from tests.live.process import LiveServer
from tests.live.splits import answers_by_rest, answers_label, bucket, wait_managed

pytestmark = pytest.mark.slow

KEYS = [f"user-{number}" for number in range(40)]
PLAN = "{shadow: none, steps: [{weight: 30 %, needs_approval: true}]}"
"""It stays where it is until somebody says otherwise."""
AS_ROLLED_OUT = {key: 2 if bucket("m", 2, key) < 3_000 else 1 for key in KEYS}


class World:
    """A server whose model m is managed, with version 2 at 30 %; and other models on disk.

    Attributes:
        exports: by model; `moved` is another place for m.
        server: running.
        operator: of m.
    """

    def __init__(self, folder: Path) -> None:
        self.exports = {name: Exports(folder / name) for name in ("m", "n", "moved")}
        self.exports["m"].synthetic(1)
        self.exports["n"].synthetic(1)
        self.exports["moved"].synthetic(7)
        self._file = folder / "models.config"
        self._file.write_text(config_text(self.model()))
        plans = folder / "rollouts.yaml"
        plans.write_text(f"models: {{m: {PLAN}}}\n")
        self.server = LiveServer(
            *(f"--model-config-file={self._file}", f"--rollout-config={plans}"),
            *(f"--state-dir={folder / 'state'}", "--poll-interval=0.1"),
        )

    def begin(self) -> None:
        """Version 2 answers its share."""
        self.operator = Operator(self.server)
        wait_managed(self.server, "m")
        self.exports["m"].synthetic(2)
        self.server.wait_log("rollout_ramping", model="m", version=2)

    def model(self, place: str = "m", **more: str) -> str:
        """Model m as it is written in the file."""
        return model_text("m", self.exports[place].base_path, **more)

    def other(self) -> str:
        """Model n likewise."""
        return model_text("n", self.exports["n"].base_path)

    def reload(self, *models: str) -> None:
        """The file names these models from now on, and is in force."""
        self._file.write_text(config_text(*models))
        self.server.signal(signal.SIGHUP)
        self.server.wait_log("reloaded")

    def answers(self) -> dict[str, int]:
        """Who answers whom."""
        return {key: answers_by_rest(self.server, "m", key) for key in KEYS}

    def reason(self, event: str) -> str:
        """What was said of m, as soon as it is."""
        return str(self.server.wait_said(event, model="m").fields["reason"])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    with world.server:
        world.begin()
        assert world.answers() == AS_ROLLED_OUT
        yield world


def test_a_model_beside_it_and_a_policy_with_room_leave_a_rollout_alone(world: World) -> None:
    before = world.operator.rollout()
    world.reload(world.model(), world.other())
    assert answer_of(world.server, "n") == 1
    world.reload(world.model())
    assert world.answers() == AS_ROLLED_OUT
    after = world.operator.rollout()
    assert [after[name] for name in ("id", "phase", "weight", "entered_at", "reason")] == [
        before[name] for name in ("id", "phase", "weight", "entered_at", "reason")
    ]
    world.reload(world.model(policy="all {}"))
    assert "goes on" in world.reason("rollout_adapted")
    assert world.answers() == AS_ROLLED_OUT


def test_a_label_of_the_file_leads_where_the_file_says(world: World) -> None:
    assert answers_label(world.server, "m", "stable") == 1
    labelled = world.model()[:-1] + ' version_labels { key: "stable" value: 2 } }'
    world.reload(labelled)
    assert answers_label(world.server, "m", "stable") == 2
    assert "label stable to version 2" in world.reason("label_yielded")
    assert world.answers() == AS_ROLLED_OUT, "labels do not move who asks without one"
    world.reload(world.model())
    assert answers_label(world.server, "m", "stable") == 1


def test_a_policy_that_leaves_the_candidate_out_ends_it_and_another_lets_it_begin_anew(world: World) -> None:
    world.reload(world.model(policy="specific { versions: 1 }"))
    assert "does not name 2" in world.reason("rollout_ended")
    assert set(world.answers().values()) == {1}
    assert answers_label(world.server, "m", "canary") is None
    world.operator.wait_loaded(1)
    assert world.operator.quarantined() == set(), "nothing was found against it"
    world.reload(world.model())
    world.server.wait_log("rollout_ramping", model="m", version=2)
    assert world.answers() == AS_ROLLED_OUT, "the same callers meet it again"
    assert world.operator.rollout()["id"] == "m-2-2"


def test_a_model_that_moves_serves_what_is_there(world: World) -> None:
    world.reload(world.model("moved"))
    assert "moves the model" in world.reason("rollout_ended")
    world.operator.wait_loaded(7)
    assert set(world.answers().values()) == {7}
    assert world.operator.traffic()["rollout"] is None


def test_a_model_that_was_taken_out_by_mistake_comes_back_as_it_was(world: World) -> None:
    world.reload(world.other())
    assert "no longer names m" in world.reason("rollout_ended")
    assert predict(world.server, "m").status_code == 404
    world.reload(world.model(), world.other())
    world.server.wait_log("rollout_ramping", model="m", version=2)
    assert world.answers() == AS_ROLLED_OUT
