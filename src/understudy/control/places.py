"""Where a source is to look for each model, and what a look at such a place can and cannot say. Pure."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from understudy.model_config import ModelConfig, Specific
from understudy.servable import FoundVersion, FoundVersions, Place

NONE: frozenset[int] = frozenset()


def build_place(model: ModelConfig, pinned: AbstractSet[int] = NONE) -> Place:
    """Only for the versions that a `specific` policy names, and those pinned; otherwise for all there are."""
    policy = model.version_policy
    only = tuple(sorted({*policy.versions, *pinned})) if isinstance(policy, Specific) else None
    return Place(model.base_path, only)


def is_at(look: FoundVersions, place: Place) -> bool:
    """Whether a look says all that is asked of this place."""
    if look.base_path not in {None, place.base_path}:
        return False
    return look.only is None or (place.versions is not None and set(place.versions) <= set(look.only))


def may_be_older(look: FoundVersions, model: ModelConfig) -> bool:
    """Whether a look may be older than versions that the model's policy names, and it does not show.

    Who publishes a version and then asks for it alone must not lose what serves until the next look.
    """
    policy = model.version_policy
    found = {each.version for each in look.versions}
    return isinstance(policy, Specific) and not set(policy.versions) <= found


def assume_found(look: FoundVersions, model: ModelConfig) -> FoundVersions | None:
    """What may be there, for judging a configuration ahead of the look that it leads to.

    A look for other versions does not speak against those that the policy names now; to a policy that names
    none it says nothing.
    """
    if is_at(look, build_place(model)):
        return look
    if look.only is None or not isinstance(model.version_policy, Specific):
        return None
    assumed = [
        FoundVersion(number, f"{model.base_path}/{number}")
        for number in set(model.version_policy.versions) - set(look.only)
    ]
    return replace(look, versions=tuple(sorted((*look.versions, *assumed), key=lambda each: each.version)))
