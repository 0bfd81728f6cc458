"""The manager lives through worlds full of faults; a seed that fails is named with its command."""

import pytest

from tests.simulation.run import replay_command
from tests.simulation.world import run_seed

SEEDS = 200
STEPS = 1000
CHUNKS = 10


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_invariant_breaks_in_any_seed(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        try:
            run_seed(seed, STEPS)
        except Exception as error:
            error.add_note(f"replay this seed with: {replay_command(seed, STEPS)}")
            raise


def test_a_seed_plays_the_same_way_twice() -> None:
    first: list[str] = []
    second: list[str] = []
    run_seed(7, 50, first.append)
    run_seed(7, 50, second.append)
    assert first == second
    assert len(first) > 50
