"""Which load deserves a free worker first."""

from collections.abc import Iterable
from dataclasses import dataclass

from understudy.lifecycle.model import ManagedModel
from understudy.servable import ServableId, State


@dataclass(frozen=True, slots=True)
class WantedLoad:
    """A load that a model's policy wants begun now.

    Attributes:
        model: whose.
        servable: which.
        place: in the model's own order, from 0.
    """

    model: ManagedModel
    servable: ServableId
    place: int


def by_need(loads: Iterable[WantedLoad]) -> list[WantedLoad]:
    """The loads in the order in which they deserve a worker.

    First the first version of models that answer nothing yet; then the others, the first version of every
    model before any model's second. At both stages those that have not failed before come first, so that
    models which fail again and again never crowd out one that works.
    """
    return sorted(loads, key=_need)


def _need(load: WantedLoad) -> tuple[bool, bool, int, str]:
    answers = any(harness.state is State.READY for harness in load.model)
    has_failed = load.model[load.servable].attempts > 0
    return (answers or load.place > 0, has_failed, load.place, load.model.name)
