"""A tick's routes, from the desk's picture and models' traffic; and what is told of labels.

Whether they are published is the loop's; what a route says is routing's.
"""

from collections.abc import Iterable, Iterator

from understudy.control.judging import Judge
from understudy.control.picture import Picture
from understudy.control.traffic_desk import TrafficDesk
from understudy.lifecycle.actions import Unload
from understudy.lifecycle.labels import tell_left_behind, tell_moves
from understudy.routing import ModelRoute, RouteUpdate, Terms, build_route, diff
from understudy.servable import Event, ModelSnapshot


class RouteUpdates:
    """Builds them; keeps nothing."""

    def __init__(self, judge: Judge, traffic: TrafficDesk) -> None:
        self._may_label_unavailable = judge.may_label_unavailable
        self._traffic = traffic

    def build(
        self, picture: Picture, models: Iterable[ModelSnapshot], forgotten: Iterable[str]
    ) -> RouteUpdate | None:
        """The step to a table in which these models have the routes that they should; none when they do."""
        routes = [self._route(picture, model) for model in models]
        return diff(picture.table, routes, forgotten)

    def tell_labels(
        self, now: float, picture: Picture, update: RouteUpdate | None, unloads: tuple[Unload, ...]
    ) -> Iterator[Event]:
        """Labels that the update moves, and those whose versions are unloaded."""
        routes = dict(picture.table.routes) if unloads else {}
        for route in update.changed if update else ():
            yield from tell_moves(now, picture.table.routes.get(route.name), route)
            routes[route.name] = route
        yield from tell_left_behind(now, unloads, routes)

    def _route(self, picture: Picture, model: ModelSnapshot) -> ModelRoute:
        config = picture.configured.get(model.name)
        terms = Terms(
            may_label_unavailable=self._may_label_unavailable,
            log=None if config is None else config.logging,
            steering=self._traffic.steering(model.name),
        )
        labels = () if config is None else config.labels
        return build_route(model, labels, picture.table.routes.get(model.name), terms)
