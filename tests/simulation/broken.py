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
}


class BrokenInvariantError(AssertionError):
    """What must always hold did not."""


def broken(number: int, what: str) -> NoReturn:
    """Raises."""
    raise BrokenInvariantError(f"invariant {number} ({INVARIANTS[number]}): {what}")
