"""The file that strategies come from, read again: on request always, by polling when it says something else.

A file that cannot be taken changes nothing: the former strategies stay in force, and the log says why.
"""

from collections.abc import Mapping
from typing import Protocol

from understudy import telemetry
from understudy.control.facts import StrategiesOrder
from understudy.errors import ConfigError
from understudy.rollout.plan import Strategy
from understudy.server.watched_file import Polling, WatchedFile


class StrategiesOrders(Protocol):
    """Takes strategies; the control loop."""

    def order(self, order: StrategiesOrder) -> None:
        """Takes them."""
        ...


class StrategiesFileReader:
    """Orders what the file says: when told to, and by polling on a thread of its own."""

    def __init__(self, file: WatchedFile[Mapping[str, Strategy]], orders: StrategiesOrders) -> None:
        self._file = file
        self._orders = orders
        self._polling = Polling("rollout-config", self.poll)
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
            self._order(self._file.read(), detail)
        except ConfigError as error:
            self._refuse(error)

    def poll(self) -> None:
        """Orders what the file says, if that has changed; trouble is told once for each reason."""
        try:
            strategies = self._file.read_change()
        except ConfigError as error:
            if str(error) != self._trouble:
                self._refuse(error)
            return
        if strategies is not None:
            self._order(strategies, "changed")

    def _order(self, strategies: Mapping[str, Strategy], detail: str) -> None:
        self._trouble = ""
        order = StrategiesOrder(strategies)
        order.answer.add_done_callback(
            lambda _: telemetry.get_logger().info(
                "rollout_config_taken", file=self._file.path, detail=detail, models=len(strategies)
            )
        )
        self._orders.order(order)

    def _refuse(self, error: ConfigError) -> None:
        self._trouble = str(error)
        telemetry.get_logger().error(
            "rollout_config_refused",
            code=error.code.name,
            reason=f"{error}. What the file said before stays in force.",
        )
