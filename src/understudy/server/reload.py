"""HandleReloadConfigRequest, answered: requests come from the data plane, orders go to the control loop."""

import math
import threading
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from understudy.clock import Clock
from understudy.control.facts import Applied, ConfigOrder
from understudy.dataplane._native import AdminRequest
from understudy.dataplane.native import NativeDataPlane
from understudy.errors import Code, ConfigError, StoreError
from understudy.priority import yield_to_requests
from understudy.reload_message import build_reload_response, parse_reload_request
from understudy.server.orders import OrderHandling, Orders, build_draft, describe_shortfall
from understudy.store.revision import Origin

WAIT_S = 0.5
"""How often the thread looks whether it is to end."""
ANSWER_MARGIN_S = 0.5
ANSWER_MARGIN_SHARE = 0.2
"""An answer sets out so much before the caller's deadline, the smaller of the two, so that it arrives."""


METHOD = "HandleReloadConfigRequest"
"""What the data plane calls these requests."""


class Counters(Protocol):
    """Numbers that only grow, by name."""

    def values(self, names: Collection[str]) -> dict[str, int]:
        """How far each has come; 0 for a name that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that waits for its order's answer, and where its counters stood when it came."""

    ticket: int
    before: dict[str, int]


class ReloadDesk:
    """Takes reload requests on a thread of its own; each is answered when its order is."""

    def __init__(
        self,
        data_plane: NativeDataPlane,
        clock: Clock,
        orders: Orders,
        counters: Counters,
        handling: OrderHandling,
    ) -> None:
        """Prepares.

        Args:
            data_plane: where requests come from and answers go.
            clock: the loop's.
            orders: who puts configurations in force.
            counters: for the metrics that a request names.
            handling: how long a call waits for new models, when its caller allows for more; who is told.
        """
        self._data_plane = data_plane
        self._clock = clock
        self._orders = orders
        self._counters = counters
        self._handling = handling
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload-rpc", daemon=True)

    def start(self) -> None:
        """Starts taking requests."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more requests; harmless when it never took one."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        yield_to_requests()
        while not self._stopping.is_set():
            request = self._data_plane.next_admin(METHOD, timeout_s=WAIT_S)
            if request is not None:
                self._take(request)

    def _take(self, request: AdminRequest) -> None:
        deadline = self._clock.now() + min(self._handling.timeout_s, _caller_waits_s(request.timeout_s))
        try:
            asked = parse_reload_request(request.payload)
        except ConfigError as error:
            self._handling.reports.refused(Origin.RPC, error)
            self._data_plane.refuse_admin(request.ticket, code=error.code, message=str(error))
            return
        call = _Call(request.ticket, self._counters.values(asked.metric_names))
        order = ConfigOrder(
            config=asked.config, record=build_draft(asked.config, Origin.RPC), deadline=deadline
        )
        order.answer.add_done_callback(lambda answer: self._answer(call, answer))
        order.answer.add_done_callback(lambda answer: self._handling.reports.ended(order, answer))
        self._orders.order(order)

    def _answer(self, call: _Call, answer: Future[Applied]) -> None:
        error = answer.exception()
        if isinstance(error, ConfigError | StoreError):
            self._data_plane.refuse_admin(call.ticket, code=error.code, message=str(error))
            return
        if error is not None:
            self._data_plane.refuse_admin(call.ticket, code=Code.INTERNAL, message=str(error))
            return
        applied = answer.result()
        if shortfall := describe_shortfall(applied):
            self._data_plane.refuse_admin(call.ticket, code=_shortfall_code(applied), message=shortfall)
            return
        now = self._counters.values(call.before)
        increases = {name: now[name] - before for name, before in call.before.items()}
        self._data_plane.answer_admin(call.ticket, payload=build_reload_response(increases))


def _shortfall_code(applied: Applied) -> Code:
    if applied.unsettled:
        return Code.DEADLINE_EXCEEDED
    return Code.UNKNOWN if applied.unavailable else Code.FAILED_PRECONDITION


def _caller_waits_s(timeout_s: float | None) -> float:
    """How long after now an answer may set out and still reach its caller in time."""
    if timeout_s is None:
        return math.inf
    return timeout_s - min(ANSWER_MARGIN_S, ANSWER_MARGIN_SHARE * timeout_s)
