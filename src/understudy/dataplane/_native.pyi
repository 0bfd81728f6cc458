"""The extension's face. Checked against the compiled module by mypy's stubtest."""

from typing import final

from understudy.dataplane.options import DataPlaneOptions, LoadRequest, TensorFlowOptions
from understudy.routing import RouteUpdate

class NativeError(Exception):
    """What the data plane refused; `args` is (canonical code, message)."""

@final
class LoadReport:
    """What a load found."""

    @property
    def signature_names(self) -> list[str]: ...

@final
class UnloadReport:
    """How an unload went."""

    @property
    def requests_left(self) -> int: ...

@final
class BoundAddresses:
    """Where the doors listen; none where one was not asked for."""

    @property
    def grpc(self) -> str | None: ...
    @property
    def rest(self) -> str | None: ...

@final
class MethodStatistics:
    """Counts and latencies of one method of one version since it was loaded."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def signature(self) -> str: ...
    @property
    def method(self) -> str:
        """`predict` for example, and the door: `grpc` or `rest`, as in `predict:grpc`."""
    @property
    def counts_by_code(self) -> list[int]:
        """Answers by canonical code; 17 numbers."""
    @property
    def latency_sum_s(self) -> float: ...
    @property
    def latency_quantiles_s(self) -> list[tuple[float, float]]:
        """Pairs (quantile, seconds) for 0.5, 0.9, 0.99, 0.999; empty when nothing was measured."""

@final
class ServableStatistics:
    """One loaded version."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def runs_inline(self) -> int:
        """Runs in an I/O thread, because they are measured to be short."""
    @property
    def runs_pooled(self) -> int:
        """Runs in a run thread."""

@final
class Statistics:
    """One snapshot."""

    @property
    def methods(self) -> list[MethodStatistics]: ...
    @property
    def servables(self) -> list[ServableStatistics]: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def connections(self) -> int: ...
    @property
    def buffered_bytes(self) -> int: ...
    @property
    def refused_overload(self) -> int: ...

@final
class AdminRequest:
    """A request that Python must answer, such as HandleReloadConfigRequest."""

    @property
    def ticket(self) -> int: ...
    @property
    def method(self) -> str:
        """`HandleReloadConfigRequest`."""
    @property
    def payload(self) -> bytes:
        """The serialized request message."""
    @property
    def timeout_s(self) -> float | None:
        """What is left of the caller's deadline."""

@final
class DataPlane:
    """Everything that a request passes. Every method may be called from any thread and releases the GIL."""

    def __new__(cls, options: DataPlaneOptions) -> DataPlane: ...
    def open_tensorflow(self, options: TensorFlowOptions) -> str:
        """Opens the libraries (half a second); the runtime's version. A second call answers the same."""
    def load(self, request: LoadRequest) -> LoadReport:
        """Loads a version in this thread; it is not routed before a publish names it."""
    def unload(self, name: str, version: int, drain_timeout_s: float) -> UnloadReport:
        """Waits for the version's last request, then frees it in this thread.

        When the deadline passes first, it is freed later, off every request's thread.
        """
    def publish(self, update: RouteUpdate) -> None:
        """Swaps the route table; refused whole when a route names a version that is not loaded."""
    def serve(self) -> BoundAddresses:
        """Opens the doors."""
    def set_healthy(self, healthy: bool) -> None:
        """What the overall health service answers while the doors are open."""
    def stop(self, drain_timeout_s: float) -> int:
        """Closes the doors to new requests, waits for those in flight; how many were left."""
    def statistics(self) -> Statistics: ...
    def next_admin(self, timeout_s: float) -> AdminRequest | None: ...
    def answer_admin(self, ticket: int, code: int, message: str, payload: bytes) -> None: ...

def file_descriptor_set() -> bytes:
    """The serialized `google.protobuf.FileDescriptorSet` of every message that the server speaks."""
