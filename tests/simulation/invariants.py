"""What must hold after every step of the simulation, checked from outside: by looking, never by asking why.

The expectations are written down here a second time, on purpose: the allowed changes of state and the rule
for what is aspired are not taken from the code that they judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.driver import Driver, Step
from tests.simulation.broken import broken
from understudy.errors import Code
from understudy.lifecycle import Load
from understudy.lifecycle.aspire import Overlay
from understudy.model_config import All, Latest, ModelConfig
from understudy.routing import ModelRoute
from understudy.servable import FoundVersions, ModelSnapshot, ServableId, State, VersionSnapshot

ALLOWED = {
    (None, State.NEW),
    (State.NEW, State.LOADING),
    (State.NEW, State.END),
    (State.NEW, State.ERROR),
    (State.LOADING, State.READY),
    (State.LOADING, State.UNLOADING),
    (State.LOADING, State.RETRYING),
    (State.LOADING, State.ERROR),
    (State.LOADING, State.END),
    (State.LOADING, State.OVERDUE),
    (State.OVERDUE, State.READY),
    (State.OVERDUE, State.UNLOADING),
    (State.OVERDUE, State.RETRYING),
    (State.OVERDUE, State.ERROR),
    (State.OVERDUE, State.END),
    (State.RETRYING, State.LOADING),
    (State.RETRYING, State.END),
    (State.RETRYING, State.ERROR),
    (State.READY, State.UNLOADING),
    (State.UNLOADING, State.END),
    (State.END, State.NEW),
    (State.ERROR, State.NEW),
}

RESIDENT = {State.LOADING, State.OVERDUE, State.READY, State.UNLOADING}
GONE = {State.END, State.ERROR}
NO_OVERLAY = Overlay()
SNAPSHOTS_EVERY = 10
LOOKS_WAITED = 2
"""Reports that the core waits for; one that came in the very step of the change may have come before it."""


@dataclass(slots=True)
class Referee:
    """Remembers what it saw, and checks each step against it.

    Attributes:
        states: of each version, as the events told them.
        ready: the READY versions of each model after the last step.
        good_looks: the last look at each model that did not fail.
        configured: each model's configuration, as last seen.
        waits: looks that must pass until a model's new configuration is held against it: one may be older
            than what it names.
        generation: of the last update.
        judged: for each model which frozen things it was last judged by; the same are not judged twice.
        kept: those things, so that no other takes the place of one that was forgotten.
        resident: the versions of each model that hold memory.
        labels: of each model, as they were in force after the last step: label and version.
        steps: so far.
    """

    states: dict[ServableId, State] = field(default_factory=dict)
    ready: dict[str, set[int]] = field(default_factory=dict)
    good_looks: dict[str, FoundVersions] = field(default_factory=dict)
    configured: dict[str, ModelConfig] = field(default_factory=dict)
    waits: dict[str, int] = field(default_factory=dict)
    generation: int = 0
    judged: dict[str, tuple[int, ...]] = field(default_factory=dict)
    kept: dict[str, tuple[object, ...]] = field(default_factory=dict)
    resident: dict[str, set[ServableId]] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    steps: int = 0

    def note_looks(self, looks: list[FoundVersions], models: Mapping[str, ModelConfig]) -> None:
        """The looks that a step took, with what was configured when it decided."""
        self.good_looks = {name: look for name, look in self.good_looks.items() if name in models}
        for look in looks:
            self.waits[look.name] = max(0, self.waits.get(look.name, 0) - 1)
        self._note_policies(models)
        for look in looks:
            if look.failure is None and look.name in models and look.base_path == models[look.name].base_path:
                self.good_looks[look.name] = look

    def _note_policies(self, models: Mapping[str, ModelConfig]) -> None:
        for name, model in models.items():
            if self.configured.get(name, model) is not model:
                self.waits[name] = LOOKS_WAITED
        self.configured = dict(models)

    def check(self, driver: Driver, step: Step) -> None:
        """Every invariant that can be seen after a step."""
        self._check_changes(driver, step)
        self._check_generation(driver, step)
        self._check_snapshots(driver)
        for model in driver.manager.snapshots():
            self._judge(driver, model, driver.models.get(model.name))
        for order in step.orders:
            self._check_order(driver, order)
        _check_memory(driver, set().union(*self.resident.values()))

    def _judge(self, driver: Driver, model: ModelSnapshot, config: ModelConfig | None) -> None:
        overlay = driver.overlays.get(model.name, NO_OVERLAY)
        look, route = self.good_looks.get(model.name), driver.table.routes.get(model.name)
        things = (id(model), id(config), id(overlay), id(look), id(route), id(driver.config))
        if self.judged.get(model.name) == things:
            return
        self.judged[model.name] = things
        self.kept[model.name] = (model, config, overlay, look, route)
        self._check_aspired(driver, model, overlay)
        self._check_model(driver, model, route)
        self._check_labels(driver, model, config, route)
        self.resident[model.name] = {
            ServableId(model.name, version.version, version.incarnation)
            for version in model.versions
            if version.state in RESIDENT
        }

    def _check_snapshots(self, driver: Driver) -> None:
        """Now and then: nothing has changed without being told."""
        self.steps += 1
        if self.steps % SNAPSHOTS_EVERY == 0:
            told = {model.name: model for model in driver.manager.snapshots()}
            for name, managed in driver.manager._models.items():  # noqa: SLF001 - what nobody was told is private
                if managed.snapshot() != told[name]:
                    broken(14, f"{managed.snapshot()} was told as {told[name]}")

    def _check_changes(self, driver: Driver, step: Step) -> None:
        models = {model.name: model for model in driver.manager.snapshots()} if step.events else {}
        for event in step.events:
            if event.state is None or event.version is None:
                continue
            servable = ServableId(event.model, event.version, event.incarnation)
            before = self.states.get(servable)
            if (before, event.state) not in ALLOWED:
                broken(3, f"{servable} from {before} to {event.state}")
            if not event.reason:
                broken(14, f"no reason for {servable} entering {event.state}")
            if event.state is State.READY and not _is_aspired(models[event.model], servable):
                broken(13, f"{servable} became READY and is not aspired")
            self.states[servable] = event.state

    def _check_generation(self, driver: Driver, step: Step) -> None:
        told = [update.generation for update in step.updates]
        if told != [self.generation + n for n in range(1, len(told) + 1)]:
            broken(7, f"told {told} after {self.generation}")
        self.generation += len(told)
        if driver.table.generation != self.generation:
            broken(7, f"{driver.table.generation} after {self.generation} changes")

    def _check_aspired(self, driver: Driver, model: ModelSnapshot, overlay: Overlay) -> None:
        config = driver.models.get(model.name)
        numbers = [version.version for version in model.versions if version.aspired]
        aspired = set(numbers)
        if len(numbers) > len(aspired):
            broken(12, f"{model.name}: two incarnations of one number are aspired: {numbers}")
        if aspired & overlay.quarantined and config is not None:
            broken(12, f"{model.name}: quarantined and aspired: {aspired & overlay.quarantined}")
        look = self.good_looks.get(model.name)
        if look is None:
            if config is None and aspired:
                broken(12, f"{model.name} is not configured, and aspires to {aspired}")
            return
        if config is not None:
            expected = expected_versions(config, look, overlay)
            found = {version.version for version in look.versions} - overlay.quarantined
            named = set(self.labels.get(model.name, {}).values())
            if not self.waits.get(model.name) and not expected <= aspired <= expected | (named & found):
                broken(12, f"{model.name}: {aspired} instead of {expected}, labels named {named}")

    def _check_labels(
        self, driver: Driver, model: ModelSnapshot, config: ModelConfig | None, route: ModelRoute | None
    ) -> None:
        """A label that is to move stays on what serves, if availability is what the model preserves."""
        now = {each.label: each.version for each in route.labels} if route else {}
        self.labels[model.name] = now
        wanted = dict(config.labels) if config else {}
        if now.keys() - wanted.keys():
            broken(15, f"{model.name}: {now} instead of {wanted}")
        look = self.good_looks.get(model.name)
        if look is None or not driver.preserves_availability(model.name):
            return
        found = {version.version for version in look.versions}
        found -= driver.overlays.get(model.name, NO_OVERLAY).quarantined
        aspired = {version.version for version in model.versions if version.aspired}
        ready = set(route.ready_versions) if route else set()
        for label, version in now.items():
            if version != wanted[label] and version in found & ready - aspired:
                broken(15, f"{model.name}: {label} names {version} until it can name {wanted[label]}")
        for label, version in wanted.items():
            is_ready = any(v.version == version and v.state is State.READY for v in model.versions)
            if is_ready and now.get(label) != version:
                broken(15, f"{model.name}: {label} should name {version}, which is ready: {now}")

    def _check_model(self, driver: Driver, model: ModelSnapshot, route: ModelRoute | None) -> None:
        ready = {version.version for version in model.versions if version.state is State.READY}
        aspired = [version for version in model.versions if version.aspired]
        for version in model.versions:
            if (
                self.states.get(ServableId(model.name, version.version, version.incarnation))
                is not version.state
            ):
                broken(14, f"{model.name}/{version.version} is {version.state}, which no event told")
            if version.aspired and version.state is State.END:
                broken(13, f"{model.name}/{version.version} is aspired, and ended: {version.reason}")
            if version.attempts > driver.options.load_retries_max + 1:
                broken(8, f"{model.name}/{version.version}: attempt {version.attempts}")
        self._check_places(model)
        preserves_availability = driver.preserves_availability(model.name)
        if (
            preserves_availability
            and not self.waits.get(model.name)
            and self.ready.get(model.name)
            and not ready
            and aspired
        ):
            broken(4, f"{model.name} lost {self.ready[model.name]} while it aspires to {aspired}")
        self.ready[model.name] = ready
        if route is None or set(route.ready_versions) != ready:
            broken(1, f"{model.name}: ready are {ready}, the route is {route}")
        if route.default_version != expected_default(model.versions):
            broken(1, f"{model.name}: default {route.default_version} of {model.versions}")

    def _check_places(self, model: ModelSnapshot) -> None:
        """What serves because it is wanted was loaded from where the last good look found it."""
        look = None if self.waits.get(model.name) else self.good_looks.get(model.name)
        places = {found.version: found.path for found in look.versions} if look else {}
        for version in model.versions:
            is_wanted = version.aspired and version.state in RESIDENT - {State.UNLOADING}
            if is_wanted and version.path != places.get(version.version, version.path):
                broken(17, f"{model.name}/{version.version} from {version.path}, found at {places}")

    def _check_order(self, driver: Driver, order: object) -> None:
        if not isinstance(order, Load) or self.waits.get(order.servable.name):
            return
        if driver.preserves_availability(order.servable.name):
            return
        model = next(m for m in driver.manager.snapshots() if m.name == order.servable.name)
        for version in model.versions:
            if version.state in RESIDENT and not version.aspired:
                broken(5, f"{order.servable} loads beside {version.version}, {version.state}")


def _is_aspired(model: ModelSnapshot, servable: ServableId) -> bool:
    which = (servable.version, servable.incarnation)
    return any(
        version.aspired for version in model.versions if (version.version, version.incarnation) == which
    )


def expected_versions(config: ModelConfig, look: FoundVersions, overlay: Overlay) -> set[int]:
    """The rule for what is aspired, in its plainest form."""
    found = {version.version for version in look.versions} - overlay.quarantined
    free = found - overlay.held
    match config.version_policy:
        case Latest(count):
            chosen = {v for v in free if sum(other > v for other in free) < count}
        case All():
            chosen = free
        case specific:
            chosen = {v for v in free if v in specific.versions}
    return chosen | (overlay.pinned & found)


def expected_default(versions: tuple[VersionSnapshot, ...]) -> int | None:
    """The rule for the default version, in its plainest form."""
    ready = [(version.aspired, version.version) for version in versions if version.state is State.READY]
    return max(ready)[1] if ready else None


def check_settled(driver: Driver, resident: set[ServableId]) -> str | None:
    """Invariant 10 after the faults: what is not yet as it should be; none when all is."""
    for model in driver.manager.snapshots():
        refused = [v for v in model.versions if v.aspired and _is_refused(driver, model.name, v)]
        for version in model.versions:
            servable = ServableId(model.name, version.version, version.incarnation)
            is_kept = bool(refused) and not version.aspired and version.state is State.READY
            expected = {State.READY} if version.aspired and version not in refused else GONE
            if version.state not in expected and not is_kept:
                return f"{servable} is {version.state}, aspired {version.aspired}: {version.reason}"
            if (servable in resident) != (version.state is State.READY):
                return f"{servable} is {version.state}, in the plane: {servable in resident}"
    return None


def _is_refused(driver: Driver, name: str, version: VersionSnapshot) -> bool:
    """Whether it is out for want of memory, and rightly so."""
    budget = driver.manager.budget
    if budget.limit_bytes is None or version.failure is None or version.state is not State.ERROR:
        return False
    base_path = driver.models[name].base_path
    estimate = driver.source.estimates[driver.source.found[base_path][version.version].path]
    fits = budget.reserved_bytes + estimate <= budget.limit_bytes
    return version.failure.code is Code.RESOURCE_EXHAUSTED and not fits


def _check_memory(driver: Driver, resident: set[ServableId]) -> None:
    budget = driver.manager.budget
    reservations = budget.reservations()
    if reservations.keys() != resident:
        broken(6, f"reserved for {set(reservations)}, resident are {resident}")
    if sum(reservations.values()) != budget.reserved_bytes:
        broken(6, f"{reservations} are not {budget.reserved_bytes} bytes")
    if budget.limit_bytes is not None and budget.reserved_bytes > budget.limit_bytes:
        broken(6, f"{budget.reserved_bytes} bytes are past {budget.limit_bytes}")
