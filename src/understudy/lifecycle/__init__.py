"""Which versions should live, and the next step of each. Decides; does nothing.

`Aspirer` turns looks and configuration into aspired versions, `Manager` turns aspired versions and outcomes
into actions and events. Both are plain objects in one thread's hands: no clock, file, thread, log or random.
"""

from understudy.lifecycle.actions import Action, Facts, Inspect, Load, StepResult, Unload, Watch, Withdraw
from understudy.lifecycle.aspire import AspiredVersions, Aspirer, AspireResult, Overlay, aspired_versions
from understudy.lifecycle.manager import Manager, ManagerOptions
from understudy.lifecycle.transition import AvailabilityPreserving, ResourcePreserving, TransitionPolicy

__all__ = [
    "Action",
    "AspireResult",
    "AspiredVersions",
    "Aspirer",
    "AvailabilityPreserving",
    "Facts",
    "Inspect",
    "Load",
    "Manager",
    "ManagerOptions",
    "Overlay",
    "ResourcePreserving",
    "StepResult",
    "TransitionPolicy",
    "Unload",
    "Watch",
    "Withdraw",
    "aspired_versions",
]
