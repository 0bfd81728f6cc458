"""Operators' changes, drawn up as orders for the control loop, and its answers as the API's."""

import asyncio
import math
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from understudy.admin.operator import (
    ChangeView,
    ConfigView,
    FailedView,
    HistoryView,
    LabelLeftView,
    NewConfig,
    RetryView,
    RevisionView,
    Rollback,
)
from understudy.clock import Clock
from understudy.config_text import parse_config_text
from understudy.control.facts import Applied, ConfigOrder, Obeyed, RetryOrder, TrafficOrder
from understudy.control.loop import ControlLoop
from understudy.errors import Code, ConfigError
from understudy.model_config import ModelConfig, ServerConfig
from understudy.rollout.commands import Command
from understudy.servable import ServableId
from understudy.server.orders import OrderReports, build_draft
from understudy.server.rollouts import LiveRollouts, Shown
from understudy.store.revision import Origin, Revision, RevisionHead
from understudy.store.store import Store

ANSWER_GRACE_S: Final = 10.0
"""Beyond an order's own time: the control loop ticks ten times a second, unless it has stopped."""
LABEL_TRIES_MAX: Final = 5
"""Somebody else's change may come between reading the configuration and changing it, but not for ever."""

_Answer = TypeVar("_Answer")


class LiveOperator:
    """Takes operators' changes of a live server."""

    def __init__(
        self,
        clock: Clock,
        shown: Shown,
        loop: ControlLoop,
        store: Store,
        *,
        reports: OrderReports,
    ) -> None:
        self._clock = clock
        self._desk = shown.desk
        self._loop = loop
        self._store = store.revisions
        self._reports = reports
        self._rollouts = LiveRollouts(clock, shown, store.rollouts, give=self.traffic)

    @property
    def rollouts(self) -> LiveRollouts:
        """Who tells of rollouts, and takes orders about traffic."""
        return self._rollouts

    async def config(self) -> ConfigView:
        """The revision in force."""
        return await self.revision(self._desk.picture.config_revision)

    async def revision(self, number: int) -> ConfigView:
        """A revision on record."""
        found = await self._find(number)
        return ConfigView(self._view(found.head), found.text)

    async def history(self, limit: int) -> HistoryView:
        """The newest revisions."""
        heads = await asyncio.to_thread(self._store.history, limit)
        return HistoryView(tuple(self._view(head) for head in heads))

    async def apply(self, config: NewConfig) -> ChangeView:
        """Puts a configuration in force."""
        parsed = await asyncio.to_thread(_parse, config.text)
        order = await self._draw_up(parsed, config.detail, wait_s=config.wait_s)
        return await self._give(
            replace(order, is_trial=config.dry_run, expected_revision=config.expected_revision)
        )

    async def roll_back(self, rollback: Rollback) -> ChangeView:
        """Puts an earlier configuration in force again."""
        found = await self._find(rollback.revision)
        parsed = await asyncio.to_thread(_parse, found.text)
        order = await self._draw_up(
            parsed, f"roll back to revision {rollback.revision}", wait_s=rollback.wait_s
        )
        return await self._give(
            replace(order, is_trial=rollback.dry_run, expected_revision=rollback.expected_revision)
        )

    async def set_label(self, model: str, label: str, version: int | None) -> ChangeView:
        """Lets a label lead to a version; none: takes the label away."""
        what = f"label {label} of {model} " + ("removed" if version is None else f"to version {version}")
        for tries_left in reversed(range(LABEL_TRIES_MAX)):
            picture = self._desk.picture
            config = _relabel(picture.config, model, label, version)
            order = await self._draw_up(config, what, wait_s=0.0)
            try:
                return await self._give(replace(order, expected_revision=picture.config_revision))
            except ConfigError as error:
                if error.code is not Code.ABORTED or not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    async def retry(self, model: str, version: int) -> RetryView:
        """Tries to load a version again now."""
        known = self._desk.picture.models.get(model)
        if known is None or all(each.version != version for each in known.versions):
            raise ConfigError(
                Code.NOT_FOUND,
                f"There is no version {version} of a model {model} to try again; `understudy status {model}` "
                "lists what there is",
            )
        order = RetryOrder(ServableId(model, version))
        self._loop.order(order)
        retried = await self._answer_of(order.answer, 0.0)
        if not retried.is_begun:
            raise ConfigError(Code.FAILED_PRECONDITION, retried.reason)
        return RetryView(model, version, retried.reason)

    async def traffic(self, model: str, command: Command, *, by: str) -> Obeyed:
        """Has a command about a model's traffic obeyed: it is on record and in force when this returns."""
        order = TrafficOrder(model=model, command=command, by=by)
        self._loop.order(order)
        return await self._answer_of(order.answer, 0.0)

    async def _find(self, number: int) -> Revision:
        found = await asyncio.to_thread(self._store.find, number)
        if found is None:
            raise ConfigError(
                Code.NOT_FOUND,
                f"There is no revision {number} on record; `understudy config history` lists those there are",
            )
        return found

    async def _draw_up(self, config: ServerConfig, detail: str, *, wait_s: float) -> ConfigOrder:
        draft = await asyncio.to_thread(build_draft, config, Origin.API, detail)
        return ConfigOrder(config=config, record=draft, deadline=self._clock.now() + wait_s)

    async def _give(self, order: ConfigOrder) -> ChangeView:
        if not order.is_trial:
            order.answer.add_done_callback(lambda answer: self._reports.ended(order, answer))
        self._loop.order(order)
        wait_s = max(0.0, order.deadline - self._clock.now())
        return _view_change(await self._answer_of(order.answer, wait_s), is_trial=order.is_trial)

    async def _answer_of(self, answer: "Future[_Answer]", wait_s: float) -> _Answer:
        """The loop's answer.

        Raises:
            ConfigError: DEADLINE_EXCEEDED when there is none; whatever else the loop refuses with.
        """
        assert wait_s < math.inf  # noqa: S101 - the API bounds it
        try:
            return await asyncio.wait_for(
                asyncio.shield(asyncio.wrap_future(answer)), wait_s + ANSWER_GRACE_S
            )
        except TimeoutError as error:
            raise ConfigError(
                Code.DEADLINE_EXCEEDED,
                "The control loop does not answer, so whether the change is in force is not known. The "
                "server's log says why; what is loaded goes on serving",
            ) from error

    def _view(self, head: RevisionHead) -> RevisionView:
        at = datetime.fromtimestamp(head.at, UTC)
        in_force = head.number == self._desk.picture.config_revision
        return RevisionView(head.number, at, head.origin.value, head.detail, in_force)


def _parse(text: str) -> ServerConfig:
    config = parse_config_text(text)
    if config is None:
        raise ConfigError(
            Code.INVALID_ARGUMENT,
            "The text says nothing; for a server without models write `model_config_list {}`",
        )
    return config


def _relabel(config: ServerConfig, name: str, label: str, version: int | None) -> ServerConfig:
    """The configuration with one label moved, added or taken away."""
    model = next((each for each in config.models if each.name == name), None)
    if model is None:
        raise ConfigError(Code.NOT_FOUND, f"The configuration in force names no model {name}")
    labels = dict(model.labels)
    if version is not None:
        labels[label] = version
    elif labels.pop(label, None) is None:
        raise ConfigError(Code.NOT_FOUND, f"Model {name} has no label {label}")
    changed: ModelConfig = replace(model, labels=tuple(sorted(labels.items())))
    return ServerConfig(tuple(changed if each is model else each for each in config.models))


def _view_change(applied: Applied, *, is_trial: bool) -> ChangeView:
    change = applied.change
    return ChangeView(
        revision=applied.revision,
        dry_run=is_trial,
        added=tuple(model.name for model in change.added),
        removed=change.removed,
        changed=tuple(model.name for model in change.changed),
        failed=tuple(
            FailedView(
                each.servable.name, each.servable.version, each.failure.code.name, each.failure.message
            )
            for each in applied.unavailable
        ),
        labels_left=tuple(
            LabelLeftView(each.model, each.label, each.version, each.reason) for each in applied.labels_left
        ),
        loading=applied.unsettled,
    )
