"""When candidates are to be looked at: once beside their baseline; if one of the two is loaded anew, anew."""

from collections.abc import Iterable, Iterator, Mapping

from understudy.control.picture import Picture
from understudy.rollout.state import ModelTraffic, Phase, Rollout
from understudy.rollout.validation import Validate
from understudy.servable import ServableId, State, VersionSnapshot

_Life = tuple[int, float]
"""A version's incarnation, and since when it is ready."""
_Pair = tuple[str, _Life, _Life]
"""A rollout, its candidate and its baseline: asked of one that has gone, a validation tells nothing."""


class ValidationOrders:
    """What has been ordered. Owned by the control loop's thread."""

    def __init__(self) -> None:
        self._ordered: dict[str, _Pair] = {}

    def due(
        self, models: Iterable[str], kept: Mapping[str, ModelTraffic], picture: Picture
    ) -> Iterator[Validate]:
        """Those to begin now, of these models."""
        for name in models:
            rollout = kept[name].rollout
            if rollout is None or rollout.phase is not Phase.VALIDATING:
                self._ordered.pop(name, None)
                continue
            yield from self._order(name, rollout, picture)

    def _order(self, name: str, rollout: Rollout, picture: Picture) -> Iterator[Validate]:
        candidate = _find_ready(picture, name, rollout.candidate)
        baseline = _find_ready(picture, name, rollout.baseline)
        if candidate is None or baseline is None:
            return
        pair = (rollout.id, _life_of(candidate), _life_of(baseline))
        if self._ordered.get(name) == pair:
            return
        self._ordered[name] = pair
        yield Validate(
            candidate=ServableId(name, candidate.version, candidate.incarnation),
            path=candidate.path,
            baseline=ServableId(name, baseline.version, baseline.incarnation),
            settings=rollout.plan.validation,
        )


def _life_of(version: VersionSnapshot) -> _Life:
    return version.incarnation, version.since


def _find_ready(picture: Picture, name: str, version: int) -> VersionSnapshot | None:
    snapshot = picture.models.get(name)
    alive = snapshot.versions if snapshot is not None else ()
    return next((each for each in alive if each.version == version and each.state is State.READY), None)
