"""Rollouts of a live server as the operators' API tells of them and takes orders about them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from understudy.admin.rollouts import (
    DecisionView,
    NewAbort,
    NewFeedback,
    NewQuarantine,
    NewRollout,
    NewTurn,
    NewWeights,
    RolloutHistoryView,
    RolloutsView,
    RolloutView,
    StoryView,
    TrafficView,
    Turn,
)
from understudy.clock import Calendar, Clock
from understudy.control.desk import Desk
from understudy.control.facts import Obeyed
from understudy.errors import Code, ConfigError, DataPlaneError
from understudy.quality.desk import Book, FeedbackDesk, FeedbackView
from understudy.rollout.commands import (
    Abort,
    Approve,
    ClearWeights,
    Command,
    Pause,
    Promote,
    Quarantine,
    Release,
    Resume,
    Undo,
)
from understudy.rollout.plan import QualitySettings
from understudy.rollout.state import Rollout
from understudy.server.evidence import TrialShown
from understudy.server.rollout_views import build_decision, build_head, build_rollout, build_traffic
from understudy.server.rollout_wishes import build_start, build_weights
from understudy.store.rollouts import RolloutStore

NOBODY: Final = "api"
"""Who asks when nobody says."""

_TURNS: Final[dict[Turn, Command]] = {
    Turn.PAUSE: Pause(),
    Turn.RESUME: Resume(),
    Turn.APPROVE: Approve(),
    Turn.PROMOTE: Promote(),
    Turn.UNDO: Undo(),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What operators are told from. Waits for nobody.

    Attributes:
        desk: the control loop's pictures.
        trial: what there is to see of a model's trial; none: it has none.
        book: where predictions wait for their truth.
    """

    desk: Desk
    trial: Callable[[str], TrialShown | None]
    book: Book


class Give(Protocol):
    """Gives the control loop an order about a model's traffic, and waits for what came of it."""

    async def __call__(self, model: str, command: Command, *, by: str) -> Obeyed:
        """What came of it."""
        ...


class LiveRollouts:
    """Tells of a live server's rollouts, and takes orders about its traffic."""

    def __init__(self, clock: Clock, shown: Shown, store: RolloutStore, *, give: Give) -> None:
        self._clock = clock
        self._calendar = Calendar(clock)
        self._desk = shown.desk
        self._store = store
        self._give = give
        self._trial = shown.trial
        self._feedback = FeedbackDesk(shown.book, self._find_quality)

    async def all(self, limit: int) -> RolloutsView:
        """The rollouts under way, and at most so many of those that ended."""
        recorded = await asyncio.to_thread(self._store.ended, limit)
        picture = self._desk.picture
        kept = sorted(picture.traffic.items())
        owed = [each for change in picture.owed.values() for each in reversed(change.ended)]
        return RolloutsView(
            present=tuple(self._view(each.rollout) for _, each in kept if each.rollout is not None),
            ended=tuple(build_head(each, self._calendar) for each in [*owed, *recorded][:limit]),
        )

    async def rollout(self, model: str) -> RolloutView:
        """The model's rollout under way, or its last one."""
        self._check(model)
        kept = self._desk.picture.traffic.get(model)
        if kept is not None and kept.rollout is not None:
            return await self._view_whole(kept.rollout)
        newest = await asyncio.to_thread(self._store.history, model, 1)
        if not newest:
            raise ConfigError(
                Code.NOT_FOUND,
                f"There is no rollout of {model}; start one with "
                f"`understudy rollout start {model} --to VERSION`",
            )
        return self._view(self._in_force(newest[0]))

    async def history(self, model: str, limit: int) -> RolloutHistoryView:
        """The model's newest rollouts."""
        found = await asyncio.to_thread(self._store.history, model, limit)
        if not found:  # what there was of a model that is gone stays on record
            self._check(model)
        return RolloutHistoryView(
            model=model,
            rollouts=tuple(build_head(self._in_force(each), self._calendar) for each in found),
        )

    async def story(self, rollout: str) -> StoryView:
        """One rollout whole."""
        found = await asyncio.to_thread(self._store.rollout, rollout)
        if found is None:
            raise ConfigError(
                Code.NOT_FOUND,
                f"There is no rollout {rollout} on record; `understudy rollout status` lists those under "
                "way, `understudy rollout history MODEL` those of a model",
            )
        return StoryView(
            rollout=await self._view_whole(self._in_force(found)),
            decisions=await self._decisions(found.model, rollout),
        )

    async def feedback(self, model: str, told: NewFeedback) -> FeedbackView:
        """Takes truths about predictions of the rollout under way."""
        self._check(model)
        try:
            return await asyncio.to_thread(self._feedback.take, model, told.items)
        except DataPlaneError as error:
            raise ConfigError(error.code, error.message) from error

    async def traffic(self, model: str) -> TrafficView:
        """Who answers."""
        self._check(model)
        return build_traffic(model, self._desk.picture, self._calendar)

    async def start(self, model: str, wanted: NewRollout) -> RolloutView:
        """Begins a rollout."""
        strategy = self._desk.picture.strategies.get(model)
        command = await asyncio.to_thread(build_start, wanted, strategy)
        return await self._order(model, command, wanted.by)

    async def turn(self, model: str, turn: Turn, wanted: NewTurn) -> RolloutView:
        """Lets the rollout under way go another way."""
        return await self._order(model, _TURNS[turn], wanted.by)

    async def abort(self, model: str, wanted: NewAbort) -> RolloutView:
        """Rolls back."""
        return await self._order(model, Abort(reason=wanted.reason, quarantines=wanted.quarantine), wanted.by)

    async def set_weights(self, model: str, wanted: NewWeights) -> TrafficView:
        """Splits traffic by hand."""
        return await self._change(model, build_weights(wanted), wanted.by)

    async def clear_weights(self, model: str, by: str) -> TrafficView:
        """Lets the default version answer everything again."""
        return await self._change(model, ClearWeights(), by)

    async def quarantine(self, model: str, version: int, wanted: NewQuarantine) -> TrafficView:
        """Keeps a version from being served."""
        self._check(model)
        return await self._change(model, Quarantine(version=version, reason=wanted.reason), wanted.by)

    async def release(self, model: str, version: int, by: str) -> TrafficView:
        """Lets it be served again."""
        return await self._change(model, Release(version=version), by)

    async def _order(self, model: str, command: Command, by: str) -> RolloutView:
        """Gives an order that a rollout follows; the rollout as it is then."""
        obeyed = await self._give(model, command, by=by or NOBODY)
        present = obeyed.traffic.rollout
        if present is not None:
            return self._view(present)
        return self._view(await self._find_ended(model, obeyed))

    async def _change(self, model: str, command: Command, by: str) -> TrafficView:
        """Gives an order about anything else; the traffic as it is then."""
        await self._give(model, command, by=by or NOBODY)
        return build_traffic(model, self._desk.picture, self._calendar)

    async def _find_ended(self, model: str, obeyed: Obeyed) -> Rollout:
        """The rollout that an order has ended, as the order left it, even while that cannot be recorded."""
        ended = next((each.rollout for each in reversed(obeyed.decisions) if each.rollout), "")
        found = await asyncio.to_thread(self._store.rollout, ended)
        if found is None:
            raise ConfigError(Code.NOT_FOUND, f"There is no rollout of {model} on record any more")
        return self._in_force(found)

    def _in_force(self, recorded: Rollout) -> Rollout:
        """A rollout as it is: its counts are newer than the record, and its end may not be on record yet."""
        picture, model = self._desk.picture, recorded.model
        kept, owed = picture.traffic.get(model), picture.owed.get(model)
        present = [kept.rollout] if kept is not None and kept.rollout is not None else []
        ended = [] if owed is None else owed.ended
        return next((each for each in (*present, *ended) if each.id == recorded.id), recorded)

    def _find_quality(self, model: str) -> QualitySettings | None:
        """How predictions are compared with their truth; none: no rollout under way asks for truths."""
        kept = self._desk.picture.traffic.get(model)
        return None if kept is None or kept.rollout is None else kept.rollout.plan.quality

    async def _decisions(self, model: str, rollout: str) -> tuple[DecisionView, ...]:
        """Those on record, and those in force that are to be."""
        owed = self._desk.picture.owed.get(model)
        recorded = await asyncio.to_thread(self._store.decisions, rollout)
        known = {(each.kind, each.version, each.reason) for each in recorded}
        others = [
            each
            for each in (() if owed is None else owed.decisions)
            if each.rollout == rollout and (each.kind, each.version, each.reason) not in known
        ]
        return tuple(build_decision(each, self._calendar) for each in (*recorded, *others))

    async def _view_whole(self, rollout: Rollout) -> RolloutView:
        """With what the data plane shows of it, if it is under way."""
        shown = await asyncio.to_thread(self._trial, rollout.model)
        view = self._view(rollout)
        if shown is None or shown.profile.trial != rollout.id:
            return view
        return replace(view, profile=shown.profile, shadow=shown.shadow)

    def _view(self, rollout: Rollout) -> RolloutView:
        view = build_rollout(rollout, self._clock.now(), self._calendar)
        return replace(view, is_recorded=rollout.model not in self._desk.picture.owed)

    def _check(self, model: str) -> None:
        picture = self._desk.picture
        if model not in picture.configured and model not in picture.models:
            raise ConfigError(
                Code.NOT_FOUND, f"There is no model named {model}; `understudy models` lists all"
            )
