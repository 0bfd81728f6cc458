"""The control loop on its thread: the order of effects, and what a refused publish holds back."""

import queue
from collections.abc import Iterable, Iterator, Mapping

import pytest

from understudy.clock import SystemClock
from understudy.control.desk import Desk
from understudy.control.effects import Effects, EffectSettings, Hands, Inspection
from understudy.control.facts import ConfigOrder, Finished, TrafficOrder, Validated, VersionsSeen
from understudy.control.judging import Judge
from understudy.control.loop import ControlLoop, Reports
from understudy.control.traffic_desk import TrafficDesk
from understudy.control.validating import Validations
from understudy.dataplane._native import ValidationReport
from understudy.dataplane.options import ValidateRequest
from understudy.errors import Code, DataPlaneError
from understudy.lifecycle.manager import Manager
from understudy.model_config import ModelConfig, ServerConfig
from understudy.rollout.commands import Start
from understudy.rollout.plan import Plan, Validation
from understudy.routing import RouteUpdate
from understudy.servable import Event, FoundVersion, FoundVersions, Place, ServableId, Unloaded, WarmUp
from understudy.store.revision import Draft, Origin
from understudy.store.store import Store

TIMEOUT_S = 20


class World:
    """The edge of the world: routes, a loader and a source that write down what they are asked, in order."""

    def __init__(self) -> None:
        self.done: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.refusals = 0
        self.failures: queue.SimpleQueue[str] = queue.SimpleQueue()

    def publish(self, update: RouteUpdate) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DataPlaneError(Code.FAILED_PRECONDITION, "a version is not loaded")
        for route in update.changed:
            split = "" if route.traffic is None else f" split {route.traffic.ranges[0].stop}"
            self.done.put(f"route {route.name} {list(route.ready_versions)}{split}")

    def load(self, servable: ServableId, path: str, platform: str) -> WarmUp:
        del path, platform
        self.done.put(f"load {servable}")
        return WarmUp()

    def unload(self, servable: ServableId, *, drain_timeout_s: float) -> int:
        del drain_timeout_s
        self.done.put(f"unload {servable}")
        return 0

    def signatures(self, servable: ServableId) -> bytes:
        self.done.put(f"signatures of {servable}")
        return b""

    def validate(self, servable: ServableId, request: ValidateRequest) -> ValidationReport:
        raise DataPlaneError(Code.NOT_FOUND, f"{servable} has no {request.path}")

    def inspect(self, path: str) -> Inspection:
        del path
        return Inspection(0, "as ever")

    def set_models(self, models: Mapping[str, Place]) -> None:
        self.done.put(f"look at {sorted(models)}")

    def look_soon(self) -> None:
        self.done.put("look again")

    def watch(self, changes: Mapping[str, frozenset[int]]) -> None:
        del changes

    def guard(self, servables: frozenset[ServableId]) -> None:
        del servables

    def ignore_events(self, events: Iterable[Event]) -> None:
        del events

    def fail(self, name: str, error: Exception) -> None:
        del error
        self.failures.put(name)

    def until(self, last: str) -> list[str]:
        """What was done, up to and with this."""
        seen: list[str] = []
        while not seen or seen[-1] != last:
            seen.append(self.done.get(timeout=TIMEOUT_S))
        return seen


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def loop(world: World) -> Iterator[ControlLoop]:
    clock = SystemClock()
    settings = EffectSettings(load_threads=1, unload_threads=1)
    with Store(clock) as store:
        desk = Desk(
            Manager(),
            Judge(platforms=frozenset({"synthetic"})),
            ledger=store.revisions,
            traffic=TrafficDesk(store.rollouts),
        )
        loop = ControlLoop(clock, desk, world, Reports(world.ignore_events, world.fail))
        effects = Effects(
            clock, Hands(world, world.inspect), lambda outcome: loop.send(Finished(outcome)), settings
        )
        validations = Validations(clock, world, lambda outcome: loop.send(Validated(outcome)))
        loop.start(world, effects, validations)
        yield loop
        loop.stop(TIMEOUT_S)
        effects.stop()
        validations.stop()


def see(loop: ControlLoop, *versions: int) -> None:
    found = tuple(FoundVersion(version, f"/m/{version}") for version in versions)
    loop.send(VersionsSeen((FoundVersions("m", found, base_path="/m"),)))


def serve_version_1(loop: ControlLoop, world: World) -> None:
    config = ServerConfig((ModelConfig("m", "/m", "synthetic"),))
    order = ConfigOrder(config=config, record=Draft(Origin.RPC, "", "m"))
    loop.order(order)
    world.until("look at ['m']")
    see(loop, 1)
    assert order.answer.result(TIMEOUT_S).unavailable == ()
    world.until("route m [1]")


def test_the_new_version_is_routed_before_the_old_one_is_unloaded(loop: ControlLoop, world: World) -> None:
    serve_version_1(loop, world)
    see(loop, 1, 2)
    done = world.until("unload m/1")
    assert done.index("load m/2") < done.index("route m [2]") < done.index("unload m/1")


def test_a_refused_publish_holds_the_unload_back_until_one_is_taken(loop: ControlLoop, world: World) -> None:
    serve_version_1(loop, world)
    world.refusals = 4
    see(loop, 1, 2)
    done = world.until("unload m/1")
    assert world.failures.get(timeout=TIMEOUT_S) == "routes_refused"
    assert done.index("route m [2]") < done.index("unload m/1")


def test_a_candidate_is_looked_at_before_any_request_reaches_it(loop: ControlLoop, world: World) -> None:
    serve_version_1(loop, world)
    plan = Plan(shadow=None, validation=Validation(golden=False))
    order = TrafficOrder(model="m", command=Start(candidate=2, plan=plan), by="ana")
    loop.order(order)
    assert order.answer.result(TIMEOUT_S).traffic.rollout is not None
    see(loop, 1, 2)
    done = world.until("route m [1, 2] split 100")
    assert done.index("route m [1, 2]") < done.index("signatures of m/1") < done.index("signatures of m/2")


def test_what_cannot_be_stops_the_loop_and_says_so(loop: ControlLoop, world: World) -> None:

    loop.send(Finished(Unloaded(ServableId("nobody", 9), 0.0)))
    assert world.failures.get(timeout=TIMEOUT_S) == "control_stopped"
