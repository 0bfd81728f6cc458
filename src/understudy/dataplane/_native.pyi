"""The extension's face. Checked against the compiled module by mypy's stubtest."""

from collections.abc import Sequence
from typing import final

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
from understudy.routing import RouteUpdate
from understudy.servable import ServableId

__all__ = [
    "AdminRequest",
    "ArmStatistics",
    "BatchStatistics",
    "BoundAddresses",
    "Capture",
    "CountStatistics",
    "DataPlane",
    "DifferenceSample",
    "EpochStatistics",
    "LoadReport",
    "MethodStatistics",
    "NativeError",
    "OutputDifferences",
    "OutputStatistics",
    "Prediction",
    "PredictionStatistics",
    "ProfileStatistics",
    "RecordReader",
    "RequestLogReport",
    "RequestLogStatistics",
    "ServableStatistics",
    "ShadowFailure",
    "ShadowStatistics",
    "Statistics",
    "TrialStatistics",
    "TruthStatistics",
    "UnloadReport",
    "ValidationReport",
    "difference_bounds",
    "file_descriptor_set",
    "frame_record",
    "litert_signatures",
]

class NativeError(Exception):
    """What the data plane refused; `args` is (canonical code, message)."""

@final
class LoadReport:
    """What a load found and did."""

    @property
    def signature_names(self) -> list[str]: ...
    @property
    def warmup_records(self) -> int:
        """Recorded requests that were run; 0 when the version brings none, or they were left alone."""
    @property
    def warmup_duration_s(self) -> float: ...

@final
class UnloadReport:
    """How an unload went."""

    @property
    def requests_left(self) -> int: ...

@final
class ValidationReport:
    """What a version made of its golden examples."""

    @property
    def examples(self) -> int:
        """How many there are; 0 when it brings none."""
    @property
    def mismatched(self) -> int:
        """How many it does not reproduce."""
    @property
    def worst(self) -> list[tuple[str, str]]:
        """Of those the five worst, worst first: which, and how the answer differs."""
    @property
    def latencies_s(self) -> list[float]:
        """How long each took that was answered, in their order; each had been run before."""
    @property
    def slowest(self) -> str:
        """Which took longest; empty when none was answered."""

@final
class Capture:
    """Requests of a model that are kept with their answers, until this is finished or gone."""

    @property
    def records(self) -> int:
        """How many there are; 0 once it is finished."""
    @property
    def seen(self) -> int:
        """How many requests could have been kept."""
    @property
    def too_long(self) -> int:
        """How many were too long for what was left of the 64 MiB that a capture may have."""
    def finish(self) -> bytes:
        """Ends it: the records as a TFRecord file; empty when it was finished before."""

@final
class BoundAddresses:
    """Where the doors listen; none where one was not asked for."""

    @property
    def grpc(self) -> str | None: ...
    @property
    def rest(self) -> str | None: ...

@final
class MethodStatistics:
    """Counts and latencies of one method of one version since it was loaded.

    Rows of unloaded versions are kept for a while (the last 256 of them), so that no count is lost between
    two snapshots.
    """

    @property
    def model(self) -> str:
        """Empty for all requests together that named a model that is not routed: clients cannot make rows."""
    @property
    def version(self) -> int | None:
        """None for requests that reached no version, because it does not exist or is not ready."""
    @property
    def signature(self) -> str:
        """Empty for requests that reached no signature."""
    @property
    def method(self) -> str:
        """`predict` for example, and the door: `grpc` or `rest`, as in `predict:grpc`."""
    @property
    def counts_by_code(self) -> list[int]:
        """Answers by canonical code; 17 numbers. A request whose caller went away is CANCELLED."""
    @property
    def latency_sum_s(self) -> float:
        """Of the answers that were OK, like the other latencies."""
    @property
    def latency_quantiles_s(self) -> list[tuple[float, float]]:
        """Pairs (quantile, seconds) for 0.5, 0.9, 0.99, 0.999; empty when nothing was measured."""
    def latency_counts(self, bounds_s: Sequence[float]) -> list[int]:
        """How many OK answers took at most as long as each of these bounds, to within 3 %."""

@final
class BatchStatistics:
    """The batches of one version since it was loaded."""

    @property
    def counts_by_rows(self) -> list[tuple[int, int]]:
        """Pairs (rows, batches of so many rows or fewer) for the powers of two; the last counts all."""
    @property
    def rows(self) -> int:
        """Of requests, in all batches together."""
    @property
    def filled_rows(self) -> int:
        """Rows that batches were filled up with."""
    @property
    def queue_counts_s(self) -> list[tuple[float, int]]:
        """Pairs (seconds, requests that waited less for their batch); the last is infinite and counts all."""
    @property
    def queue_sum_s(self) -> float:
        """What all of them waited together."""

@final
class ServableStatistics:
    """One loaded version."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def incarnation(self) -> int:
        """Tells it from others that are loaded under the same number."""
    @property
    def in_flight(self) -> int:
        """Requests that hold it."""
    @property
    def runs_inline(self) -> int:
        """Runs in an I/O thread, because they are measured to be short."""
    @property
    def runs_pooled(self) -> int:
        """Runs in a run thread; a batch is one."""
    @property
    def batches(self) -> BatchStatistics | None:
        """None when its requests are not batched."""

@final
class Statistics:
    """One snapshot."""

    @property
    def methods(self) -> list[MethodStatistics]: ...
    @property
    def servables(self) -> list[ServableStatistics]: ...
    @property
    def in_flight(self) -> int:
        """Requests being answered."""
    @property
    def run_threads(self) -> int:
        """Run threads in use, runs whose caller has given up included."""
    @property
    def unloaded_late(self) -> int:
        """Versions that were unloaded but whose last request still runs: their memory is not free yet."""
    @property
    def panics(self) -> int:
        """Jobs that panicked; not 0 means a bug."""
    @property
    def grpc_connections(self) -> int:
        """Open ones, by TCP and UNIX socket together."""
    @property
    def rest_connections(self) -> int:
        """Open ones."""
    @property
    def buffered_bytes(self) -> int:
        """Of request bodies that are held."""
    @property
    def refused_overload(self) -> int:
        """Requests refused because something was full."""

    @property
    def request_logs(self) -> list[RequestLogStatistics]:
        """Of models whose requests are logged, or were."""

@final
class RequestLogStatistics:
    """What became of the records of one model."""

    @property
    def model(self) -> str: ...
    @property
    def written(self) -> int:
        """They are in a file."""
    @property
    def dropped(self) -> int:
        """Too much waited for the disk, or they were too long."""
    @property
    def failed(self) -> int:
        """They could not be written."""

@final
class DifferenceSample:
    """One request whose answers differ in the shadow."""

    @property
    def request_id(self) -> str: ...
    @property
    def key_hash(self) -> int | None:
        """Of its routing key; none: it brought none."""
    @property
    def element(self) -> int | None:
        """The one that differs most; none where type or shape differ."""
    @property
    def baseline(self) -> str: ...
    @property
    def candidate(self) -> str: ...
    @property
    def severity(self) -> float:
        """Floats in tolerances, integers as they are, strings by how many."""
    @property
    def inputs(self) -> str:
        """A little of what was asked."""

@final
class OutputDifferences:
    """What came of one output in the shadow."""

    @property
    def signature(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def compared(self) -> int: ...
    @property
    def disagreed(self) -> int:
        """Beyond the tolerance, or of another type or shape."""
    @property
    def unlike(self) -> int:
        """Of another type or shape."""
    @property
    def top_1_compared(self) -> int:
        """Requests in which it was an output of scores."""
    @property
    def top_1_disagreed(self) -> int:
        """Of those, in which some row's highest score was elsewhere."""
    @property
    def largest_absolute(self) -> float: ...
    @property
    def largest_relative(self) -> float: ...
    @property
    def absolute_counts(self) -> list[int]:
        """Requests by the size of their largest difference, as `difference_bounds` says."""
    @property
    def relative_counts(self) -> list[int]:
        """The same, beside the baseline's number."""
    @property
    def worst(self) -> list[DifferenceSample]:
        """The worst first."""

@final
class ShadowFailure:
    """One request that failed on the candidate alone."""

    @property
    def request_id(self) -> str: ...
    @property
    def key_hash(self) -> int | None:
        """Of its routing key; none: it brought none."""
    @property
    def code(self) -> int: ...
    @property
    def message(self) -> str: ...
    @property
    def inputs(self) -> str:
        """A little of what was asked."""

@final
class ShadowStatistics:
    """What came of the shadow traffic of one trial."""

    @property
    def trial(self) -> str: ...
    @property
    def mirrored(self) -> int:
        """Requests drawn."""
    @property
    def shed(self) -> list[tuple[str, int]]:
        """Dropped before the candidate was asked, by why; reasons that came up."""
    @property
    def incomparable(self) -> list[tuple[str, int]]:
        """Which the candidate could not be asked, by why; reasons that came up."""
    @property
    def compared(self) -> int:
        """Run on both."""
    @property
    def disagreed(self) -> int:
        """Of those, whose outputs differ."""
    @property
    def only_candidate(self) -> list[tuple[str, int]]:
        """Bad on the candidate alone, by kind."""
    @property
    def only_baseline(self) -> list[tuple[str, int]]:
        """Bad on the baseline alone, by kind."""
    @property
    def overdue(self) -> int:
        """Runs that hang."""
    @property
    def overdue_ever(self) -> int:
        """Those that ended since included."""
    @property
    def run_quantiles_s(self) -> list[tuple[float, float]]:
        """Shares of runs, and the seconds within which so many ended."""
    @property
    def outputs(self) -> list[OutputDifferences]:
        """By signature and output."""
    @property
    def failures(self) -> list[ShadowFailure]:
        """The last that failed on the candidate alone."""

@final
class RequestLogReport:
    """What happened to a model's request log."""

    @property
    def model(self) -> str: ...
    @property
    def failure(self) -> str | None:
        """Why records cannot be written; none: they can again."""
    @property
    def records_lost(self) -> int:
        """While they could not."""

@final
class CountStatistics:
    """How often one thing was, in the units in which things are judged."""

    @property
    def events(self) -> int: ...
    @property
    def keys(self) -> int: ...
    @property
    def keyless(self) -> int: ...

@final
class ArmStatistics:
    """One version's part of one epoch; `understudy.evidence.ArmCounts` says what is counted."""

    @property
    def assigned(self) -> CountStatistics: ...
    @property
    def requests(self) -> CountStatistics: ...
    @property
    def callers_mistakes(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def fallbacks(self) -> int: ...
    @property
    def errors(self) -> CountStatistics: ...
    @property
    def invalid_outputs(self) -> CountStatistics: ...
    @property
    def slow(self) -> list[tuple[str, CountStatistics]]:
        """By the name of the threshold."""
    @property
    def truths(self) -> CountStatistics: ...
    @property
    def wrong(self) -> CountStatistics: ...
    @property
    def scores(self) -> dict[str, tuple[int, float, float]]:
        """By measure: count, sum, sum of squares."""
    @property
    def counts_by_code(self) -> list[int]:
        """Answers by canonical code; 17 numbers."""

@final
class EpochStatistics:
    """One epoch of a trial."""

    @property
    def epoch(self) -> int: ...
    @property
    def weight(self) -> int:
        """The candidate's share of traffic, in hundredths of a per cent."""
    @property
    def baseline(self) -> ArmStatistics: ...
    @property
    def candidate(self) -> ArmStatistics: ...

@final
class OutputStatistics:
    """What one output of one version looks like."""

    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def not_finite(self) -> int: ...
    @property
    def mean(self) -> float | None: ...
    @property
    def quantiles(self) -> list[tuple[float, float]]: ...
    @property
    def classes(self) -> list[tuple[int | bytes, int]]: ...
    @property
    def other_classes(self) -> int: ...

@final
class ProfileStatistics:
    """One version's part of a trial, all epochs together: what is for people."""

    @property
    def requests(self) -> int: ...
    @property
    def latency_quantiles_s(self) -> list[tuple[float, float]]:
        """Pairs (quantile, seconds); empty when nothing was measured."""
    @property
    def counts_by_code(self) -> list[int]: ...
    @property
    def outputs(self) -> list[OutputStatistics]: ...

@final
class PredictionStatistics:
    """Predictions that wait for their truth, and what became of others."""

    @property
    def kept(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def forgotten(self) -> int: ...
    @property
    def replaced(self) -> int: ...
    @property
    def left_out(self) -> int: ...
    @property
    def unfit(self) -> int: ...

@final
class TruthStatistics:
    """What became of truths that were told."""

    @property
    def counted(self) -> int: ...
    @property
    def again(self) -> int: ...
    @property
    def late(self) -> int: ...
    @property
    def left_out(self) -> int: ...
    @property
    def unknown(self) -> int: ...

@final
class TrialStatistics:
    """One trial."""

    @property
    def model(self) -> str: ...
    @property
    def trial(self) -> str: ...
    @property
    def epochs(self) -> list[EpochStatistics]: ...
    @property
    def baseline(self) -> ProfileStatistics: ...
    @property
    def candidate(self) -> ProfileStatistics: ...
    @property
    def predictions(self) -> PredictionStatistics: ...
    @property
    def truths(self) -> TruthStatistics: ...
    @property
    def key_share(self) -> float:
        """Which share of routing keys is counted, at the least."""
    @property
    def shadow(self) -> ShadowStatistics: ...

@final
class Prediction:
    """What is known of a request, and what was predicted, where its truth is awaited."""

    @property
    def state(self) -> str:
        """`kept`, `judged`, `late`, `left_out` or `unknown`."""
    @property
    def version(self) -> int | None: ...
    @property
    def shape(self) -> list[int]: ...
    @property
    def values(self) -> list[float] | list[int] | list[bytes]: ...
    @property
    def labels(self) -> list[bytes]:
        """Of a classification, what its scores' places are called."""

@final
class RecordReader:
    """The records of one TFRecord file, one after the other.

    Raises NativeError: NOT_FOUND, PERMISSION_DENIED or UNKNOWN when the file cannot be read.
    """

    def __new__(cls, path: str) -> RecordReader: ...
    def next(self) -> bytes | None:
        """The next record's data; none at the file's end.

        DATA_LOSS where no whole record follows; there is nothing more to read then.
        """

@final
class AdminRequest:
    """A request that Python must answer: `HandleReloadConfigRequest` or `GetMetricsPage`."""

    @property
    def ticket(self) -> int: ...
    @property
    def method(self) -> str:
        """`HandleReloadConfigRequest`, for example."""
    @property
    def payload(self) -> bytes:
        """The serialized request message."""
    @property
    def timeout_s(self) -> float | None:
        """What is left of the caller's deadline."""

@final
class DataPlane:
    """Everything that a request passes. Every method may be called from any thread and releases the GIL.

    Each raises NativeError. Durations are seconds; a negative one is refused, `math.inf` is without end.
    """

    def __new__(cls, options: DataPlaneOptions) -> DataPlane: ...
    def open_tensorflow(self, options: TensorFlowOptions) -> str:
        """Opens the libraries (half a second); the runtime's version. A second call answers the same."""
    def open_litert(self, options: LiteRtOptions) -> None:
        """Opens the library of LiteRT. A second call does nothing."""
    def load(self, request: LoadRequest) -> LoadReport:
        """Loads a version in this thread and warms it up; it is not routed before a publish names it.

        FAILED_PRECONDITION while the same version is loaded, being loaded or being unloaded.
        """
    def validate(self, servable: ServableId, request: ValidateRequest) -> ValidationReport:
        """Asks a loaded version its golden examples, in this thread; it need not be routed.

        NOT_FOUND when it is not loaded, ABORTED when it is unloaded meanwhile, DEADLINE_EXCEEDED when the
        time is up; DATA_LOSS or INVALID_ARGUMENT when a file of examples is none, or holds too many.
        """
    def capture(self, model: str, options: CaptureOptions) -> Capture:
        """Begins to keep requests of a model with their answers.

        NOT_FOUND for a model that is not routed, FAILED_PRECONDITION while it is captured already,
        INVALID_ARGUMENT for none or too many records.
        """
    def signatures(self, servable: ServableId) -> bytes:
        """What a loaded version can be asked, as a serialized SignatureDefMap; NOT_FOUND when it is not."""
    def unload(self, servable: ServableId, drain_timeout_s: float) -> UnloadReport:
        """Waits for the version's last request, then frees it in this thread.

        When the deadline passes first, it is freed later, off every request's thread. FAILED_PRECONDITION
        while it is still routed.
        """
    def publish(self, update: RouteUpdate) -> None:
        """Swaps the route table, or refuses the whole update with FAILED_PRECONDITION: nothing changed.

        Refused are: a generation that does not grow, a version that is not loaded, a default that is not
        ready, anything that appears twice.
        """
    def serve(self) -> BoundAddresses:
        """Opens the doors."""
    def renew_tls(self, grpc: TlsOptions | None, rest: TlsOptions | None) -> None:
        """Uses other certificates from the next handshake on; none: that door's stay.

        INVALID_ARGUMENT when one cannot be used, and then nothing changed; FAILED_PRECONDITION for a door
        without TLS.
        """
    def set_healthy(self, healthy: bool) -> None:
        """What the overall health service answers while the doors are open."""
    def stop(self, drain_timeout_s: float) -> int:
        """Closes the doors to new requests, waits for those in flight; how many were left.

        Then what waits for request logs is written, and their files are ended; that takes 5 s at most.
        """
    def next_request_log_report(self, timeout_s: float) -> RequestLogReport | None:
        """What an operator should know of the request logs next; none when the time passes first."""
    def statistics(self) -> Statistics:
        """What is counted, now."""
    def trial_statistics(self) -> list[TrialStatistics]:
        """What is counted of every trial that is under way, now."""
    def find_predictions(self, model: str, request_ids: Sequence[str]) -> list[Prediction]:
        """What is known of these requests of a model, in their order.

        NOT_FOUND of a model without a trial.
        """
    def tell_truths(self, model: str, truths: Sequence[ToldTruth]) -> list[str]:
        """Counts truths of a model's predictions, each once; what was known of each request before.

        Each is `kept` (it counts), `judged`, `late`, `left_out` or `unknown`. NOT_FOUND of a model without a
        trial.
        """
    def serving_counters(self) -> dict[str, int]:
        """Counters of TensorFlow Serving's names, each over all its labels."""
    def next_admin(self, method: str, timeout_s: float) -> AdminRequest | None:
        """The next request of this method, which Python must answer; none when the time passes first."""
    def answer_admin(self, ticket: int, code: int, message: str, payload: bytes) -> bool:
        """Answers one, with `payload` when `code` is 0; whether somebody still waited for it."""

def litert_signatures(path: str) -> bytes:
    """What the model.tflite in this folder can be asked, as a serialized SignatureDefMap; needs no LiteRT."""

def difference_bounds() -> list[float]:
    """By these sizes requests are counted whose answers differ in the shadow: none, up to each, and more."""

def file_descriptor_set() -> bytes:
    """The serialized `google.protobuf.FileDescriptorSet` of every message that the server speaks."""

def frame_record(data: bytes) -> bytes:
    """These data as one record of a TFRecord file."""
