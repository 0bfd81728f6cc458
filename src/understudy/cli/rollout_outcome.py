"""What a rollout's state means for a script: the exit code, and a sentence that says what to do."""

from understudy.admin.rollouts import RolloutView
from understudy.cli.outcome import EXIT_ENDED, EXIT_HELD, EXIT_ROLLED_BACK
from understudy.rollout.state import ENDS, Phase

NOT_RECORDED = (
    "This is in force, and not on record yet: the state directory cannot be written. A server that ends now "
    "goes on from before it. Make room there, and it is recorded by itself."
)
DECIDED = ENDS | {Phase.WATCHING}
"""Phases in which the candidate's fate is known: what is still to come of it can only be undone."""


def is_settled(rollout: RolloutView) -> bool:
    """Whether nothing more happens by itself, or its outcome is known."""
    return rollout.phase in DECIDED or rollout.pause is not None


def exit_code(rollout: RolloutView) -> int:
    """0 while it goes on, and when it has promoted its candidate."""
    match rollout.phase:
        case Phase.ROLLED_BACK:
            return EXIT_ROLLED_BACK
        case Phase.ENDED:
            return EXIT_ENDED
        case Phase.PROMOTED | Phase.WATCHING:
            return 0
        case _:
            return EXIT_HELD if rollout.pause is not None else 0


def describe_outcome(rollout: RolloutView) -> str:
    """How it stands, in a sentence or two."""
    said = _describe_state(rollout)
    return said if rollout.is_recorded else f"{said} {NOT_RECORDED}"


def _describe_state(rollout: RolloutView) -> str:
    model, candidate = rollout.model, rollout.candidate
    match rollout.phase:
        case Phase.PROMOTED:
            return f"Version {candidate} is what {model} serves."
        case Phase.WATCHING:
            return (
                f"Version {candidate} is what {model} serves. Version {rollout.baseline} is kept loaded: "
                f"`understudy rollout undo {model}` goes back at once."
            )
        case Phase.ROLLED_BACK:
            return f"Version {candidate} was rolled back; {model} serves version {rollout.baseline}."
        case Phase.ENDED:
            return f"The rollout ended without a verdict on version {candidate}."
        case _:
            waits = "; ".join(rollout.waits_for)
            return f"It waits for {waits}." if waits else "It goes on."
