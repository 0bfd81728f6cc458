"""A world that goes wrong on purpose, from a seed, in virtual time; the core has to live in it.

Directories appear, vanish, become unreadable, are corrupt and later mended, move; loads take long, fail, crash,
hang; inspections hang; unloads get stuck with requests left; the configuration and its labels change, and
changes are refused; looks arrive late; the process is killed. Then the faults stop, everything that is aspired
has to become ready, and every order has to be answered.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from tests.driver import Driver, Order, Step
from tests.simulation.broken import broken
from tests.simulation.invariants import Referee, check_settled
from tests.simulation.plane import Plane
from understudy.control.facts import ConfigOrder
from understudy.errors import Code, ConfigError
from understudy.lifecycle import Inspect, Load, ManagerOptions, Overlay, Unload, Withdraw
from understudy.model_config import All, Latest, ModelConfig, Specific, Transition, VersionPolicy
from understudy.servable import (
    Failure,
    FoundVersions,
    Loaded,
    LoadFailed,
    Outcome,
    ServableId,
    State,
    Unloaded,
)

MODELS = ("ada", "bob", "cyd")
VERSION_MAX = 6
LABELS = ("canary", "stable")
SETTLE_EVERY = 100
"""Steps between two times without faults."""

QUIET_TICKS = 3
"""Ticks in a row in which nothing happens and all is as it should be: then it has settled."""

SETTLE_TICKS_MAX = 120
"""Ticks of a second, after the faults: a retry interval of 20 s, and time for each load after the other."""

Trace = Callable[[str], None]


def no_trace(line: str) -> None:
    """Says nothing."""


@dataclass(slots=True)
class World:
    """Everything around the core."""

    random: Random
    driver: Driver
    plane: Plane
    referee: Referee
    trace: Trace = no_trace
    is_faulty: bool = True
    late_looks: list[FoundVersions] = field(default_factory=list)
    files: int = 0
    orders: list[ConfigOrder] = field(default_factory=list)
    wish: ServableId | None = None

    def tick(self) -> None:
        """Something happens, time passes, the core takes a step, and the step is checked and carried out."""
        self.random.choice(DEEDS)(self)
        self._pass_time()
        looks = self._looks()
        self.step(looks, self._wishes())

    def _wishes(self) -> list[ServableId]:
        """An operator wants a version tried again, now and then; an impatient one asks twice."""
        chance = self.random.random()
        if chance < 0.03:
            self.wish = ServableId(self.random.choice(MODELS), self.random.randint(1, VERSION_MAX))
        return [self.wish] if self.wish is not None and chance < 0.2 else []

    def step(self, looks: list[FoundVersions], retries: list[ServableId]) -> Step:
        """One step of the core."""
        now = self.driver.clock.now()
        outcomes = self.plane.take_ended(now)
        asked = [look for look in looks if self._is_asked_for(look)]
        step = self.driver.step(looks=looks, outcomes=outcomes, retries=retries)
        self.referee.note_looks(asked, self.driver.models)
        if self.trace is not no_trace:
            self._tell(looks, outcomes, step)
        self.referee.check(self.driver, step)
        self._check_refusals()
        if step.updates:
            self.plane.publish(self.driver.table)
        for order in step.orders:
            self._carry_out(order, now)
        return step

    def _is_asked_for(self, look: FoundVersions) -> bool:
        """Whether it is at the place that was asked for when it came; a late one is no longer believed."""
        model = self.driver.models.get(look.name)
        return model is not None and look.base_path == model.base_path

    def settle(self) -> int:
        """The faults stop; how many ticks it takes until all is as it should be, and stays so."""
        self.is_faulty = False
        self._mend_everything()
        ticks = quiet = 0
        while quiet < QUIET_TICKS:
            unsettled = check_settled(self.driver, set(self.plane.phases))
            if ticks == SETTLE_TICKS_MAX:
                broken(10, f"after {ticks} ticks {unsettled or 'it does not come to rest'}")
            ticks += 1
            self.driver.clock.advance(1.0)
            step = self.step(list(self.driver.look_at_all()), [])
            is_quiet = not (step.events or step.updates or step.orders)
            quiet = quiet + 1 if is_quiet and unsettled is None else 0
        for _ in range(3):
            self.driver.clock.advance(100.0)
            step = self.step(list(self.driver.look_at_all()), [])
            if step.events or step.updates or step.orders:
                broken(10, f"it does not stay settled: {step}")
        if not all(order.answer.done() for order in self.orders):
            broken(16, f"of {len(self.orders)} orders some wait after {ticks} ticks")
        self.orders.clear()
        self.is_faulty = True
        return ticks

    def _check_refusals(self) -> None:
        for order in self.orders:
            if order.answer.done() and order.answer.exception() and order.config is self.driver.config:
                broken(11, f"{order.answer.exception()}, and yet it is in force")

    def configure(self, name: str, model: ModelConfig | None) -> None:
        """Adds, changes or removes a model; or is refused, and nothing changes."""
        self.trace(f"configure {name}: {model}")
        models = {each: config for each, config in self.driver.models.items() if each != name}
        if model is not None:
            models[name] = model
        before = self.driver.desk.picture
        try:
            self.orders.append(self.driver.configure(models.values()))
        except ConfigError as error:
            self.trace(f"refused: {error}")
            if self.driver.desk.picture is not before:
                broken(11, f"{error}")

    def restart(self) -> None:
        """The process is killed, and a new one begins with the configuration that was in force."""
        self.trace("killed; starts again")
        overlays, models = dict(self.driver.overlays), self.driver.models
        self.driver.restart()
        self.driver.overlays.update(overlays)
        self.plane = Plane(self.plane.workers)
        self.referee = Referee()
        self.late_looks.clear()
        self.orders = [self.driver.configure(models.values())]

    def put(self, base_path: str, version: int, *, is_good: bool) -> None:
        """Writes a version's files, or new ones in their place."""
        self.files += 1
        quality = "good" if is_good else "corrupt"
        estimate = self.random.choice((10, 20, 40)) if self.is_faulty else 10
        self.trace(f"write {base_path}/{version}: {quality}, {estimate} bytes")
        self.driver.source.put(
            base_path, version, fingerprint=f"{quality} {self.files}", estimate_bytes=estimate
        )

    def _pass_time(self) -> None:
        ends_at = self.plane.next_end()
        now = self.driver.clock.now()
        if ends_at is not None and self.random.random() < 0.3:
            self.driver.clock.advance(max(0.0, min(ends_at - now, 60.0)))
        else:
            self.driver.clock.advance(self.random.choice((0.0, 0.1, 0.1, 1.0, 5.0)))

    def _looks(self) -> list[FoundVersions]:
        late, self.late_looks = self.late_looks, []
        looks: list[FoundVersions] = []
        for look in late:
            (self.late_looks if self.random.random() < 0.6 else looks).append(look)
        for model in self.driver.config.models:
            if self.random.random() < 0.4:
                look = self.driver.look(model)
                (self.late_looks if self.random.random() < 0.2 else looks).append(look)
        return looks

    def _carry_out(self, order: Order, now: float) -> None:
        match order:
            case Inspect():
                duration_s = self.random.choice((0.0, 0.0, 0.1, 1.0, 60.0)) if self.is_faulty else 0.0
                self.plane.inspect(self.driver.inspected(order), duration_s, now)
            case Load():
                outcome, duration_s = self._fate(order)
                self.plane.load(order.servable, outcome, duration_s, now)
            case Withdraw():
                self.plane.withdraw(order.servable, now)
            case Unload():
                duration_s = self.random.choice((0.0, 0.2, 1.0, 30.0)) if self.is_faulty else 0.2
                left = 2 if duration_s >= 30.0 else 0
                self.plane.unload(order.servable, Unloaded(order.servable, duration_s, left), duration_s, now)

    def _fate(self, order: Load) -> tuple[Outcome, float]:
        duration_s = self.random.choice((0.0, 0.3, 1.0, 4.0, 90.0, 1e6)) if self.is_faulty else 0.5
        base_path, version = order.path.rsplit("/", 1)
        found = self.driver.source.found.get(base_path, {}).get(int(version))
        failure = None
        if found is None:
            failure = Failure(Code.NOT_FOUND, f"{order.path} is gone")
        elif order.fingerprint not in {None, found.fingerprint}:
            failure = Failure(Code.ABORTED, f"the files in {order.path} changed")
        elif (found.fingerprint or "").startswith("corrupt"):
            failure = Failure(Code.DATA_LOSS, f"{order.path} is corrupt")
        elif self.is_faulty and self.random.random() < 0.15:
            failure = Failure(Code.INTERNAL, "the loader crashed")
        if failure is None:
            return Loaded(order.servable, duration_s), duration_s
        return LoadFailed(order.servable, duration_s, failure), duration_s

    def _mend_everything(self) -> None:
        self.trace("the faults stop")
        source = self.driver.source
        source.failures.clear()
        self.plane.hurry(self.driver.clock.now())
        failed = {
            ServableId(model.name, version.version)
            for model in self.driver.manager.snapshots()
            for version in model.versions
            if version.state is State.ERROR
        }
        asked = {servable for servable in sorted(failed) if self.random.random() < 0.5}
        for base_path, by_number in sorted(source.found.items()):  # an order that is held may yet move there
            for number, found in sorted(by_number.items()):
                servable = ServableId(base_path.rpartition("/")[2], number)
                is_corrupt = (found.fingerprint or "").startswith("corrupt")
                if is_corrupt or (servable in failed and servable not in asked):
                    self.put(base_path, number, is_good=True)
        looks = list(self.driver.look_at_all())
        self.step(looks, sorted(asked))

    def _tell(self, looks: list[FoundVersions], outcomes: list[Outcome], step: Step) -> None:
        now = self.driver.clock.now()
        for look in looks:
            seen = look.failure or [(v.version, v.fingerprint) for v in look.versions]
            self.trace(f"{now:9.1f}   look {look.name} in {look.base_path}: {seen}")
        for outcome in outcomes:
            self.trace(f"{now:9.1f}   {outcome}")
        for event in step.events:
            what = event.kind if event.state is None else event.state.name
            self.trace(f"{now:9.1f} {event.model}/{event.version or ''} {what}: {event.reason}")
        for order in step.orders:
            self.trace(f"{now:9.1f} -> {order}")


def build_world(seed: int, trace: Trace = no_trace) -> World:
    """A world in which everything follows from the seed."""
    random = Random(seed)  # noqa: S311 - a simulation, not a secret
    options = ManagerOptions(
        transition=random.choice(list(Transition)),
        load_retries_max=random.choice((0, 1, 3)),
        load_retry_interval_s=random.choice((0.0, 1.0, 20.0)),
        memory_limit_bytes=random.choice((None, None, 60, 100)),
    )
    trace(f"seed {seed}: {options}")
    plane = Plane(workers=random.choice((1, 2, 4)))
    driver = Driver(options, may_label_unavailable=random.random() < 0.3, inspects_at_once=False)
    world = World(random, driver, plane, Referee(), trace)
    for name in MODELS:
        change_config(world, name)
    return world


def change_config(world: World, name: str | None = None) -> None:
    """A model is added or changed."""
    name = name or world.random.choice(MODELS)
    policy: VersionPolicy = world.random.choice(
        (
            Latest(1),
            Latest(2),
            All(),
            Specific(tuple(world.random.sample(range(1, VERSION_MAX + 1), 2))),
            Specific(()),
        )
    )
    where = "other" if world.random.random() < 0.2 else "models"
    labels = tuple(
        (label, world.random.randint(1, VERSION_MAX)) for label in LABELS if world.random.random() < 0.4
    )
    transition = world.random.choice((None, None, *Transition))
    model = ModelConfig(name, f"/{where}/{name}", version_policy=policy, labels=labels, transition=transition)
    world.configure(name, model)


def move_label(world: World) -> None:
    """A label of a model is to name another version, or its transition policy is another one."""
    name = world.random.choice(MODELS)
    model = world.driver.models.get(name)
    if model is not None:
        labels = dict(model.labels) | {world.random.choice(LABELS): world.random.randint(1, VERSION_MAX)}
        transition = world.random.choice((None, *Transition))
        world.configure(name, replace(model, labels=tuple(sorted(labels.items())), transition=transition))


def move_base_path(world: World) -> None:
    """A model's base path moves, or moves back, between two places that hold much the same versions."""
    name = world.random.choice(MODELS)
    model = world.driver.models.get(name)
    if model is None:
        return
    there = f"/models/{name}" if model.base_path == f"/other/{name}" else f"/other/{name}"
    for version in sorted(world.driver.source.found.get(model.base_path, {})):
        if world.random.random() < 0.5:
            world.put(there, version, is_good=world.random.random() < 0.9)
    world.configure(name, replace(model, base_path=there))


def kill(world: World) -> None:
    """The process is killed, now and then."""
    if world.random.random() < 0.1:
        world.restart()


def remove_model(world: World) -> None:
    """A model is taken out of the configuration."""
    if world.random.random() < 0.3:
        world.configure(world.random.choice(MODELS), None)


def write_version(world: World) -> None:
    """A version appears, or its files are replaced."""
    base_path = _a_base_path(world)
    world.put(base_path, world.random.randint(1, VERSION_MAX), is_good=world.random.random() < 0.75)


def delete_version(world: World) -> None:
    """A version disappears."""
    base_path = _a_base_path(world)
    there = sorted(world.driver.source.found.get(base_path, {}))
    if there:
        version = world.random.choice(there)
        world.trace(f"delete {base_path}/{version}")
        world.driver.source.delete(base_path, version)


def break_base_path(world: World) -> None:
    """A base path cannot be read for a while."""
    base_path = _a_base_path(world)
    world.trace(f"{base_path} vanishes")
    world.driver.source.fail(base_path, Failure(Code.NOT_FOUND, f"{base_path} does not exist"))


def mend_base_path(world: World) -> None:
    """Unreadable base paths can be read again."""
    world.driver.source.failures.clear()


def change_overlay(world: World) -> None:
    """Pins, quarantine and what waits change."""
    pinned, held, quarantined = (
        frozenset(v for v in range(1, VERSION_MAX + 1) if world.random.random() < 0.15) for _ in range(3)
    )
    name = world.random.choice(MODELS)
    world.trace(f"{name}: pinned {set(pinned)}, held {set(held)}, quarantined {set(quarantined)}")
    world.driver.overlays[name] = Overlay(pinned=pinned, held=held, quarantined=quarantined)


def do_nothing(world: World) -> None:
    """A quiet moment."""


def _a_base_path(world: World) -> str:
    where = "other" if world.random.random() < 0.2 else "models"
    return f"/{where}/{world.random.choice(MODELS)}"


DEEDS: tuple[Callable[[World], None], ...] = (
    *(do_nothing,) * 8,
    *(write_version,) * 4,
    *(delete_version,) * 2,
    *(mend_base_path,) * 2,
    break_base_path,
    change_config,
    move_label,
    *(move_base_path,) * 2,
    kill,
    change_overlay,
    remove_model,
)


def run_seed(seed: int, steps: int, trace: Trace = no_trace) -> int:
    """Plays a seed for so many steps and lets it settle now and then; the most ticks that took."""
    world = build_world(seed, trace)
    ticks = [0]
    for step in range(1, steps + 1):
        world.tick()
        if step % SETTLE_EVERY == 0 or step == steps:
            ticks.append(world.settle())
    return max(ticks)
