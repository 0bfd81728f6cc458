"""One server's life: start, serve, reload, stop. What is built here is wired here."""

import os
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import NoReturn

from understudy import telemetry
from understudy.admin.listener import AdminServer
from understudy.admin.view import Phase
from understudy.clock import Clock, SystemClock
from understudy.control.facts import Applied
from understudy.errors import Code, ConfigError, DataPlaneError, StartupError, StoreError
from understudy.model_config import TENSORFLOW_PLATFORM, ServerConfig
from understudy.priority import yield_to_requests
from understudy.server.build import Parts, build_parts
from understudy.server.inbox import Answered, Drained, MainInbox, ReloadAsked, StopAsked
from understudy.server.orders import describe_labels_left, describe_unavailable
from understudy.server.state import build_first_order, open_store
from understudy.server_options import OnStartupFailure, ServeOptions
from understudy.store.store import Store

EXIT_OK = 0
EXIT_SIGNAL = 128
"""Added to the number of the signal that ended a server at once, as a shell does."""
JOIN_TIMEOUT_S = 5.0


def run(options: ServeOptions) -> int:
    """Serves until SIGTERM or SIGINT; the exit status.

    Raises:
        ConfigError: the configuration cannot be taken.
        StartupError: the server cannot start: an address is taken, or a model failed and that is to end it.
    """
    inbox = MainInbox()
    with inbox.signals():
        clock = SystemClock()
        with open_store(options, clock) as store:
            server = Server(options, inbox, clock, store)
            try:
                return server.live()
            except (ConfigError, StartupError):
                server.note_orderly_end()
                raise
            finally:
                server.end()


class Server:
    """The parts of one server, and where it is in its life."""

    def __init__(self, options: ServeOptions, inbox: MainInbox, clock: Clock, store: Store) -> None:
        self._options = options
        self._inbox = inbox
        self._clock = clock
        self._store = store
        self._parts: Parts = build_parts(options, clock, store)
        self._log = telemetry.get_logger()
        self._admin: AdminServer | None = None
        self._exits_on_failure = options.on_startup_failure is OnStartupFailure.EXIT

    def live(self) -> int:
        """Starts, serves, and stops when asked to."""
        parts, options = self._parts, self._options
        self._log.info("starting", config_file=options.config_file, state_dir=options.state_dir)
        order = build_first_order(options, self._store.revisions, waits_for_retries=self._exits_on_failure)
        admin_address = self._start_admin()
        self._open_tensorflow_ahead(order.config)
        self._inbox.expect(order.answer)
        parts.loop.order(order)
        parts.loop.start(parts.source, parts.effects, parts.validations)
        parts.source.start()
        parts.evidence.start()
        if parts.request_logs is not None:
            parts.request_logs.start()
        stop = self._wait_until_settled()
        if stop is None:
            self._open_doors(admin_address)
            stop = self._serve()
        self._drain(stop)
        return EXIT_OK

    def note_orderly_end(self) -> None:
        """This process ends because it was asked to, or refuses to start: no version is to blame."""
        try:
            self._store.ends.note_orderly()
        except StoreError as error:
            self._log.warning("end_not_noted", reason=str(error))

    def end(self) -> None:
        """Ends what may still run; nothing here waits for long."""
        if self._admin is not None:
            self._admin.stop()
        for file in (self._parts.config_file, self._parts.strategies_file):
            if file is not None:
                file.stop(JOIN_TIMEOUT_S)
        if self._parts.request_logs is not None:
            self._parts.request_logs.stop()
        self._parts.evidence.stop(JOIN_TIMEOUT_S)
        if self._parts.certificates is not None:
            self._parts.certificates.stop(JOIN_TIMEOUT_S)
        self._parts.reloads.stop()
        if self._parts.pages is not None:
            self._parts.pages.stop()
        self._parts.source.stop(JOIN_TIMEOUT_S)
        self._parts.loop.stop(JOIN_TIMEOUT_S)
        self._parts.effects.stop()
        self._parts.validations.stop()

    def _start_admin(self) -> str | None:
        address = self._options.admin_address
        if address is None:
            return None
        host, _, port = address.rpartition(":")
        self._admin = AdminServer(
            self._parts.view,
            host.strip("[]"),
            int(port),
            operator=self._parts.operator,
            golden=self._parts.golden,
        )
        try:
            return self._admin.start()
        except StartupError as error:
            self._admin = None
            if self._options.admin_is_required:
                raise
            self._log.warning("admin_is_off", reason=str(error))
            return None

    def _open_tensorflow_ahead(self, config: ServerConfig) -> None:
        """Opening the libraries takes half a second: meanwhile everything else starts."""

        def open_tensorflow() -> None:
            with suppress(DataPlaneError):  # the first load says it, with the model's name
                self._parts.loader.open_tensorflow()

        if self._options.litert.is_preferred:
            return  # perhaps no model needs them
        if any(model.platform == TENSORFLOW_PLATFORM for model in config.models):
            threading.Thread(target=open_tensorflow, name="open-tensorflow", daemon=True).start()

    def _wait_until_settled(self) -> StopAsked | None:
        """Waits for the models; a stop that came meanwhile."""
        deadline = self._clock.now() + self._options.startup_timeout_s
        while (left_s := deadline - self._clock.now()) > 0:
            match self._inbox.next(left_s):
                case StopAsked() as stop:
                    return stop
                case Answered(answer):
                    self._parts.tallies.take_order("startup", is_applied=answer.exception() is None)
                    self._judge_start(answer.result())
                    return None
                case ReloadAsked():
                    self._log.warning("reload_ignored", reason="the server is still starting")
                case Drained() | None:
                    break
        self._log.warning("startup_timeout", reason="serving what is ready; the rest follows when it loads")
        return None

    def _judge_start(self, applied: Applied) -> None:
        if applied.unavailable:
            text = describe_unavailable(applied.unavailable, noun="servable")
            if self._exits_on_failure:
                raise StartupError(text, code=Code.UNKNOWN)
            self._log.warning("models_unavailable", reason=text)
        if applied.labels_left:
            text = describe_labels_left(applied.labels_left)
            if self._exits_on_failure:
                raise StartupError(text, code=Code.FAILED_PRECONDITION)
            self._log.warning("labels_left", reason=text)

    def _open_doors(self, admin_address: str | None) -> None:
        try:
            bound = self._parts.data_plane.serve()
        except DataPlaneError as error:
            raise StartupError(error.message, code=error.code) from error
        self._parts.data_plane.set_healthy(healthy=True)
        socket = self._options.data_plane.grpc_socket
        unix = None if socket is None else f"unix:{socket}"
        self._parts.view.enter(Phase.SERVING, grpc=bound.grpc or unix, rest=bound.rest)
        self._parts.reloads.start()
        if self._parts.pages is not None:
            self._parts.pages.start()
        if self._parts.certificates is not None:
            self._parts.certificates.start()
        if self._options.config_poll_interval_s > 0:
            for file in (self._parts.config_file, self._parts.strategies_file):
                if file is not None:
                    file.start(self._options.config_poll_interval_s)
        also = {} if unix is None else {"grpc_socket": unix}
        self._log.info("serving", grpc=bound.grpc, rest=bound.rest, admin=admin_address, **also)

    def _serve(self) -> StopAsked:
        yield_to_requests()  # not earlier: the doors' threads were started from this one
        while True:
            match self._inbox.next():
                case StopAsked() as stop:
                    return stop
                case ReloadAsked():
                    self._reload_files()
                case Answered() | Drained() | None:  # the start's order, settled after its time-out
                    pass

    def _reload_files(self) -> None:
        files = (self._parts.certificates, self._parts.config_file, self._parts.strategies_file)
        if all(file is None for file in files):
            self._log.warning("reload_refused", reason="models came from flags: no file to read again")
        for file in files:
            if file is not None:
                file.reload("SIGHUP")

    def _drain(self, stop: StopAsked) -> None:
        """Health first, so that balancers look elsewhere; then the doors; then the last requests."""
        self.note_orderly_end()
        self._parts.view.enter(Phase.DRAINING)
        self._parts.data_plane.set_healthy(healthy=False)
        self._log.info("stopping", signal=stop.signal.name)
        self._close_doors()
        while not isinstance(message := self._inbox.next(), Drained):
            if isinstance(message, StopAsked):
                self._end_at_once(message)
        self._log.info("stopped", requests_left=message.requests_left.result())

    def _close_doors(self) -> None:
        """Closes them on another thread: signals are handled on this one, which must be free for them."""
        requests_left: Future[int] = Future()
        self._inbox.expect_drained(requests_left)

        def close_doors() -> None:
            try:
                left = self._parts.data_plane.stop(drain_timeout_s=self._options.stop_timeout_s)
            except DataPlaneError as error:
                requests_left.set_exception(error)
            else:
                requests_left.set_result(left)

        threading.Thread(target=close_doors, name="drain", daemon=True).start()

    def _end_at_once(self, again: StopAsked) -> NoReturn:
        """Who asks twice does not want to wait: not for requests, and not for any thread either."""
        self._log.warning("stopped_at_once", signal=again.signal.name, reason="asked twice")
        os._exit(EXIT_SIGNAL + again.signal)
