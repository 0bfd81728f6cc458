"""Where a model's labels lead, where they are to lead, and whether anybody answers there, for operators."""

from typing import Final

from understudy.admin.view import LabelView
from understudy.control.picture import Picture
from understudy.lifecycle.harness import FINISHED
from understudy.rollout.consequences import overlaid_labels
from understudy.rollout.state import ModelTraffic
from understudy.servable import State

NOTHING_KEPT: Final = ModelTraffic()


def build_labels(name: str, picture: Picture) -> tuple[LabelView, ...]:
    """Labels as configured and as rollouts set them; one that has not moved yet names who answers by it."""
    config = picture.configured.get(name)
    route = picture.table.routes.get(name)
    ready = frozenset(route.ready_versions) if route else frozenset()
    in_force = {each.label: each.version for each in route.labels} if route else {}
    states = _states(name, picture)
    wanted = dict(config.labels if config else ()) | dict(
        overlaid_labels(picture.traffic.get(name, NOTHING_KEPT))
    )
    return tuple(
        LabelView(
            label=label,
            version=(version := in_force.get(label, configured)),
            ready=in_force.get(label) in ready,
            missing=version not in states,
            target=None if version == configured else configured,
            target_state=None if version == configured else states.get(configured),
        )
        for label, configured in (sorted(wanted.items()) if config else ())
    )


def _states(name: str, picture: Picture) -> dict[int, State]:
    """The state of every version that lives or is found; one that is found and not chosen is at its end."""
    look = picture.looks.get(name)
    model = picture.models.get(name)
    states = {found.version: State.END for found in look.versions} if look else {}
    for version in model.versions if model else ():
        if version.state not in FINISHED or version.version in states:
            states[version.version] = version.state
    return states
