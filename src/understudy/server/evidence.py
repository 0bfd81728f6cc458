"""What is counted of trials, taken to the control loop: from the data plane, four times a second."""

import threading
from collections.abc import Callable
from typing import Final

from understudy.clock import Clock
from understudy.control.facts import EvidenceSeen, TrialSeen
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.shadows import ShadowReport, build_report
from understudy.dataplane.trials import build_evidence, build_profile, build_thresholds
from understudy.evidence import TrialProfile
from understudy.priority import yield_to_requests

INTERVAL_S: Final = 0.25
"""Between two looks at the counts: harm waits no longer than this for its verdict ..."""
REST: Final = 4.0
"""... unless there are so many trials that a look takes long: after it, so many times that passes."""


class EvidenceWatch:
    """Tells the control loop what was counted, from a thread of its own. Without a trial it tells nothing."""

    def __init__(
        self, data_plane: NativeDataPlane, clock: Clock, send: Callable[[EvidenceSeen], None]
    ) -> None:
        self._data_plane = data_plane
        self._clock = clock
        self._send = send
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ends; harmless when it never began."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        yield_to_requests()
        pause_s = INTERVAL_S
        while not self._stopping.wait(pause_s):
            begun = self._clock.now()
            seen = read_evidence(self._data_plane)
            if seen.trials:
                self._send(seen)
            pause_s = max(INTERVAL_S, REST * (self._clock.now() - begun))


def read_evidence(data_plane: NativeDataPlane) -> EvidenceSeen:
    """What is counted of every trial, now."""
    return EvidenceSeen(
        {
            trial.model: TrialSeen(build_evidence(trial), build_thresholds(trial))
            for trial in data_plane.trial_statistics()
        }
    )


def read_profile(data_plane: NativeDataPlane, model: str) -> TrialProfile | None:
    """What people see of a model's trial beside its evidence; none: it has no trial."""
    trials = (trial for trial in data_plane.trial_statistics() if trial.model == model)
    return next((build_profile(trial) for trial in trials), None)


def read_shadow(data_plane: NativeDataPlane, model: str) -> ShadowReport | None:
    """What people see of a model's shadow traffic, since the server started; none: it has no trial."""
    trials = (trial for trial in data_plane.trial_statistics() if trial.model == model)
    return next((build_report(trial.shadow) for trial in trials), None)
