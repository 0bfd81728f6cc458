"""A desk stepped by hand, whose routes are always taken, as the data plane does. No test cases here."""

import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from understudy.control.desk import Desk, Turn
from understudy.control.facts import ConfigOrder
from understudy.control.judging import Judge
from understudy.control.traffic_desk import TrafficDesk
from understudy.errors import Code
from understudy.lifecycle.manager import Manager, ManagerOptions
from understudy.model_config import Latest, ModelConfig, ServerConfig, VersionPolicy
from understudy.rollout.plan import Strategy
from understudy.routing.traffic import Traffic
from understudy.servable import Failure, FoundVersion, FoundVersions, Inspected, Loaded, ServableId
from understudy.server.state import resume_traffic
from understudy.store.revision import Draft, Origin
from understudy.store.store import Store
from understudy.testing import ManualClock

PLATFORMS = frozenset({"synthetic"})
BROKEN = Failure(Code.DATA_LOSS, "cannot read saved_model.pb")


def model(
    name: str, base_path: str = "/models/m", version_policy: VersionPolicy | None = None
) -> ModelConfig:
    return ModelConfig(name, base_path, "synthetic", version_policy or Latest())


def found(name: str, *versions: int, base_path: str = "/models/m") -> FoundVersions:
    return FoundVersions(
        name,
        tuple(FoundVersion(version, f"{base_path}/{version}") for version in versions),
        base_path=base_path,
    )


class Ticking:
    """A desk whose routes are always taken, as the data plane does."""

    def __init__(
        self,
        *,
        load_retries_max: int = 0,
        clock: ManualClock | None = None,
        directory: Path | None = None,
        strategies: Mapping[str, Strategy] | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self._splits: dict[str, Traffic] = {}
        self.store = Store(self.clock, directory)
        self.ledger = self.store.revisions
        self._directory, self._strategies = directory, strategies
        options = ManagerOptions(load_retries_max=load_retries_max)
        resumed = resume_traffic(self.store, self.clock)
        traffic = TrafficDesk(self.store.rollouts, resumed, strategies, is_forgetful=directory is None)
        self.desk = Desk(Manager(options), Judge(platforms=PLATFORMS), ledger=self.ledger, traffic=traffic)
        self.end = weakref.finalize(self, self.store.close)

    def restarted(self, *, is_orderly: bool = False, down_s: float = 1.0) -> "Ticking":
        """Another process in this one's directory: nothing is loaded, and its clock begins anew."""
        if is_orderly:
            self.store.ends.note_orderly()
        self.end()
        clock = ManualClock(wall_at_zero_s=self.clock.wall() + down_s)
        return Ticking(clock=clock, directory=self._directory, strategies=self._strategies)

    @property
    def now(self) -> float:
        return self.clock.now_s

    def tick(self) -> Turn:
        self.clock.advance(1)
        turn = self._turn()
        while turn.inspections:
            for each in turn.inspections:
                self.desk.finish(Inspected(each.servable, each.path, 0))
            after = self._turn()
            turn = replace(
                after,
                models=turn.models,
                withdrawals=turn.withdrawals + after.withdrawals,
                unloads=turn.unloads + after.unloads,
                routes=after.routes or turn.routes,
                events=turn.events + after.events,
            )
        return turn

    def _turn(self) -> Turn:
        turn = self.desk.decide(self.now)
        if turn.routes is not None:
            for route in turn.routes.changed:
                self._check_epoch(route.traffic)
            self.desk.note_published(turn.routes)
        self.desk.answer_orders(self.now)
        return turn

    def _check_epoch(self, traffic: Traffic | None) -> None:
        """As the data plane does: counts of one epoch belong to one split."""
        if traffic is None:
            return
        before = self._splits.get(traffic.trial)
        self._splits[traffic.trial] = traffic
        if before is not None and traffic.epoch <= before.epoch:
            assert traffic.epoch == before.epoch
            assert (traffic.ranges, traffic.candidate) == (before.ranges, before.candidate)

    def order(self, *models: ModelConfig, origin: Origin = Origin.RPC) -> ConfigOrder:
        """Orders these models; the text on record is their names."""
        return self.give(
            ConfigOrder(
                config=ServerConfig(models), record=Draft(origin, "", " ".join(m.name for m in models))
            )
        )

    def give(self, order: ConfigOrder) -> ConfigOrder:
        self.desk.take_order(order)
        return order

    def see(self, *looks: FoundVersions) -> None:
        self.desk.see(looks, self.now)


def ready(*versions: int, directory: Path | None = None) -> Ticking:
    """A desk on which these versions of model m are found, and the highest serves."""
    ticking = Ticking(directory=directory)
    ticking.order(model("m"))
    ticking.see(found("m", *versions))
    ticking.tick()
    ticking.desk.finish(Loaded(ServableId("m", versions[-1]), 0.1))
    ticking.tick()
    return ticking
