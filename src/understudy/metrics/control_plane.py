"""Readings of the control plane's last picture: models, versions, labels. Pure.

Of versions only those have readings that are aspired or not finished: what ended stays in `understudy status`
and must not make series for ever.
"""

from collections.abc import Callable, Iterator

from understudy.control.picture import Picture
from understudy.lifecycle.harness import FINISHED, RESIDENT
from understudy.metrics import catalogue
from understudy.metrics.readings import Reading
from understudy.model_config import ModelConfig
from understudy.routing import ModelRoute
from understudy.servable import ModelSnapshot, VersionSnapshot

Date = Callable[[float], float]
"""From a time of the control loop's clock to seconds since 1970."""


def read_picture(picture: Picture, date: Date) -> Iterator[Reading]:
    """All that the picture tells."""
    yield Reading(catalogue.MODELS_CONFIGURED, (), len(picture.configured))
    yield Reading(catalogue.ROUTE_GENERATION, (), picture.table.generation)
    if picture.configured_at is not None:
        yield Reading(catalogue.CONFIG_APPLIED_AT, (), date(picture.configured_at))
    if picture.polled_at is not None:
        yield Reading(catalogue.LAST_LOOK_AT, (), date(picture.polled_at))
    yield Reading(catalogue.MEMORY_RESERVED, (), _reserved_bytes(picture))
    for name, config in picture.configured.items():
        yield from _read_model(config, picture)
        yield from _read_labels(config, picture.table.routes.get(name))
    for model in picture.models.values():
        for version in _living(model):
            yield from _read_version((model.name, str(version.version)), version, date)


def _reserved_bytes(picture: Picture) -> int:
    return sum(
        version.estimate_bytes or 0
        for model in picture.models.values()
        for version in model.versions
        if version.state in RESIDENT
    )


def _read_model(config: ModelConfig, picture: Picture) -> Iterator[Reading]:
    labels = (config.name,)
    route = picture.table.routes.get(config.name)
    yield Reading(catalogue.READY_VERSIONS, labels, len(route.ready_versions) if route else 0)
    if route is not None and route.default_version is not None:
        yield Reading(catalogue.DEFAULT_VERSION, labels, route.default_version)
    look = picture.looks.get(config.name)
    if look is not None:
        yield Reading(catalogue.LOOK_FAILING, labels, look.failure is not None)


def _read_labels(config: ModelConfig, route: ModelRoute | None) -> Iterator[Reading]:
    in_force = {each.label: each.version for each in route.labels} if route else {}
    ready = route.ready_versions if route else ()
    for label, target in config.labels:
        labels = (config.name, label)
        yield Reading(catalogue.LABEL_VERSION, labels, in_force.get(label, target))
        yield Reading(catalogue.LABEL_TARGET, labels, target)
        yield Reading(catalogue.LABEL_READY, labels, in_force.get(label) in ready)


def _living(model: ModelSnapshot) -> tuple[VersionSnapshot, ...]:
    """Each number once: of two incarnations the later one."""
    living = [version for version in model.versions if version.aspired or version.state not in FINISHED]
    living.sort(key=lambda version: version.incarnation)
    return tuple({version.version: version for version in living}.values())


def _read_version(labels: tuple[str, str], version: VersionSnapshot, date: Date) -> Iterator[Reading]:
    yield Reading(catalogue.VERSION_STATE, (*labels, version.state.value), 1)
    yield Reading(catalogue.VERSION_SINCE, labels, date(version.since))
    yield Reading(catalogue.VERSION_ASPIRED, labels, version.aspired)
    yield Reading(catalogue.VERSION_ATTEMPTS, labels, version.attempts)
    yield Reading(catalogue.VERSION_FILES_CHANGED, labels, version.files_changed_at is not None)
    if version.next_attempt_at is not None:
        yield Reading(catalogue.VERSION_NEXT_ATTEMPT_AT, labels, date(version.next_attempt_at))
    if version.estimate_bytes is not None:
        yield Reading(catalogue.VERSION_ESTIMATE, labels, version.estimate_bytes)
    if version.growth_bytes is not None:
        yield Reading(catalogue.VERSION_GROWTH, labels, version.growth_bytes)
