"""How configuration orders are drawn up, and what the log says of their end, whoever gave them."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from understudy import telemetry
from understudy.config_text import format_config
from understudy.control.facts import Applied, ConfigOrder, LabelLeft, Unavailable
from understudy.errors import Code, ConfigError, StoreError
from understudy.lifecycle.labels import unavailable
from understudy.metrics.tallies import Tallies
from understudy.model_config import ServerConfig
from understudy.store.revision import Draft, Origin

NAMES_SHOWN_MAX = 20
"""Of models in a text for people; there may be thousands."""


class Orders(Protocol):
    """Takes configuration orders; the control loop."""

    def order(self, order: ConfigOrder) -> None:
        """Takes one."""
        ...


def build_draft(config: ServerConfig, origin: Origin, detail: str = "") -> Draft:
    """What is recorded of a configuration. Thousands of models take a while: not for the control thread."""
    return Draft(origin, detail, format_config(config))


class OrderReports:
    """Tells the log and the metrics how orders ended, whoever gave them."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies

    def refused(self, origin: Origin, error: ConfigError) -> None:
        """What came did not even become an order."""
        self._tallies.take_order(origin.value, is_applied=False)
        telemetry.get_logger().error(
            "reload_refused", origin=origin.value, code=error.code.name, reason=str(error)
        )

    def ended(self, order: ConfigOrder, answer: Future[Applied]) -> None:
        """An order has its answer; for the answer's callback."""
        log = telemetry.get_logger()
        asked = _describe(order)
        error = answer.exception()
        self._tallies.take_order(str(asked["origin"]), is_applied=error is None)
        if error is not None:
            code = error.code if isinstance(error, ConfigError | StoreError) else Code.INTERNAL
            log.error("reload_refused", **asked, code=code.name, reason=str(error))
            return
        applied = answer.result()
        change = applied.change
        asked |= {
            "revision": applied.revision,
            "added": len(change.added),
            "removed": len(change.removed),
            "changed": len(change.changed),
        }
        if shortfall := describe_shortfall(applied):
            log.warning("reloaded", **asked, reason=shortfall)
        else:
            log.info("reloaded", **asked)


@dataclass(frozen=True, slots=True)
class OrderHandling:
    """What becomes of orders, whoever gives them.

    Attributes:
        reports: told how each ended.
        timeout_s: how long an answer waits for what is new.
    """

    reports: OrderReports
    timeout_s: float


def describe_shortfall(applied: Applied) -> str:
    """What did not come of an order although its configuration is in force, in one text; empty: all did."""
    parts = []
    if applied.unsettled:
        names = ", ".join(applied.unsettled[:NAMES_SHOWN_MAX])
        more = len(applied.unsettled) - NAMES_SHOWN_MAX
        parts.append(
            f"The configuration is in force as revision {applied.revision}, but the time to wait was over "
            f"while {len(applied.unsettled)} model(s) were still under way: {names}"
            + (f" and {more} more" if more > 0 else "")
        )
    if applied.unavailable:
        parts.append(describe_unavailable(applied.unavailable, noun="model"))
    if applied.labels_left:
        parts.append(describe_labels_left(applied.labels_left))
    return ". ".join(parts)


def describe_labels_left(left: tuple[LabelLeft, ...]) -> str:
    """TensorFlow Serving's text for labels that could not be assigned, and what becomes of them."""
    first = left[0]
    others = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
    return (
        f"{unavailable(first.model, first.version)}: {first.reason}{others}; the configuration is in force, "
        f"and label {first.label} moves when the version is available"
    )


def describe_unavailable(models: tuple[Unavailable, ...], *, noun: str) -> str:
    """TensorFlow Serving's text for models that did not become available."""
    groups = "".join(
        f"{{{{name: {each.servable.name} version: {each.servable.version}}} due to error: {each.failure}}}, "
        for each in models
    )
    return f"{len(models)} {noun}(s) did not become available: {{{groups}}}"


def _describe(order: ConfigOrder) -> dict[str, object]:
    if not isinstance(order.record, Draft):
        return {"origin": Origin.STARTUP.value}
    said: dict[str, object] = {"origin": order.record.origin.value}
    if order.record.detail:
        said["detail"] = order.record.detail
    return said
