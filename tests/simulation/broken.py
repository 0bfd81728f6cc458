"""A broken invariant, by its number and its rule."""

from typing import NoReturn

INVARIANTS = {
    1: "a route names exactly the READY versions, and the default is one of them",
    3: "a state changes only as the table allows",
    4: "availability preserving: while something is aspired, the last READY version is kept",
    5: "resource preserving: nothing loads while what is not aspired is resident",
    6: "reserved memory is the sum of what is resident, and within the limit",
    7: "the generation grows by one with each change, and only then",
    8: "load and unload go to the same version once each, never at once",
    9: "no version is unloaded while a route leads to it",
    10: "when faults stop, what is aspired is ready within a bounded number of ticks",
    11: "a refused configuration changes nothing",
    12: "what is aspired is what policy, last good look, pins and quarantine say; never what is quarantined",
    13: "what is not aspired when its load ends never becomes READY; what is aspired is not left ended",
    14: "a step tells everything that changed",
    15: "a label in force leads to where it is to, or to what is kept until it has moved; never to what never was",
    16: "an order is answered within a bounded number of ticks",
    17: "what is wanted is loaded from where it is found",
    18: "a candidate's share of traffic is never above the one on record",
    19: "while a rollout ramps up, a candidate's callers only become more, and other callers are another epoch",
    20: "a model has one rollout at a time, which moves along the table of phases and ends once",
    21: "nothing is promoted without a judgement of no harm, or an operator",
    22: "what is in quarantine is neither aspired nor answers",
    23: "while a rollout lasts, its baseline stays loaded, and its candidate is aspired if it is there",
    24: "a candidate is not the default before it is promoted; a managed model serves only what was stable",
    25: "after a restart a rollout is where it was on record, or rolled back",
    26: "everything that changes has a decision with its reason",
    27: "when the verdict is steady and nobody pauses it, a rollout ends within a bounded time",
    28: "what is in force is on record, unless it took a version out of traffic",
}


class BrokenInvariantError(AssertionError):
    """What must always hold did not."""


def broken(number: int, what: str) -> NoReturn:
    """Raises."""
    raise BrokenInvariantError(f"invariant {number} ({INVARIANTS[number]}): {what}")
