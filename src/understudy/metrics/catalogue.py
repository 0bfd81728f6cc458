"""Every metric: its name, kind, labels and meaning, and the one list of them. No values live here.

Those of models' traffic stand in traffic_catalogue.py. docs/reference/metrics.md is made from this list.
"""

from typing import Final

from understudy.metrics.metric import Kind, Metric, Subject
from understudy.metrics.traffic_catalogue import TRAFFIC_CATALOGUE

_GAUGE, _COUNTER, _HISTOGRAM = Kind
_OF_MODEL: Final = ("model",)
_OF_VERSION: Final = ("model", "version")

BUILD_INFO: Final = Metric(
    "understudy_build_info",
    _GAUGE,
    Subject.SERVER,
    ("version",),
    "Always 1; the label is the program's version",
)
PHASE: Final = Metric(
    "understudy_phase",
    _GAUGE,
    Subject.SERVER,
    ("phase",),
    "1 for the phase of its life that the server is in, 0 for the others",
)
MODELS_CONFIGURED: Final = Metric(
    "understudy_models_configured", _GAUGE, Subject.SERVER, (), "Models in the configuration in force"
)
CONFIG_REVISION: Final = Metric(
    "understudy_config_revision", _GAUGE, Subject.SERVER, (), "Number of the configuration in force"
)
CONFIG_APPLIED_AT: Final = Metric(
    "understudy_config_applied_timestamp_seconds",
    _GAUGE,
    Subject.SERVER,
    (),
    "When the configuration in force came into force",
)
CONFIG_ORDERS: Final = Metric(
    "understudy_config_orders_total",
    _COUNTER,
    Subject.SERVER,
    ("origin", "result"),
    "Configurations that somebody wanted in force, by who asked and whether they were applied or refused",
)
ROUTE_GENERATION: Final = Metric(
    "understudy_route_generation", _GAUGE, Subject.SERVER, (), "Number of the route table that requests see"
)
LAST_LOOK_AT: Final = Metric(
    "understudy_last_look_timestamp_seconds",
    _GAUGE,
    Subject.SERVER,
    (),
    "When the base paths were last looked into",
)
MEMORY_RESERVED: Final = Metric(
    "understudy_memory_reserved_bytes",
    _GAUGE,
    Subject.SERVER,
    (),
    "Estimates of all versions that hold memory, together",
)
MEMORY_LIMIT: Final = Metric(
    "understudy_memory_limit_bytes",
    _GAUGE,
    Subject.SERVER,
    (),
    "The most that may be reserved; absent: no limit",
)
EVENTS: Final = Metric(
    "understudy_events_total", _COUNTER, Subject.SERVER, ("kind",), "Events of models and versions, by kind"
)
CONTROL_FAILURES: Final = Metric(
    "understudy_control_failures_total",
    _COUNTER,
    Subject.SERVER,
    ("kind",),
    "What must not happen in the control loop (routes_refused, control_stopped); not 0 means a defect",
)
UNLOAD_DURATION: Final = Metric(
    "understudy_unload_duration_seconds",
    _HISTOGRAM,
    Subject.SERVER,
    (),
    "How long unloads took, from the last new request to freed memory: waiting for requests included",
)

DEFAULT_VERSION: Final = Metric(
    "understudy_default_version",
    _GAUGE,
    Subject.MODEL,
    _OF_MODEL,
    "The version that answers requests which name neither version nor label; absent: nobody does",
)
READY_VERSIONS: Final = Metric(
    "understudy_ready_versions", _GAUGE, Subject.MODEL, _OF_MODEL, "Versions that answer requests now"
)
LABEL_VERSION: Final = Metric(
    "understudy_label_version",
    _GAUGE,
    Subject.MODEL,
    ("model", "label"),
    "The version that the label leads to now; before it leads anywhere, the one that is configured",
)
LABEL_TARGET: Final = Metric(
    "understudy_label_target_version",
    _GAUGE,
    Subject.MODEL,
    ("model", "label"),
    "The version that is configured for the label; differs while the label has not moved yet",
)
LABEL_READY: Final = Metric(
    "understudy_label_ready",
    _GAUGE,
    Subject.MODEL,
    ("model", "label"),
    "1 when requests by the label are answered now, else 0",
)
LOOK_FAILING: Final = Metric(
    "understudy_look_failing",
    _GAUGE,
    Subject.MODEL,
    _OF_MODEL,
    "1 when the last look into the base path failed, else 0",
)
LOOK_FAILURES: Final = Metric(
    "understudy_look_failures_total",
    _COUNTER,
    Subject.MODEL,
    _OF_MODEL,
    "Times that looks into the base path began to fail, or to fail in another way",
)
LOAD_ATTEMPTS: Final = Metric(
    "understudy_load_attempts_total", _COUNTER, Subject.MODEL, _OF_MODEL, "Attempts to load a version, begun"
)
LOAD_FAILURES: Final = Metric(
    "understudy_load_failures_total",
    _COUNTER,
    Subject.MODEL,
    ("model", "code"),
    "Attempts to load a version that failed, by canonical code",
)
LOAD_DURATION: Final = Metric(
    "understudy_load_duration_seconds",
    _HISTOGRAM,
    Subject.MODEL,
    ("model", "result"),
    "How long attempts to load took, by whether they loaded or failed; waiting for a turn not included",
)
WARM_UP_RECORDS: Final = Metric(
    "understudy_warm_up_records_total",
    _COUNTER,
    Subject.MODEL,
    _OF_MODEL,
    "Warm-up records that were run while versions loaded",
)
WARM_UP_SECONDS: Final = Metric(
    "understudy_warm_up_seconds_total",
    _COUNTER,
    Subject.MODEL,
    _OF_MODEL,
    "Seconds of the load durations that were spent on warm-up records",
)
LOADS_OVERDUE: Final = Metric(
    "understudy_loads_overdue_total",
    _COUNTER,
    Subject.MODEL,
    _OF_MODEL,
    "Attempts to load a version that passed the load deadline; they may still end",
)
REQUESTS_LEFT: Final = Metric(
    "understudy_drain_requests_left_total",
    _COUNTER,
    Subject.MODEL,
    _OF_MODEL,
    "Requests that still held their version when its drain deadline passed",
)

VERSION_STATE: Final = Metric(
    "understudy_version_state",
    _GAUGE,
    Subject.VERSION,
    ("model", "version", "state"),
    "Always 1, for the state that the version is in; the other states are absent",
)
VERSION_SINCE: Final = Metric(
    "understudy_version_state_since_timestamp_seconds",
    _GAUGE,
    Subject.VERSION,
    _OF_VERSION,
    "When the version entered its state",
)
VERSION_ASPIRED: Final = Metric(
    "understudy_version_aspired",
    _GAUGE,
    Subject.VERSION,
    _OF_VERSION,
    "1 when the version should be loaded now, 0 when it is on its way out",
)
VERSION_ATTEMPTS: Final = Metric(
    "understudy_version_load_attempts",
    _GAUGE,
    Subject.VERSION,
    _OF_VERSION,
    "Attempts to load it since it was last new",
)
VERSION_NEXT_ATTEMPT_AT: Final = Metric(
    "understudy_version_next_attempt_timestamp_seconds",
    _GAUGE,
    Subject.VERSION,
    _OF_VERSION,
    "When the next attempt begins; absent unless the version is retrying",
)
VERSION_ESTIMATE: Final = Metric(
    "understudy_version_memory_estimate_bytes",
    _GAUGE,
    Subject.VERSION,
    _OF_VERSION,
    "Memory that it is expected to need; absent: not known",
)
VERSION_GROWTH: Final = Metric(
    "understudy_version_memory_growth_bytes",
    _GAUGE,
    Subject.VERSION,
    _OF_VERSION,
    "By how much the process grew during its last load; absent: not measured, as other loads ran meanwhile",
)
VERSION_FILES_CHANGED: Final = Metric(
    "understudy_version_files_changed",
    _GAUGE,
    Subject.VERSION,
    _OF_VERSION,
    "1 when its files are no longer those that it was loaded from, else 0",
)
VERSION_IN_FLIGHT: Final = Metric(
    "understudy_version_requests_in_flight",
    _GAUGE,
    Subject.VERSION,
    _OF_VERSION,
    "Requests that hold the version now",
)
VERSION_RUNS: Final = Metric(
    "understudy_version_runs_total",
    _COUNTER,
    Subject.VERSION,
    ("model", "version", "place"),
    "Runs of the model, by place: inline in an I/O thread, or pooled in a run thread",
)

BATCH_ROWS: Final = Metric(
    "understudy_batch_rows",
    _HISTOGRAM,
    Subject.VERSION,
    _OF_VERSION,
    "Rows of requests in each batch; absent for a version that is not batched, like the other two",
)
BATCH_FILLED_ROWS: Final = Metric(
    "understudy_batch_filled_rows_total",
    _COUNTER,
    Subject.VERSION,
    _OF_VERSION,
    "Rows that batches were filled up with to reach an allowed size",
)
BATCH_QUEUE_TIME: Final = Metric(
    "understudy_batch_queue_seconds",
    _HISTOGRAM,
    Subject.VERSION,
    _OF_VERSION,
    "How long requests waited for their batch to run",
)

REQUESTS: Final = Metric(
    "understudy_requests_total",
    _COUNTER,
    Subject.REQUESTS,
    ("model", "version", "method", "door", "code"),
    "Answers, by canonical code; without version: it reached none; without model: there is none of the name",
)
REQUEST_DURATION: Final = Metric(
    "understudy_request_duration_seconds",
    _HISTOGRAM,
    Subject.REQUESTS,
    ("model", "version", "method", "door"),
    "How long OK answers took, to within 3 %",
)
IN_FLIGHT: Final = Metric(
    "understudy_requests_in_flight", _GAUGE, Subject.REQUESTS, (), "Requests being answered now"
)
CONNECTIONS: Final = Metric(
    "understudy_connections", _GAUGE, Subject.REQUESTS, ("door",), "Connections of clients that are open"
)
IN_FLIGHT_LIMIT: Final = Metric(
    "understudy_requests_in_flight_limit",
    _GAUGE,
    Subject.REQUESTS,
    (),
    "The most that may be answered at once",
)
CONNECTIONS_LIMIT: Final = Metric(
    "understudy_connections_limit",
    _GAUGE,
    Subject.REQUESTS,
    (),
    "The most that may be open, both doors together",
)
BUFFERED_BYTES: Final = Metric(
    "understudy_buffered_bytes", _GAUGE, Subject.REQUESTS, (), "Bytes of requests and answers that are held"
)
BUFFERED_BYTES_LIMIT: Final = Metric(
    "understudy_buffered_bytes_limit", _GAUGE, Subject.REQUESTS, (), "The most bytes that may be held"
)
OVERLOAD_REFUSALS: Final = Metric(
    "understudy_overload_refusals_total",
    _COUNTER,
    Subject.REQUESTS,
    (),
    "Requests refused because something was full",
)
REQUEST_LOG_RECORDS: Final = Metric(
    "understudy_request_log_records_total",
    _COUNTER,
    Subject.REQUESTS,
    ("model", "outcome"),
    "Requests drawn for a log: written; dropped, as too much waited for the disk; failed, as they could not "
    "be written",
)
RUN_THREADS: Final = Metric(
    "understudy_run_threads",
    _GAUGE,
    Subject.REQUESTS,
    (),
    "Run threads in use, those included whose caller has given up",
)
UNLOADED_LATE: Final = Metric(
    "understudy_versions_unloaded_late",
    _GAUGE,
    Subject.REQUESTS,
    (),
    "Unloaded versions whose last request still runs: their memory is not free yet",
)
PANICS: Final = Metric(
    "understudy_panics_total", _COUNTER, Subject.REQUESTS, (), "Jobs that panicked; not 0 means a defect"
)

CATALOGUE: Final[tuple[Metric, ...]] = (
    *(defined for defined in tuple(globals().values()) if isinstance(defined, Metric)),
    *TRAFFIC_CATALOGUE,
)
"""All of them: those that stand here, in their order, and those of models' traffic."""
