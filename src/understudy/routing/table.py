"""What a request sees: decided from a model's snapshot, its labels and the routes in force."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import MappingProxyType

from understudy.request_logging import RequestLogging
from understudy.routing.routes import LabelRoute, ModelRoute, ReadyVersion, RouteUpdate, VersionStatus
from understudy.routing.traffic import Traffic
from understudy.servable import WIRE_STATES, ModelSnapshot, State, VersionSnapshot, WireState

Labels = tuple[tuple[str, int], ...]
"""Label and version, as configured."""

LIVENESS: dict[State, int] = {
    State.READY: 2,
    State.UNLOADING: 1,
    State.OVERDUE: 1,
    State.LOADING: 1,
    State.RETRYING: 1,
    State.NEW: 1,
    State.END: 0,
    State.ERROR: 0,
}
"""How much alive each state is: which of two incarnations of a number speaks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """What rollouts and operators say of a model's route, beside its versions and configuration.

    Attributes:
        default_version: who answers what names neither version nor label, while it is ready; none: as
            without steering.
        barred: versions that are not the default, were nothing else ready: nothing has shown them fit.
        labels: beside those configured, or instead of those of the same names.
        traffic: how requests are split; none: they are not.
    """

    default_version: int | None = None
    barred: frozenset[int] = frozenset()
    labels: Labels = ()
    traffic: Traffic | None = None

    def over(self, labels: Labels) -> Labels:
        """The labels in force, of those configured."""
        return tuple(sorted({**dict(labels), **dict(self.labels)}.items())) if self.labels else labels


UNSTEERED = Steering()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a route depends on beside its model and the labels configured.

    Attributes:
        may_label_unavailable: a label that is not in force may name a version that is not ready
            (`--allow_version_labels_for_unavailable_models`).
        log: what to log of the model's requests, as configured; none: nothing.
        steering: what rollouts and operators say of it.
    """

    may_label_unavailable: bool = False
    log: RequestLogging | None = None
    steering: Steering = UNSTEERED


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class RouteTable:
    """The routes in force.

    Attributes:
        generation: of the last update applied; only grows.
        routes: by model name.
    """

    generation: int = 0
    routes: MappingProxyType[str, ModelRoute] = field(default_factory=lambda: MappingProxyType({}))

    def apply(self, update: RouteUpdate) -> "RouteTable":
        """The table after an update that was published; one that was refused is not applied.

        Raises:
            AssertionError: the update is not the next generation.
        """
        if update.generation != self.generation + 1:
            raise AssertionError(f"generation {update.generation} after {self.generation}")
        routes = self.routes.copy()
        routes.update((route.name, route) for route in update.changed)
        for name in update.removed:
            del routes[name]
        return RouteTable(update.generation, MappingProxyType(routes))


def build_route(
    model: ModelSnapshot,
    labels: Labels = (),
    current: ModelRoute | None = None,
    terms: Terms = NO_TERMS,
) -> ModelRoute:
    """The route of one model.

    Args:
        model: as the manager left it.
        labels: as configured.
        current: the route in force, whose labels stay until their new versions are ready.
        terms: what else the route depends on.
    """
    steering = terms.steering
    versions = _speakers(model)
    ready = tuple(
        ReadyVersion(each.version, each.incarnation) for each in versions if each.state is State.READY
    )
    numbers = frozenset(each.version for each in ready)
    return ModelRoute(
        name=model.name,
        ready=ready,
        default_version=_default_version(model, numbers, steering),
        labels=_build_labels(
            steering.over(labels), numbers, current, may_label_unavailable=terms.may_label_unavailable
        ),
        statuses=tuple(_build_status(each) for each in reversed(versions)),
        log=terms.log,
        traffic=steering.traffic,
    )


def diff(
    table: RouteTable, routes: Iterable[ModelRoute], forgotten: Iterable[str] = ()
) -> RouteUpdate | None:
    """The step from the table in force to one in which these models have these routes; none when it has none.

    Args:
        table: in force.
        routes: of the models that may have changed; models not named here stay as they are.
        forgotten: models to take out.
    """
    changed = tuple(route for route in routes if table.routes.get(route.name) != route)
    removed = tuple(name for name in forgotten if name in table.routes)
    if not changed and not removed:
        return None
    return RouteUpdate(table.generation + 1, changed, removed)


def _speakers(model: ModelSnapshot) -> tuple[VersionSnapshot, ...]:
    """One snapshot a number, ascending: of several incarnations the one that answers, or is told of.

    While a model's base path moves, a number is there twice: the former one answers until the one from
    the new place is ready.
    """
    speakers: dict[int, VersionSnapshot] = {}
    for each in model.versions:
        other = speakers.get(each.version)
        if other is None or _standing(each) > _standing(other):
            speakers[each.version] = each
    return tuple(speakers[number] for number in sorted(speakers))


def _standing(version: VersionSnapshot) -> tuple[int, bool, int]:
    """The most alive speaks for its number; among equals the aspired one, then the later one."""
    return LIVENESS[version.state], version.aspired, version.incarnation


def _default_version(model: ModelSnapshot, ready: frozenset[int], steering: Steering) -> int | None:
    """The one that is steered to, else the highest ready version that is aspired, else the highest ready one.

    TensorFlow Serving takes the highest ready one, aspired or not. That differs while a version that is no
    longer wanted is still ready beside a lower one that is: rolled back from 3 to 2, requests would go on
    reaching 3 until it is gone. Today's transition policies unload such a version in the very step in which
    the wanted one is ready, so the rule keeps its promise also for one that leaves the old loaded longer.

    A number is aspired when any of its incarnations is: while a base path moves, the former 3 goes on being
    the default, although the new 2 is ready before the new 3.

    A barred version is no way out: users do not get what is on trial because what they should get is away.
    """
    if steering.default_version in ready:
        return steering.default_version
    ready -= steering.barred
    aspired = {each.version for each in model.versions if each.aspired}
    return max(ready & aspired, default=max(ready, default=None))


def _build_labels(
    labels: Labels, ready: frozenset[int], current: ModelRoute | None, *, may_label_unavailable: bool
) -> tuple[LabelRoute, ...]:
    """A label moves when the version it is to name is ready; until then it stays where it is, or away."""
    in_force = {} if current is None else {each.label: each for each in current.labels}
    built = []
    for label, version in sorted(labels):
        if version in ready or (may_label_unavailable and label not in in_force):
            built.append(LabelRoute(label, version))
        elif label in in_force:
            built.append(in_force[label])
    return tuple(built)


def _build_status(version: VersionSnapshot) -> VersionStatus:
    """A failure is told once nothing more is tried; while retrying a version is loading, and all is well."""
    wire_state = WIRE_STATES[version.state]
    failure = version.failure if wire_state is WireState.END else None
    if failure is None:
        return VersionStatus(version.version, wire_state.value, 0, "")
    return VersionStatus(version.version, wire_state.value, int(failure.code), failure.message)
