"""Understudy's part of the metrics page on the REST port: requests come from the data plane, one at a time.

The data plane asks for it while it makes a page, and bounds how often; it does without when that takes long.
"""

import threading
from collections.abc import Callable
from typing import Final

from understudy import telemetry
from understudy.dataplane.native import NativeDataPlane
from understudy.errors import Code
from understudy.priority import yield_to_requests

METHOD: Final = "GetMetricsPage"
"""What the data plane calls these requests."""

WAIT_S: Final = 0.5
"""How often the thread looks whether it is to end."""


class PageDesk:
    """Draws the page when it is asked for, on a thread of its own."""

    def __init__(self, data_plane: NativeDataPlane, draw: Callable[[], bytes]) -> None:
        self._data_plane = data_plane
        self._draw = draw
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-page", daemon=True)

    def start(self) -> None:
        """Starts answering."""
        self._thread.start()

    def stop(self) -> None:
        """Answers no more, and does not wait for a page that is being drawn: nobody will take it."""
        self._stopping.set()

    def _run(self) -> None:
        yield_to_requests()
        while not self._stopping.is_set():
            request = self._data_plane.next_admin(METHOD, timeout_s=WAIT_S)
            if request is not None:
                self._answer(request.ticket)

    def _answer(self, ticket: int) -> None:
        try:
            page = self._draw()
        except Exception as error:  # noqa: BLE001 - a thread's last floor: the next page may be drawn again
            telemetry.get_logger().error("metrics_page_failed", reason=str(error), exc_info=error)
            self._data_plane.refuse_admin(ticket, code=Code.INTERNAL, message=str(error))
        else:
            self._data_plane.answer_admin(ticket, payload=page)
