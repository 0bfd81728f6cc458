"""The file that models come from, read again: on request always, by polling when what it says has changed.

TensorFlow Serving applies the file at each poll, so that a configuration given by RPC lasts until the next
one. Here a file that says what it said before changes nothing.
"""

from concurrent.futures import Future

from understudy.clock import Clock
from understudy.control.facts import Applied, ConfigOrder
from understudy.errors import ConfigError
from understudy.model_config import ServerConfig
from understudy.server.orders import OrderHandling, Orders, build_draft
from understudy.server.watched_file import Polling, WatchedFile
from understudy.store.revision import Origin


class ConfigFileReader:
    """Orders what the file says: when told to, and by polling on a thread of its own."""

    def __init__(
        self, file: WatchedFile[ServerConfig], clock: Clock, orders: Orders, handling: OrderHandling
    ) -> None:
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
        self._polling = Polling("config-file", self.poll)
        self._trouble = ""

    def start(self, interval_s: float) -> None:
        """Begins to poll; the first look is at once, for the start may have taken long."""
        self._polling.start(interval_s)

    def stop(self, timeout_s: float) -> None:
        """Ends polling; harmless when it never began."""
        self._polling.stop(timeout_s)

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
