"""Routes as they cross into Rust, field by field (crates/python/src/routes.rs). table.py decides on them."""

from dataclasses import dataclass

from understudy.request_logging import RequestLogging
from understudy.routing.traffic import BUCKETS, Traffic


@dataclass(frozen=True, slots=True)
class ReadyVersion:
    """A version that answers.

    Attributes:
        version: its number, by which requests choose it.
        incarnation: which of those that may be loaded under this number; see `ServableId`.
    """

    version: int
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class LabelRoute:
    """A label and the version it names (which need not be ready)."""

    label: str
    version: int


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What GetModelStatus says of one version.

    Attributes:
        version: its number.
        state: `ModelVersionStatus.State` on the wire.
        error_code: canonical code, 0 when all is well.
        error_message: empty when all is well.
    """

    version: int
    state: int
    error_code: int
    error_message: str


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """What requests of one model see.

    Attributes:
        name: the model.
        ready: requestable, ascending by version, each number once.
        default_version: who answers a request that names neither version nor label; none: nobody.
        labels: sorted by label.
        statuses: every version that lives or is remembered, descending, each number once; none: nothing was
            ever found.
        log: what to log of its requests; none: nothing.
        traffic: how requests that name neither version nor label are split; none: the default answers all.
    """

    name: str
    ready: tuple[ReadyVersion, ...]
    default_version: int | None
    labels: tuple[LabelRoute, ...]
    statuses: tuple[VersionStatus, ...]
    log: RequestLogging | None = None
    traffic: Traffic | None = None

    @property
    def ready_versions(self) -> tuple[int, ...]:
        """The numbers that answer, ascending."""
        return tuple(each.version for each in self.ready)

    @property
    def shares(self) -> dict[int, int]:
        """How many buckets each version answers, of requests that name neither version nor label."""
        if self.default_version is None:
            return {}
        shares = {self.default_version: BUCKETS}
        for each in self.traffic.ranges if self.traffic else ():
            size = each.stop - each.start
            shares[self.default_version] -= size
            shares[each.version] = shares.get(each.version, 0) + size
        return shares


@dataclass(frozen=True, slots=True)
class RouteUpdate:
    """The step from one generation of the route table to the next: only what changed.

    Attributes:
        generation: of the table after the step; only grows.
        changed: models that are new or differ, whole.
        removed: names of models that are gone.
    """

    generation: int
    changed: tuple[ModelRoute, ...]
    removed: tuple[str, ...]
