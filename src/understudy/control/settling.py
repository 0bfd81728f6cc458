"""Whether what an order brought has come to rest, read from a picture. Pure; orders.py waits for it."""

from dataclasses import dataclass

from understudy.control.facts import LabelLeft, Unavailable
from understudy.control.picture import Picture
from understudy.rollout.state import Phase
from understudy.servable import ServableId, State, VersionSnapshot

UNDER_WAY = frozenset({State.NEW, State.LOADING, State.UNLOADING})
"""States of a wanted version in which nothing can be said of it yet."""


@dataclass(frozen=True, slots=True)
class NewLabel:
    """A label that an order assigns anew."""

    model: str
    label: str
    version: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What was waited for has come to rest.

    Attributes:
        unavailable: a version that was to make its model available, and does not.
        label_left: a label that could not move.
    """

    unavailable: Unavailable | None = None
    label_left: LabelLeft | None = None


def settled_model(picture: Picture, name: str, *, waits_for_retries: bool) -> Settled | None:
    """A new model has come to rest when something serves, all has failed, or nothing is there; none: not yet.

    A candidate that is ready before what it is compared with serves nobody.

    Args:
        picture: the present state.
        name: the model.
        waits_for_retries: a version that failed and will be tried again has not failed yet.
    """
    look = picture.looks.get(name)
    if look is None:
        return Settled() if name not in picture.configured else None
    aspired = _aspired(picture, name)
    candidate = _candidate(picture, name)
    serves = any(v.state is State.READY and v.version != candidate for v in aspired)
    if look.failure is not None or not aspired or serves:
        return Settled()
    if any(_is_under_way(version, waits_for_retries=waits_for_retries) for version in aspired):
        return None
    failed = [Unavailable(ServableId(name, v.version), v.failure) for v in aspired if v.failure is not None]
    return Settled(unavailable=failed[-1] if failed else None)


def settled_label(picture: Picture, new: NewLabel, *, waits_for_retries: bool) -> Settled | None:
    """A label has come to rest when it leads where it is to, or when nothing comes of that; none: not yet."""
    model = picture.configured.get(new.model)
    if model is None or dict(model.labels).get(new.label) != new.version:
        return Settled()  # a later configuration wants something else
    route = picture.table.routes.get(new.model)
    in_force = {(each.label, each.version) for each in route.labels} if route else set()
    if (new.label, new.version) in in_force:
        return Settled()
    if new.model not in picture.looks:
        return None
    version = {v.version: v for v in _aspired(picture, new.model)}.get(new.version)
    if version is None:
        return _left(new, "it is not there, or the version policy does not choose it")
    if version.state is State.READY or _is_under_way(version, waits_for_retries=waits_for_retries):
        return None
    return _left(new, str(version.failure))


def _left(new: NewLabel, reason: str) -> Settled:
    return Settled(label_left=LabelLeft(new.model, new.label, new.version, reason))


def _aspired(picture: Picture, name: str) -> list[VersionSnapshot]:
    model = picture.models.get(name)
    return [version for version in model.versions if version.aspired] if model else []


def _candidate(picture: Picture, name: str) -> int | None:
    """The version that is on trial."""
    traffic = picture.traffic.get(name)
    rollout = None if traffic is None else traffic.rollout
    return None if rollout is None or rollout.phase is Phase.WATCHING else rollout.candidate


def _is_under_way(version: VersionSnapshot, *, waits_for_retries: bool) -> bool:
    return version.state in UNDER_WAY or (waits_for_retries and version.state is State.RETRYING)
