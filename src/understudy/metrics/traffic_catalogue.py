"""The metrics of models' traffic: how it is split, rollouts, quarantine. No values live here."""

from typing import Final

from understudy.metrics.metric import Kind, Metric, Subject

_GAUGE, _COUNTER, _ = Kind
_OF_MODEL: Final = ("model",)

TRAFFIC_SHARE: Final = Metric(
    "understudy_traffic_share_ratio",
    _GAUGE,
    Subject.ROLLOUT,
    ("model", "version"),
    "The version's share of requests that name neither version nor label; absent: traffic is not split",
)
QUARANTINED: Final = Metric(
    "understudy_quarantined_versions",
    _GAUGE,
    Subject.ROLLOUT,
    _OF_MODEL,
    "Versions that must not be served until somebody releases them; absent: none ever was, and no rollout",
)
ROLLOUT_INFO: Final = Metric(
    "understudy_rollout_info",
    _GAUGE,
    Subject.ROLLOUT,
    ("model", "rollout", "baseline", "candidate"),
    "Always 1, for the rollout of the model that is under way; absent, like the rest of it: none is",
)
ROLLOUT_PHASE: Final = Metric(
    "understudy_rollout_phase",
    _GAUGE,
    Subject.ROLLOUT,
    ("model", "phase"),
    "Always 1, for the phase that it is in; the other phases are absent",
)
ROLLOUT_SINCE: Final = Metric(
    "understudy_rollout_since_timestamp_seconds",
    _GAUGE,
    Subject.ROLLOUT,
    _OF_MODEL,
    "When it entered its phase, or its step",
)
ROLLOUT_HELD: Final = Metric(
    "understudy_rollout_held",
    _GAUGE,
    Subject.ROLLOUT,
    ("model", "cause"),
    "Always 1, for the cause that it waits for an operator; absent: it goes on by itself",
)
ROLLOUT_STEP: Final = Metric(
    "understudy_rollout_step",
    _GAUGE,
    Subject.ROLLOUT,
    _OF_MODEL,
    "Which step of its plan it is at, counted from 1; 0: it is not ramping",
)
ROLLOUT_STEPS: Final = Metric(
    "understudy_rollout_steps", _GAUGE, Subject.ROLLOUT, _OF_MODEL, "Steps that its plan has"
)
ROLLOUT_WEIGHT: Final = Metric(
    "understudy_rollout_weight_ratio",
    _GAUGE,
    Subject.ROLLOUT,
    _OF_MODEL,
    "The candidate's share of requests that name neither version nor label",
)
ROLLOUT_CRASHES: Final = Metric(
    "understudy_rollout_crashes",
    _GAUGE,
    Subject.ROLLOUT,
    _OF_MODEL,
    "Sudden ends of the server while its candidate was loaded",
)
ROLLOUT_REQUESTS: Final = Metric(
    "understudy_rollout_requests_total",
    _COUNTER,
    Subject.ROLLOUT,
    ("model", "arm"),
    "Requests that each arm answered, as they count as evidence; begins anew with each rollout",
)
ROLLOUT_BAD: Final = Metric(
    "understudy_rollout_bad_total",
    _COUNTER,
    Subject.ROLLOUT,
    ("model", "arm", "kind"),
    "Of those, what counts against the arm, by kind: errors, invalid_outputs, slow:p99, wrong",
)
ROLLOUT_FALLBACKS: Final = Metric(
    "understudy_rollout_fallbacks_total",
    _COUNTER,
    Subject.ROLLOUT,
    _OF_MODEL,
    "Requests of the candidate that the baseline answered, because the candidate could not",
)
ROLLOUT_SHADOWED: Final = Metric(
    "understudy_rollout_shadowed_total",
    _COUNTER,
    Subject.ROLLOUT,
    ("model", "outcome"),
    "Requests drawn for shadow traffic, by what came of them: agreed, disagreed, shed, incomparable",
)
ROLLOUT_EVIDENCE: Final = Metric(
    "understudy_rollout_evidence",
    _GAUGE,
    Subject.ROLLOUT,
    ("model", "metric", "of"),
    "Natural logarithm of the evidence (e-value) of harm, and of no harm; 0 says nothing yet",
)

TRAFFIC_CATALOGUE: Final[tuple[Metric, ...]] = tuple(
    defined for defined in tuple(globals().values()) if isinstance(defined, Metric)
)
"""All of them, in the order in which they stand here."""
