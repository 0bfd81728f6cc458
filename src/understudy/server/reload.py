"""HandleReloadConfigRequest, answered: requests come from the data plane, orders go to the control loop."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from understudy.control.facts import Applied, LabelLeft, Unavailable
from understudy.dataplane._native import AdminRequest
from understudy.dataplane.native import NativeDataPlane
from understudy.errors import Code, ConfigError
from understudy.lifecycle.labels import unavailable
from understudy.metrics.tallies import Tallies
from understudy.model_config import ServerConfig
from understudy.reload_message import build_reload_response, parse_reload_request

WAIT_S = 0.5
"""How often the thread looks whether it is to end."""

Order = Callable[[ServerConfig, str], Future[Applied]]


class ReloadDesk:
    """Takes reload requests on a thread of its own; each is answered when its order is."""

    def __init__(self, data_plane: NativeDataPlane, order: Order, tallies: Tallies) -> None:
        self._data_plane = data_plane
        self._order = order
        self._tallies = tallies
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
        while not self._stopping.is_set():
            request = self._data_plane.next_admin(timeout_s=WAIT_S)
            if request is not None:
                self._take(request)

    def _take(self, request: AdminRequest) -> None:
        try:
            config = parse_reload_request(request.payload)
        except ConfigError as error:
            self._tallies.take_order("rpc", is_applied=False)
            self._refuse(request.ticket, error)
            return
        self._order(config, "rpc").add_done_callback(lambda answer: self._answer(request.ticket, answer))

    def _answer(self, ticket: int, answer: Future[Applied]) -> None:
        error = answer.exception()
        self._tallies.take_order("rpc", is_applied=error is None)
        if isinstance(error, ConfigError):
            self._refuse(ticket, error)
        elif error is not None:
            self._data_plane.refuse_admin(ticket, code=Code.INTERNAL, message=str(error))
        elif models := answer.result().unavailable:
            text = describe_unavailable(models, noun="model")
            self._data_plane.refuse_admin(ticket, code=Code.UNKNOWN, message=text)
        elif left := answer.result().labels_left:
            text = describe_labels_left(left)
            self._data_plane.refuse_admin(ticket, code=Code.FAILED_PRECONDITION, message=text)
        else:
            self._data_plane.answer_admin(ticket, payload=build_reload_response())

    def _refuse(self, ticket: int, error: ConfigError) -> None:
        self._data_plane.refuse_admin(ticket, code=error.code, message=str(error))


def describe_labels_left(left: tuple[LabelLeft, ...]) -> str:
    """TensorFlow Serving's text for labels that could not be assigned, and what becomes of them."""
    first = left[0]
    others = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
    return (
        f"{unavailable(first.model, first.version)}: {first.reason}{others}; the configuration is in force, "
        f"and label {first.label} moves when the version is available"
    )


def describe_unavailable(unavailable: tuple[Unavailable, ...], *, noun: str) -> str:
    """TensorFlow Serving's text for models that did not become available."""
    groups = "".join(
        f"{{{{name: {each.servable.name} version: {each.servable.version}}} due to error: {each.failure}}}, "
        for each in unavailable
    )
    return f"{len(unavailable)} {noun}(s) did not become available: {{{groups}}}"
