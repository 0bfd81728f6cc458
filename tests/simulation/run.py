"""Plays one seed with a readable trace, or many seeds without.

PYTHONPATH=src:. python -m tests.simulation.run --seed N --steps M
PYTHONPATH=src:. python -m tests.simulation.run --seed N --steps M --seeds K
"""

import argparse
import sys
import time
from collections.abc import Callable

from tests.simulation.world import run_seed

STEPS = 1000


def replay_command(seed: int, steps: int) -> str:
    """The command that plays this seed again, with a trace."""
    return f"PYTHONPATH=src:. python -m tests.simulation.run --seed {seed} --steps {steps}"


def say(line: str) -> None:
    """Writes one line of a trace."""
    sys.stdout.write(line + "\n")


def play(
    run: Callable[[int, int], object], tell: Callable[[int, int], str], replay: Callable[[int, int], str]
) -> None:
    """The command line of a simulation.

    Args:
        run: plays a seed for so many steps.
        tell: does so with a trace, and says how it ended.
        replay: the command that does that.
    """
    parser = argparse.ArgumentParser(description="Plays the simulation.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seeds", type=int, help="play so many seeds from --seed on, without a trace")
    arguments = parser.parse_args()
    if arguments.seeds is None:
        say(tell(arguments.seed, arguments.steps))
        return
    started = time.perf_counter()
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        try:
            run(seed, arguments.steps)
        except AssertionError:
            say(f"failed; replay with: {replay(seed, arguments.steps)}")
            raise
    steps = arguments.seeds * arguments.steps
    taken = time.perf_counter() - started
    say(f"{steps} steps in {taken:.1f} s: {steps / taken:.0f} steps/s")


def tell(seed: int, steps: int) -> str:
    """Plays a seed with a trace."""
    return f"settled within {run_seed(seed, steps, say)} ticks"


if __name__ == "__main__":
    play(run_seed, tell, replay_command)
