"""The parts of a server, built and wired from its options; nothing is started here."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from understudy import telemetry
from understudy.batching_parameters import choose_batching
from understudy.clock import Clock
from understudy.config_message import PLATFORMS
from understudy.config_text import read_changed_config
from understudy.control.desk import Desk
from understudy.control.effects import Effects, EffectSettings, Hands, Inspection
from understudy.control.facts import Finished, Validated, VersionsSeen
from understudy.control.judging import Judge
from understudy.control.loop import ControlLoop, Reports
from understudy.control.traffic_desk import TrafficDesk
from understudy.control.validating import Validations
from understudy.dataplane.litert_library import find_litert_dir
from understudy.dataplane.loaders import Libraries, NativeLoader
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import LiteRtOptions, TensorFlowOptions
from understudy.dataplane.runtimes import Runtimes
from understudy.dataplane.tensorflow_library import find_library_dir
from understudy.errors import Code, DataPlaneError, StartupError
from understudy.lifecycle.manager import Manager, ManagerOptions
from understudy.metrics.tallies import Tallies
from understudy.rollout_file import read_strategies
from understudy.servable import Event, FoundVersions, Outcome
from understudy.server.certificates import CertificateReader, Certificates
from understudy.server.config_file import ConfigFileReader
from understudy.server.evidence import EvidenceWatch, read_shown
from understudy.server.golden import LiveGoldenRecorder
from understudy.server.operator import LiveOperator
from understudy.server.orders import OrderHandling, OrderReports
from understudy.server.page_desk import PageDesk
from understudy.server.reload import ReloadDesk
from understudy.server.request_logs import RequestLogWatch
from understudy.server.rollouts import Shown
from understudy.server.state import resume_traffic
from understudy.server.strategies_file import StrategiesFileReader
from understudy.server.view import LiveView
from understudy.server.watched_file import WatchedFile
from understudy.server_options import LiteRtSettings, ServeOptions, TensorFlowSettings
from understudy.session_config import build_session_config
from understudy.sources.directory import look_at_files
from understudy.sources.filesystem import FileSystemSource
from understudy.store.store import Store

THREADS_MIN = 4
"""Loads that hang leave other threads for the rest, until more are started in their place."""
LOAD_PATIENCE_S = 10.0
"""A load that takes longer does not keep its thread to itself, when nobody chose the number of threads."""


MEMORY_PER_FILE_BYTE = 1.2
"""A loaded version is expected to need its files' size and a fifth, as TensorFlow Serving expects
(servables/tensorflow/util.cc). What it really took is measured beside it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a server consists of."""

    data_plane: NativeDataPlane
    loader: NativeLoader
    loop: ControlLoop
    source: FileSystemSource
    effects: Effects
    validations: Validations
    evidence: EvidenceWatch
    reloads: ReloadDesk
    pages: PageDesk | None
    config_file: ConfigFileReader | None
    strategies_file: StrategiesFileReader | None
    request_logs: RequestLogWatch | None
    certificates: CertificateReader | None
    tallies: Tallies
    view: LiveView
    operator: LiveOperator
    golden: LiveGoldenRecorder


def build_parts(options: ServeOptions, clock: Clock, store: Store) -> Parts:
    """Builds and wires a server's parts."""
    data_plane = NativeDataPlane(options.data_plane)
    runtimes = _build_runtimes(options.litert)
    may_log_requests = options.data_plane.request_log is not None
    loader = _build_loader(options, data_plane, runtimes)
    desk = _build_desk(options, clock, store)
    tallies = Tallies()
    loop = ControlLoop(clock, desk, data_plane, _build_reports(tallies))

    def report_outcome(outcome: Outcome) -> None:
        tallies.take_outcome(outcome)
        loop.send(Finished(outcome))

    def report_look(found: tuple[FoundVersions, ...]) -> None:
        loop.send(VersionsSeen(found))

    view = LiveView(clock, desk, data_plane, tallies=tallies, options=options)
    hands = Hands(loader, partial(_inspect, runtimes))
    handling = OrderHandling(OrderReports(tallies), options.reload_timeout_s)
    return Parts(
        data_plane=data_plane,
        loader=loader,
        loop=loop,
        source=FileSystemSource(clock, report_look, poll_interval_s=options.poll_interval_s),
        effects=Effects(clock, hands, report_outcome, _effect_settings(options)),
        validations=Validations(clock, data_plane, lambda outcome: loop.send(Validated(outcome))),
        evidence=EvidenceWatch(data_plane, clock, loop.send),
        reloads=ReloadDesk(data_plane, clock, loop, view.collector, handling),
        pages=PageDesk(data_plane, view.metrics) if options.data_plane.metrics_path else None,
        config_file=_build_config_file(options, clock, loop, handling),
        strategies_file=_build_strategies_file(options, clock, loop),
        request_logs=RequestLogWatch(data_plane, clock, loop.send) if may_log_requests else None,
        certificates=_build_certificates(options, data_plane),
        tallies=tallies,
        view=view,
        operator=LiveOperator(
            clock,
            Shown(desk, partial(read_shown, data_plane), data_plane),
            loop,
            store,
            reports=handling.reports,
        ),
        golden=LiveGoldenRecorder(clock, desk, data_plane),
    )


def _build_loader(options: ServeOptions, data_plane: NativeDataPlane, runtimes: Runtimes) -> NativeLoader:
    return NativeLoader(
        data_plane,
        Libraries(
            runtimes=runtimes,
            find_tensorflow=lambda: _tensorflow_options(options.tensorflow),
            find_litert=lambda: _litert_options(options.litert),
        ),
        tags=options.tensorflow.saved_model_tags,
        warmup=options.warmup,
        choose_batching=choose_batching(options.batching),
    )


def _build_desk(options: ServeOptions, clock: Clock, store: Store) -> Desk:
    return Desk(
        Manager(
            ManagerOptions(
                transition=options.transition,
                load_retries_max=options.load_retries_max,
                load_retry_interval_s=options.load_retry_interval_s,
                memory_limit_bytes=options.memory_limit_bytes,
            )
        ),
        Judge(
            platforms=PLATFORMS,
            may_label_unavailable=options.may_label_unavailable,
            may_log_requests=options.data_plane.request_log is not None,
        ),
        ledger=store.revisions,
        traffic=TrafficDesk(
            store.rollouts,
            resume_traffic(store, clock),
            options.strategies,
            is_forgetful=not store.database.is_durable,
        ),
    )


def _build_config_file(
    options: ServeOptions, clock: Clock, loop: ControlLoop, handling: OrderHandling
) -> ConfigFileReader | None:
    if options.config_file is None:
        return None
    file = WatchedFile(options.config_file, read_changed_config, options.models, clock)
    return ConfigFileReader(file, clock, loop, handling)


def _build_strategies_file(
    options: ServeOptions, clock: Clock, loop: ControlLoop
) -> StrategiesFileReader | None:
    if options.rollout_config is None:
        return None
    file = WatchedFile(options.rollout_config, read_strategies, options.strategies, clock)
    return StrategiesFileReader(file, loop)


def _build_certificates(options: ServeOptions, data_plane: NativeDataPlane) -> CertificateReader | None:
    if options.grpc_tls is None and options.rest_tls is None:
        return None
    in_force = Certificates(options.data_plane.grpc_tls, options.data_plane.rest_tls)
    return CertificateReader(options.grpc_tls, options.rest_tls, in_force=in_force, doors=data_plane)


def _build_reports(tallies: Tallies) -> Reports:
    """What the loop reports goes to the log, and is counted."""

    def report_events(events: Iterable[Event]) -> None:
        for event in events:
            telemetry.log_event(event)
            tallies.take_event(event)

    def report_failure(name: str, error: Exception) -> None:
        _log_failure(name, error)
        tallies.take_control_failure(name)

    return Reports(report_events, report_failure)


def _effect_settings(options: ServeOptions) -> EffectSettings:
    automatic = max(THREADS_MIN, os.cpu_count() or 1)
    return EffectSettings(
        load_threads=options.load_threads or automatic,
        unload_threads=options.unload_threads or automatic,
        load_patience_s=math.inf if options.load_threads else LOAD_PATIENCE_S,
        load_timeout_s=options.load_timeout_s,
        drain_timeout_s=options.drain_timeout_s,
    )


def _build_runtimes(settings: LiteRtSettings) -> Runtimes:
    interpreters = settings.interpreters or len(os.sched_getaffinity(0))
    return Runtimes(prefers_litert=settings.is_preferred, litert_interpreters=interpreters)


def _inspect(runtimes: Runtimes, path: str) -> Inspection:
    files = look_at_files(path)
    estimate_bytes = runtimes.litert_bytes(path)
    if estimate_bytes is None:
        estimate_bytes = round(files.size_bytes * MEMORY_PER_FILE_BYTE)
    return Inspection(estimate_bytes, files.fingerprint)


def _tensorflow_options(settings: TensorFlowSettings) -> TensorFlowOptions:
    """Where TensorFlow is and how it runs.

    Raises:
        DataPlaneError: it is not installed.
    """
    try:
        library_dir = settings.library_dir or str(find_library_dir())
    except StartupError as error:
        raise DataPlaneError(Code.FAILED_PRECONDITION, str(error)) from error
    return TensorFlowOptions(
        library_dir=library_dir,
        session_config=build_session_config(settings.session_config, settings.session),
    )


def _litert_options(settings: LiteRtSettings) -> LiteRtOptions:
    """Where LiteRT is and how it runs.

    Raises:
        DataPlaneError: it is not installed.
    """
    try:
        library_dir = settings.library_dir or str(find_litert_dir())
    except StartupError as error:
        raise DataPlaneError(Code.FAILED_PRECONDITION, str(error)) from error
    return LiteRtOptions(library_dir=library_dir, interpreters=settings.interpreters)


def _log_failure(name: str, error: Exception) -> None:
    telemetry.get_logger().critical(name, reason=f"{type(error).__name__}: {error}", exc_info=error)
