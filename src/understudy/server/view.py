"""What operators see, drawn from the control loop's last picture and the data plane's statistics.

Reads only what is frozen or safe from any thread; never waits for the control loop.
"""

from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING

from understudy.admin.view import (
    EventView,
    MethodView,
    ModelView,
    Phase,
    PolicyView,
    ServerView,
    VersionView,
)
from understudy.clock import Calendar, Clock
from understudy.control.desk import Desk
from understudy.control.picture import Picture
from understudy.dataplane._native import MethodStatistics, Statistics
from understudy.dataplane.native import NativeDataPlane
from understudy.errors import Code
from understudy.metrics.collector import Collector, Sources
from understudy.metrics.tallies import Tallies
from understudy.model_config import Latest
from understudy.servable import ServableId, VersionSnapshot
from understudy.server.labels import build_labels
from understudy.server.lives import build_failure, build_life
from understudy.server.rollout_views import build_head, build_traffic, name_arm
from understudy.server_options import ServeOptions

if TYPE_CHECKING:
    from understudy.metrics.page import MetricsPage

P50 = 0.5
P99 = 0.99


@dataclass(frozen=True, slots=True)
class _VersionMeasured:
    """What the data plane counted for one version."""

    in_flight: int = 0
    methods: tuple[MethodStatistics, ...] = ()


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the data plane counted. Requests are counted by number, holds by what is loaded."""

    in_flight: dict[ServableId, int]
    methods: dict[tuple[str, int], list[MethodStatistics]]

    def of(self, servable: ServableId) -> _VersionMeasured:
        methods = self.methods.get((servable.name, servable.version), ())
        return _VersionMeasured(self.in_flight.get(servable, 0), tuple(methods))


class LiveView:
    """The operators' view of a live server."""

    def __init__(
        self,
        clock: Clock,
        desk: Desk,
        data_plane: NativeDataPlane,
        *,
        tallies: Tallies,
        options: ServeOptions,
    ) -> None:
        self._clock = clock
        self._calendar = Calendar(clock)
        self._desk = desk
        self._data_plane = data_plane
        self._options = options
        self._started_at = clock.now()
        self._phase = Phase.STARTING
        self._grpc: str | None = None
        self._rest: str | None = None
        self._page: MetricsPage | None = None
        self.collector = Collector(
            Sources(
                calendar=self._calendar,
                picture=lambda: desk.picture,
                statistics=data_plane.statistics,
                serving_counters=data_plane.serving_counters,
                tallies=tallies,
                phase=lambda: self._phase.value,
                phases=tuple(phase.value for phase in Phase),
                software_version=metadata.version("understudy"),
                limits=options.data_plane,
                memory_limit_bytes=options.memory_limit_bytes,
            )
        )

    def enter(self, phase: Phase, *, grpc: str | None = None, rest: str | None = None) -> None:
        """From now on the server is in this phase; addresses once they are known."""
        self._grpc = grpc or self._grpc
        self._rest = rest or self._rest
        self._phase = phase

    def phase(self) -> Phase:
        """Where the server is in its life."""
        return self._phase

    def server(self) -> ServerView:
        """The whole server."""
        picture = self._desk.picture
        statistics = self._data_plane.statistics()
        methods = _by_version(statistics)
        names = sorted(picture.configured.keys() | picture.models.keys())
        return ServerView(
            software=f"Understudy {metadata.version('understudy')}",
            phase=self._phase,
            started_at=self._calendar.date(self._started_at),
            at=self._calendar.date(self._clock.now()),
            generation=picture.table.generation,
            config_revision=picture.config_revision,
            grpc_address=self._grpc,
            rest_address=self._rest,
            config_file=self._options.config_file,
            in_flight=statistics.in_flight,
            connections=statistics.grpc_connections + statistics.rest_connections,
            refused_overload=statistics.refused_overload,
            models=tuple(self._model(name, picture, methods) for name in names),
        )

    def model(self, name: str) -> ModelView | None:
        """One model; none when there is none of that name."""
        picture = self._desk.picture
        if name not in picture.configured and name not in picture.models:
            return None
        return self._model(name, picture, _by_version(self._data_plane.statistics()))

    def events(self, name: str) -> tuple[EventView, ...]:
        """What happened to a model, the newest last."""
        return tuple(
            EventView(
                self._calendar.date(event.at),
                event.model,
                event.version,
                event.kind,
                event.reason,
                event.state,
            )
            for event in self._desk.journal.of(name)
        )

    def metrics(self) -> bytes:
        """The metrics page, in Prometheus' text format."""
        if self._page is None:  # two that come at once make it twice, which does no harm
            from understudy.metrics.page import MetricsPage  # noqa: PLC0415 - a start need not pay for it

            self._page = MetricsPage(self.collector)
        return self._page.draw()

    def _model(self, name: str, picture: Picture, measured: _Measured) -> ModelView:
        config = picture.configured.get(name)
        snapshot = picture.models.get(name)
        route = picture.table.routes.get(name)
        look = picture.looks.get(name)
        polled_at = picture.polled_at
        kept = picture.traffic.get(name)
        rollout = kept.rollout if kept else None
        return ModelView(
            name=name,
            configured=config is not None,
            base_path=config.base_path if config else "",
            platform=config.platform if config else "",
            policy=PolicyView.of(config.version_policy if config else Latest()),
            transition=((config.transition if config else None) or self._options.transition).value,
            labels=build_labels(name, picture),
            default_version=route.default_version if route else None,
            found_versions=tuple(found.version for found in look.versions) if look else (),
            found_at=self._calendar.date(polled_at) if look and polled_at is not None else None,
            source_failure=build_failure(look.failure) if look else None,
            versions=tuple(
                replace(
                    self._version(
                        version, measured.of(ServableId(name, version.version, version.incarnation))
                    ),
                    arm=name_arm(version.version, rollout),
                    quarantined=kept is not None and version.version in kept.quarantined,
                )
                for version in reversed(snapshot.versions if snapshot else ())
            ),
            traffic=build_traffic(name, picture, self._calendar) if kept else None,
            rollout=build_head(rollout, self._calendar) if rollout else None,
        )

    def _version(self, version: VersionSnapshot, measured: _VersionMeasured) -> VersionView:
        methods = tuple(_method(method) for method in measured.methods)
        return replace(
            build_life(version, self._clock.now(), self._calendar),
            in_flight=measured.in_flight,
            requests=sum(method.requests for method in methods),
            failures=sum(method.failures for method in methods),
            methods=methods,
        )


def _by_version(statistics: Statistics) -> _Measured:
    in_flight = {
        ServableId(each.model, each.version, each.incarnation): each.in_flight
        for each in statistics.servables
    }
    methods: dict[tuple[str, int], list[MethodStatistics]] = {}
    for method in statistics.methods:
        if method.version is not None:
            methods.setdefault((method.model, method.version), []).append(method)
    return _Measured(in_flight, methods)


def _method(method: MethodStatistics) -> MethodView:
    requests = sum(method.counts_by_code)
    good = method.counts_by_code[Code.OK]
    quantiles = dict(method.latency_quantiles_s)
    return MethodView(
        method=method.method,
        signature=method.signature,
        requests=requests,
        failures=requests - good,
        latency_mean_s=method.latency_sum_s / good if good else None,
        latency_p50_s=quantiles.get(P50),
        latency_p99_s=quantiles.get(P99),
    )
