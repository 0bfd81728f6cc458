"""Plays one seed with a readable trace, or many seeds without.

PYTHONPATH=src:. python -m tests.simulation.run --seed N --steps M
PYTHONPATH=src:. python -m tests.simulation.run --seed N --steps M --seeds K
"""

import argparse
import sys
import time

from tests.simulation.world import run_seed

STEPS = 1000


def replay_command(seed: int, steps: int) -> str:
    """The command that plays this seed again, with a trace."""
    return f"PYTHONPATH=src:. python -m tests.simulation.run --seed {seed} --steps {steps}"


def say(line: str) -> None:
    """Writes one line of a trace."""
    sys.stdout.write(line + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Plays the simulation.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seeds", type=int, help="play so many seeds from --seed on, without a trace")
    arguments = parser.parse_args()
    if arguments.seeds is None:
        ticks = run_seed(arguments.seed, arguments.steps, say)
        sys.stdout.write(f"settled within {ticks} ticks\n")
        return
    started = time.perf_counter()
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        try:
            run_seed(seed, arguments.steps)
        except AssertionError:
            sys.stdout.write(f"failed; replay with: {replay_command(seed, arguments.steps)}\n")
            raise
    steps = arguments.seeds * arguments.steps
    taken = time.perf_counter() - started
    sys.stdout.write(f"{steps} steps in {taken:.1f} s: {steps / taken:.0f} steps/s\n")


if __name__ == "__main__":
    main()
