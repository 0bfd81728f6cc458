"""The life of a rollout: the table of its phases. Nothing moves but along it. Why, is decided elsewhere."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from understudy.rollout.state import Phase


class Trigger(Enum):
    """What moves a rollout from one phase to the next."""

    LOADED = "loaded"
    SHADOW_BEGUN = "shadow begun"
    RAMP_BEGUN = "ramp begun"
    STEP_PASSED = "step passed"
    PASSED = "no harm"
    PROMOTED = "promoted by an operator"
    WATCHED = "watched"
    FAILED = "failed"
    ABORTED = "aborted by an operator"
    OVERRULED = "overruled"


UNDER_WAY = (Phase.WAITING, Phase.VALIDATING, Phase.SHADOWING, Phase.RAMPING)
"""Phases before the candidate is what the model serves."""

TRANSITIONS: Mapping[tuple[Phase, Trigger], Phase] = MappingProxyType(
    {
        (Phase.WAITING, Trigger.LOADED): Phase.VALIDATING,
        (Phase.VALIDATING, Trigger.SHADOW_BEGUN): Phase.SHADOWING,
        (Phase.VALIDATING, Trigger.RAMP_BEGUN): Phase.RAMPING,
        (Phase.VALIDATING, Trigger.PASSED): Phase.WATCHING,
        (Phase.SHADOWING, Trigger.RAMP_BEGUN): Phase.RAMPING,
        (Phase.SHADOWING, Trigger.PASSED): Phase.WATCHING,
        (Phase.RAMPING, Trigger.STEP_PASSED): Phase.RAMPING,
        (Phase.RAMPING, Trigger.PASSED): Phase.WATCHING,
        **{(phase, Trigger.PROMOTED): Phase.WATCHING for phase in UNDER_WAY},
        (Phase.WATCHING, Trigger.WATCHED): Phase.PROMOTED,
        (Phase.WATCHING, Trigger.PROMOTED): Phase.PROMOTED,
        **{(phase, Trigger.FAILED): Phase.ROLLED_BACK for phase in (*UNDER_WAY, Phase.WATCHING)},
        **{(phase, Trigger.ABORTED): Phase.ROLLED_BACK for phase in (*UNDER_WAY, Phase.WATCHING)},
        **{(phase, Trigger.OVERRULED): Phase.ENDED for phase in (*UNDER_WAY, Phase.WATCHING)},
    }
)
"""Every change of phase there is. What is missing here is a fault of ours, and asserted."""
