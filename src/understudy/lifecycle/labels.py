"""Labels: which may be assigned, what they hold in place until they have moved, what is told of them.

Where a label leads is routing's (routing/table.py): it moves with the publish in which its version is ready.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from understudy.errors import Code, ConfigError
from understudy.lifecycle.actions import Unload
from understudy.lifecycle.aspire import NO_OVERLAY, Overlay, aspired_versions
from understudy.model_config import ModelConfig, Transition
from understudy.routing import ModelRoute
from understudy.servable import Event, FoundVersions, ModelSnapshot, State

GIVEN_UP = frozenset({State.ERROR, State.OVERDUE})
"""States in which a version is not on its way."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model when a configuration is judged.

    Attributes:
        look: the last good look at it; none: there was none.
        snapshot: of its versions; none: it has none.
        overlay: on its version policy.
    """

    look: FoundVersions | None = None
    snapshot: ModelSnapshot | None = None
    overlay: Overlay = NO_OVERLAY


def unavailable(model: str, version: int) -> str:
    """TensorFlow Serving's words for a label that cannot be assigned."""
    return (
        f"Request to assign label to version {version} of model {model}, "
        "which is not currently available for inference"
    )


def changed_labels(old: ModelConfig | None, new: ModelConfig) -> tuple[tuple[str, int], ...]:
    """The labels that a configuration assigns anew."""
    before = dict(old.labels) if old else {}
    return tuple((label, version) for label, version in new.labels if before.get(label) != version)


def judge_labels(
    old: ModelConfig | None, new: ModelConfig, known: Known, *, may_label_unavailable: bool
) -> None:
    """Refuses labels that nothing will come of.

    A label may name a version that is ready, or one that the same configuration makes aspired: it moves
    when that is ready. Of a model that was not looked at yet, nothing can be said. What is not assigned anew
    is not judged again, so that a version that went away cannot make later configurations fail.

    Args:
        old: the model as configured so far; none: it is new.
        new: the model as it is to be.
        known: of the model.
        may_label_unavailable: a label that the model does not have yet may name any version
            (`--allow_version_labels_for_unavailable_models`).

    Raises:
        ConfigError: FAILED_PRECONDITION, in TensorFlow Serving's words, and why.
    """
    look = _look_at_place(old, new, known)
    if look is None:
        return
    for version in _to_be_judged(old, new, may_label_unavailable=may_label_unavailable):
        reason = _why_never(version, new, look, known)
        if reason is not None:
            raise ConfigError(Code.FAILED_PRECONDITION, f"{unavailable(new.name, version)}: {reason}")


def labels_unseen(
    old: ModelConfig | None, new: ModelConfig, known: Known, *, may_label_unavailable: bool
) -> bool:
    """Whether it would be refused for a version that the last look did not see, and another look may see."""
    look = _look_at_place(old, new, known)
    if look is None:
        return False
    seen = {each.version for each in look.versions}
    judged = _to_be_judged(old, new, may_label_unavailable=may_label_unavailable)
    return any(version not in seen for version in judged)


def _to_be_judged(old: ModelConfig | None, new: ModelConfig, *, may_label_unavailable: bool) -> Iterator[int]:
    """The versions that labels name anew, and may not name whatever they are."""
    before = dict(old.labels) if old else {}
    for label, version in changed_labels(old, new):
        if not may_label_unavailable or label in before:
            yield version


def _look_at_place(old: ModelConfig | None, new: ModelConfig, known: Known) -> FoundVersions | None:
    """The last look, if it was where the model is to be."""
    is_new_place = old is None or old.base_path != new.base_path
    return None if is_new_place else known.look


def _why_never(version: int, new: ModelConfig, look: FoundVersions, known: Known) -> str | None:
    versions = known.snapshot.versions if known.snapshot else ()
    alive = {each.version: each for each in versions}.get(version)
    if alive is not None and alive.state is State.READY:
        return None
    if version not in {each.version for each in look.versions}:
        return f"it is not in {new.base_path}"
    aspired = aspired_versions(new.version_policy, look.versions, known.overlay)
    if version not in {each.version for each in aspired}:
        return "the version policy does not choose it"
    if alive is not None and alive.state in GIVEN_UP:
        return f"its load failed: {alive.failure}"
    return None


def pinned_versions(model: ModelConfig, route: ModelRoute | None, default: Transition) -> frozenset[int]:
    """Ready versions that labels name until what they are to name is ready: unloaded, they would dangle.

    A model whose old versions are to go before new ones come has said that it accepts a gap.
    """
    if route is None or (model.transition or default) is Transition.RESOURCE_PRESERVING:
        return frozenset()
    wanted = dict(model.labels)
    moving = {each.version for each in route.labels if wanted.get(each.label, each.version) != each.version}
    return frozenset(moving.intersection(route.ready_versions))


def tell_moves(now: float, before: ModelRoute | None, after: ModelRoute) -> Iterator[Event]:
    """Labels that appeared, moved or went with a route."""
    old = {each.label: each.version for each in before.labels} if before else {}
    new = {each.label: each.version for each in after.labels}
    for label in sorted(old.keys() | new.keys()):
        match old.get(label), new.get(label):
            case was, None:
                yield Event(now, after.name, was, "label_removed", f"label {label} named it, and is gone")
            case None, version:
                yield Event(now, after.name, version, "label_set", f"label {label} names it from now on")
            case was, version if was != version:
                reason = f"label {label} names it from now on; before it named {was}"
                yield Event(now, after.name, version, "label_moved", reason)


def tell_left_behind(
    now: float, unloads: Iterable[Unload], routes: Mapping[str, ModelRoute]
) -> Iterator[Event]:
    """Labels that name a version which is being unloaded, with nobody in its place."""
    for unload in unloads:
        model, version = unload.servable.name, unload.servable.version
        route = routes.get(model)
        if route is None or version in route.ready_versions:
            continue
        for each in route.labels:
            if each.version == version:
                reason = (
                    f"label {each.label} still names it, and it is being unloaded ({unload.reason}): "
                    "requests by this label are answered NOT_FOUND; move the label or bring the version back"
                )
                yield Event(now, model, version, "label_left_behind", reason)
