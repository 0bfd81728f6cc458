"""What is counted of trials: told to the control loop four times a second, and to people who ask."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from understudy.clock import Clock
from understudy.control.facts import EvidenceSeen, TrialSeen
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.shadows import build_report
from understudy.dataplane.trials import build_evidence, build_profile, build_thresholds
from understudy.evidence import TrialProfile
from understudy.shadow_report import ShadowReport

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
        """Does not yield to requests, as the control loop does not: harm waits for both."""
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


@dataclass(frozen=True, slots=True)
class TrialShown:
    """What people see of a model's trial beside its evidence, since the server started.

    Attributes:
        profile: what both versions' answers look like.
        shadow: what came of its shadow traffic; none: there was none.
    """

    profile: TrialProfile
    shadow: ShadowReport | None


def read_shown(data_plane: NativeDataPlane, model: str) -> TrialShown | None:
    """What there is to see of a model's trial; none: it has no trial."""
    trial = next((trial for trial in data_plane.trial_statistics() if trial.model == model), None)
    if trial is None:
        return None
    has_shadow = trial.shadow.mirrored > 0
    return TrialShown(build_profile(trial), build_report(trial.shadow) if has_shadow else None)
