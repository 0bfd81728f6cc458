"""How much a thread yields to others on a busy machine. Which ones do is said where they are started."""

import os
import threading

NICENESS = 10
"""Of threads that look, parse, decide and load: a tenth of the share of a thread that answers requests, when
there are not cores enough for both."""


def yield_to_requests(niceness: int = NICENESS) -> None:
    """Lowers the calling thread's priority, for good; what it starts from then on inherits that.

    Linux schedules threads one by one; elsewhere it has no effect.
    """
    if niceness and hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
