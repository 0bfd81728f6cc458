"""What happens to request logs, told: reports come from the data plane, facts go to the control loop."""

import threading
from collections.abc import Callable

from understudy.clock import Clock
from understudy.control.facts import Happened
from understudy.dataplane._native import RequestLogReport
from understudy.dataplane.native import NativeDataPlane
from understudy.priority import yield_to_requests
from understudy.servable import Event

WAIT_S = 0.5
"""How often the thread looks whether it is to end."""


class RequestLogWatch:
    """Passes reports on from a thread of its own, which exists only when requests may be logged."""

    def __init__(self, data_plane: NativeDataPlane, clock: Clock, send: Callable[[Happened], None]) -> None:
        self._data_plane = data_plane
        self._clock = clock
        self._send = send
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request-log-watch", daemon=True)

    def start(self) -> None:
        """Begins to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; harmless when it never began."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        yield_to_requests()
        while not self._stopping.is_set():
            report = self._data_plane.next_request_log_report(timeout_s=WAIT_S)
            if report is not None:
                self._send(Happened(_build_event(report, self._clock.now())))


def _build_event(report: RequestLogReport, at: float) -> Event:
    if report.failure is not None:
        reason = (
            f"requests cannot be logged: {report.failure}; they are answered all the same, and each second "
            "another attempt is made"
        )
        return Event(at, report.model, None, "request_log_failed", reason)
    reason = f"requests are logged again; {report.records_lost} records were lost meanwhile"
    return Event(at, report.model, None, "request_log_recovered", reason)
