"""The file that models come from, read again: on request always, by polling when what it says has changed.

TensorFlow Serving applies the file at each poll, so that a configuration given by RPC lasts until the next
one. Here a file that says what it said before changes nothing.
"""

import threading
from concurrent.futures import Future
from pathlib import Path

from understudy.clock import Clock
from understudy.config_text import read_changed_config
from understudy.control.facts import Applied, ConfigOrder
from understudy.errors import ConfigError
from understudy.model_config import ServerConfig
from understudy.priority import yield_to_requests
from understudy.server.orders import OrderHandling, Orders, build_draft
from understudy.store.revision import Origin

SETTLED_AFTER_S = 2.0
"""A file changed less than this long ago may change again with the same time stamp: it is read once more."""

_Stamp = tuple[int, int, int, int]
"""Device, inode, time of change and size: a file whose stamp is the same was not written to."""


class ConfigFile:
    """What the file said last. Any thread may ask."""

    def __init__(self, path: str, said: ServerConfig, clock: Clock) -> None:
        """Remembers.

        Args:
            path: of the file.
            said: what it said when the server was started.
            clock: for the age of the file.
        """
        self.path = path
        self._clock = clock
        self._guard = threading.Lock()
        self._said: ServerConfig | None = said
        self._stamp: _Stamp | None = None

    def read(self) -> ServerConfig:
        """What it says now.

        Raises:
            ConfigError: it cannot be read or taken.
        """
        with self._guard:
            config = read_changed_config(self.path)
            self._said = config
            return config

    def read_change(self) -> ServerConfig | None:
        """What it says now, when that is not what it said before; none when it is.

        Raises:
            ConfigError: it cannot be read or taken.
        """
        with self._guard:
            stamp = self._read_stamp()
            if stamp is not None and stamp == self._stamp:
                return None
            config = read_changed_config(self.path)
            self._stamp = stamp
            if config == self._said:
                return None
            self._said = config
            return config

    def forget(self, config: ServerConfig) -> None:
        """What it said was refused: it counts as a change again, for the refusal may pass."""
        with self._guard:
            if self._said == config:
                self._said = self._stamp = None

    def _read_stamp(self) -> _Stamp | None:
        """None when a stamp would prove nothing."""
        try:
            found = Path(self.path).stat()
        except OSError:
            return None
        if self._clock.wall() - found.st_mtime < SETTLED_AFTER_S:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


class ConfigFileReader:
    """Orders what the file says: when told to, and by polling on a thread of its own."""

    def __init__(self, file: ConfigFile, clock: Clock, orders: Orders, handling: OrderHandling) -> None:
        """Prepares.

        Args:
            file: to read.
            clock: the loop's.
            orders: who takes what it says.
            handling: how long the log's word on an order waits for new models; who says it.
        """
        self._file = file
        self._clock = clock
        self._orders = orders
        self._handling = handling
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""

    def start(self, interval_s: float) -> None:
        """Begins to poll; the first look is at once, for the start may have taken long."""
        self._thread = threading.Thread(target=self._run, args=(interval_s,), name="config-file", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ends polling; harmless when it never began."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def reload(self, detail: str) -> None:
        """Orders what the file says now, whatever it said before."""
        try:
            config = self._file.read()
        except ConfigError as error:
            self._handling.reports.refused(Origin.FILE, error)
            return
        order = self._build_order(config, detail)
        order.answer.add_done_callback(lambda answer: self._handling.reports.ended(order, answer))
        self._orders.order(order)

    def poll(self) -> Future[Applied] | None:
        """Orders what the file says, if that has changed; the order's answer."""
        try:
            config = self._file.read_change()
        except ConfigError as error:
            if self._is_new_trouble(error):
                self._handling.reports.refused(Origin.FILE, error)
            return None
        if config is None:
            return None
        order = self._build_order(config, "changed")
        order.answer.add_done_callback(lambda answer: self._take_answer(order, answer))
        self._orders.order(order)
        return order.answer

    def _run(self, interval_s: float) -> None:
        yield_to_requests()
        self.poll()
        while not self._stopping.wait(interval_s):
            self.poll()

    def _build_order(self, config: ServerConfig, detail: str) -> ConfigOrder:
        return ConfigOrder(
            config=config,
            record=build_draft(config, Origin.FILE, f"{detail}: {self._file.path}"),
            deadline=self._clock.now() + self._handling.timeout_s,
        )

    def _take_answer(self, order: ConfigOrder, answer: Future[Applied]) -> None:
        error = answer.exception()
        if error is None:
            self._trouble = ""
        else:
            self._file.forget(order.config)
            if not self._is_new_trouble(error):
                return
        self._handling.reports.ended(order, answer)

    def _is_new_trouble(self, error: BaseException) -> bool:
        """Whether the log has not said so yet: a broken file is looked at again and again."""
        before, self._trouble = self._trouble, str(error)
        return self._trouble != before
