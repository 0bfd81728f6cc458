"""The data plane's façade: what the rest of Python calls. Translates errors and nothing else."""

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from understudy.dataplane import _native
from understudy.dataplane._native import (
    AdminRequest,
    BoundAddresses,
    Capture,
    LoadReport,
    Prediction,
    RequestLogReport,
    Statistics,
    TrialStatistics,
    UnloadReport,
    ValidationReport,
)
from understudy.dataplane.options import (
    CaptureOptions,
    DataPlaneOptions,
    LiteRtOptions,
    LoadRequest,
    TensorFlowOptions,
    TlsOptions,
    ToldTruth,
    ValidateRequest,
)
from understudy.errors import Code, DataPlaneError
from understudy.routing import RouteUpdate
from understudy.servable import ServableId

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class NativeDataPlane:
    """Everything that a request passes. Every method may be called from any thread and releases the GIL.

    Every method raises DataPlaneError. Durations are seconds, not negative; `math.inf` is without end.
    """

    def __init__(self, options: DataPlaneOptions) -> None:
        self._plane = _call(_native.DataPlane, options)

    def open_tensorflow(self, options: TensorFlowOptions) -> str:
        """Open TensorFlow's libraries (half a second); its version. A second call answers the same."""
        return _call(self._plane.open_tensorflow, options)

    def open_litert(self, options: LiteRtOptions) -> None:
        """Open LiteRT's library. A second call does nothing."""
        _call(self._plane.open_litert, options)

    def load(self, request: LoadRequest) -> LoadReport:
        """Load a version in this thread and warm it up; it is not routed before a publish names it."""
        return _call(self._plane.load, request)

    def validate(self, servable: ServableId, request: ValidateRequest) -> ValidationReport:
        """Ask a loaded version its golden examples, in this thread; it need not be routed."""
        return _call(self._plane.validate, servable, request)

    def capture(self, model: str, options: CaptureOptions) -> Capture:
        """Begin to keep requests of a model with their answers; it ends when it is finished or dropped."""
        return _call(self._plane.capture, model, options)

    def signatures(self, servable: ServableId) -> bytes:
        """Say what a loaded version can be asked: a serialized SignatureDefMap. It need not be routed."""
        return _call(self._plane.signatures, servable)

    def unload(self, servable: ServableId, *, drain_timeout_s: float) -> UnloadReport:
        """Wait for the version's last request, then free it in this thread.

        When the deadline passes first, it is freed later, off every request's thread. It must not be routed
        any more; another incarnation of its number may be.
        """
        return _call(self._plane.unload, servable, drain_timeout_s)

    def publish(self, update: RouteUpdate) -> None:
        """Swap the route table, or refuse the whole update and leave the present one."""
        _call(self._plane.publish, update)

    def serve(self) -> BoundAddresses:
        """Open the doors."""
        return _call(self._plane.serve)

    def renew_tls(self, *, grpc: TlsOptions | None, rest: TlsOptions | None) -> None:
        """Use other certificates from the next handshake on: all of these, or none when one cannot be used.

        None leaves that door's as they are.
        """
        _call(self._plane.renew_tls, grpc, rest)

    def set_healthy(self, *, healthy: bool) -> None:
        """Say what the overall health service answers while the doors are open."""
        _call(self._plane.set_healthy, healthy)

    def stop(self, *, drain_timeout_s: float) -> int:
        """Close the doors, wait for the requests in flight, end the request logs; how many were left."""
        return _call(self._plane.stop, drain_timeout_s)

    def next_request_log_report(self, *, timeout_s: float) -> RequestLogReport | None:
        """Wait for what an operator should know of the request logs; none when the time passes first."""
        return _call(self._plane.next_request_log_report, timeout_s)

    def statistics(self) -> Statistics:
        """Take one snapshot of what is counted."""
        return _call(self._plane.statistics)

    def trial_statistics(self) -> list[TrialStatistics]:
        """What is counted of every trial that is under way, now."""
        return _call(self._plane.trial_statistics)

    def find_predictions(self, model: str, request_ids: Sequence[str]) -> list[Prediction]:
        """Say what is known of requests, in their order; NOT_FOUND of a model without a trial."""
        return _call(self._plane.find_predictions, model, request_ids)

    def tell_truths(self, model: str, truths: Sequence[ToldTruth]) -> list[str]:
        """Count truths, each request's once; what was known of each request before, in their order."""
        return _call(self._plane.tell_truths, model, truths)

    def serving_counters(self) -> dict[str, int]:
        """Counters of TensorFlow Serving's names, each over all its labels."""
        return _call(self._plane.serving_counters)

    def next_admin(self, method: str, *, timeout_s: float) -> AdminRequest | None:
        """Wait for the next request of this method; none when the time passes first."""
        return _call(self._plane.next_admin, method, timeout_s)

    def answer_admin(self, ticket: int, *, payload: bytes) -> bool:
        """Answer one; whether somebody still waited for it."""
        return _call(self._plane.answer_admin, ticket, Code.OK, "", payload)

    def refuse_admin(self, ticket: int, *, code: Code, message: str) -> bool:
        """Answer one with an error; whether somebody still waited for it."""
        return _call(self._plane.answer_admin, ticket, code, message, b"")


def litert_signatures(path: str) -> bytes:
    """Say what the model.tflite in a directory can be asked: a serialized SignatureDefMap. Needs no LiteRT.

    Raises:
        DataPlaneError: it is not there, or is damaged.
    """
    return _call(_native.litert_signatures, path)


def _call(function: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
    try:
        return function(*args, **kwargs)
    except _native.NativeError as error:
        code, message = error.args
        raise DataPlaneError(Code(code), message) from None
