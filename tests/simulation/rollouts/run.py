"""Plays one seed of rollouts with a readable trace, or many seeds without.

PYTHONPATH=src:. python -m tests.simulation.rollouts.run --seed N --steps M
PYTHONPATH=src:. python -m tests.simulation.rollouts.run --seed N --steps M --seeds K
"""

from tests.simulation.rollouts.deeds import run_seed
from tests.simulation.run import play, say


def replay_command(seed: int, steps: int) -> str:
    """The command that plays this seed again, with a trace."""
    return f"PYTHONPATH=src:. python -m tests.simulation.rollouts.run --seed {seed} --steps {steps}"


def run(seed: int, steps: int) -> None:
    """Without a trace."""
    run_seed(seed, steps)


def tell(seed: int, steps: int) -> str:
    """With one; how it ended."""
    return f"at the end: {run_seed(seed, steps, say).live}"


if __name__ == "__main__":
    play(run, tell, replay_command)
