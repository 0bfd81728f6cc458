"""Everything that the operators' API can be asked: paths, methods, questions, answers, refusals."""

from dataclasses import dataclass
from typing import Final

from understudy.admin.golden import NewGolden
from understudy.admin.operator import (
    ChangeView,
    ConfigView,
    HistoryView,
    NewConfig,
    NewLabel,
    RetryView,
    Rollback,
)
from understudy.admin.rollouts import (
    NewAbort,
    NewFeedback,
    NewQuarantine,
    NewRollout,
    NewTurn,
    NewWeights,
    QuarantineView,
    RolloutHistoryView,
    RolloutsView,
    RolloutView,
    StoryView,
    TrafficView,
    Turn,
)
from understudy.admin.view import ModelsView, ModelView, ServerView, WhyView
from understudy.quality.desk import FeedbackView

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        method: of HTTP, in small letters.
        path: with its parameters in braces.
        summary: what it is for.
        answer: a class of ours, or a schema; none: a page in Prometheus' text format.
        body: what it takes; none: nothing.
        refusals: other statuses, and what they mean.
        query: names of query parameters.
    """

    method: str
    path: str
    summary: str
    answer: "type | dict[str, JsonValue] | None"
    body: type | None = None
    refusals: tuple[tuple[int, str], ...] = ()
    query: tuple[str, ...] = ()


_STATUS: Final[dict[str, JsonValue]] = {
    "type": "object",
    "properties": {"status": {"type": "string"}},
    "required": ["status"],
}
_NO_MODEL = ((404, "There is no such model"),)
_NOT_HERE = ((403, "Not from a program of this machine"), (415, "Not JSON"))
_REFUSED = (
    (400, "The text cannot be taken"),
    *_NOT_HERE,
    (409, "Another revision is in force"),
    (504, "The control loop does not answer"),
    (507, "It cannot be recorded: no space"),
)
_LABEL = "/v1/models/{name}/labels/{label}"
_NO_LABEL = (*_REFUSED, (404, "There is no such model, or no such label"))

_ROLLOUT = "/v1/models/{name}/rollout"
_SPLIT = "/v1/models/{name}/traffic"
_QUARANTINE = "/v1/models/{name}/versions/{version}/quarantine"
_ORDER_REFUSED = (
    (400, "What is asked cannot be taken"),
    *_NOT_HERE,
    (404, "There is no such model, or no rollout of it"),
    (409, "It cannot be done now; the answer says why"),
    (504, "The control loop does not answer"),
    (507, "It cannot be recorded: no space"),
)
_BY = ("by",)

_READING_ROLLOUTS: Final = (
    Operation(
        "get", "/v1/rollouts", "Rollouts under way, and the last that ended", RolloutsView, query=("limit",)
    ),
    Operation(
        "get",
        "/v1/rollouts/{rollout}",
        "One rollout with all its decisions",
        StoryView,
        refusals=((404, "It is not on record"),),
    ),
    Operation(
        "get", _ROLLOUT, "A model's rollout under way, or its last one", RolloutView, refusals=_NO_MODEL
    ),
    Operation(
        "get",
        "/v1/models/{name}/rollouts",
        "A model's rollouts",
        RolloutHistoryView,
        refusals=_NO_MODEL,
        query=("limit",),
    ),
)
_TURNS: Final = {
    Turn.PAUSE: "Stays at the present weight",
    Turn.RESUME: "Goes on after a pause",
    Turn.APPROVE: "Goes on from a step that needs approval",
    Turn.PROMOTE: "Promotes now, whatever the evidence says",
    Turn.UNDO: "Takes a promotion back",
}
_ORDERS: Final = (
    Operation("post", _ROLLOUT, "Rolls a version out", RolloutView, NewRollout, _ORDER_REFUSED),
    *(
        Operation("post", f"{_ROLLOUT}/{turn.value}", what, RolloutView, NewTurn, _ORDER_REFUSED)
        for turn, what in _TURNS.items()
    ),
    Operation(
        "post",
        "/v1/models/{name}/feedback",
        "Takes truths about predictions",
        FeedbackView,
        NewFeedback,
        _ORDER_REFUSED,
    ),
    Operation("post", f"{_ROLLOUT}/abort", "Rolls back now", RolloutView, NewAbort, _ORDER_REFUSED),
)
_TRAFFIC: Final = (
    Operation("get", _SPLIT, "Who answers a model's requests", TrafficView, refusals=_NO_MODEL),
    Operation("put", _SPLIT, "Splits traffic by hand", TrafficView, NewWeights, _ORDER_REFUSED),
    Operation(
        "delete", _SPLIT, "Lets the default version answer", TrafficView, None, _ORDER_REFUSED, query=_BY
    ),
    Operation(
        "get", "/v1/models/{name}/quarantine", "Quarantined versions", QuarantineView, refusals=_NO_MODEL
    ),
    Operation("post", _QUARANTINE, "Quarantines a version", TrafficView, NewQuarantine, _ORDER_REFUSED),
    Operation("delete", _QUARANTINE, "Releases a version", TrafficView, None, _ORDER_REFUSED, query=_BY),
)

TFRECORD: Final[dict[str, JsonValue]] = {"type": "string", "format": "binary"}
"""A file of PredictionLog messages."""
_GOLDEN: Final = Operation(
    "post",
    "/v1/models/{name}/golden",
    "Keeps requests with their answers, as golden examples of the next version",
    TFRECORD,
    NewGolden,
    (
        (400, "What is asked cannot be taken"),
        *_NOT_HERE,
        (404, "There is no such model, or no such version answers"),
        (409, "They are being recorded already"),
    ),
)

OPERATIONS: Final = (
    _GOLDEN,
    Operation("get", "/v1/status", "The server and all its models", ServerView),
    Operation("get", "/v1/models", "All models, a line each", ModelsView),
    Operation("get", "/v1/models/{name}", "One model", ModelView, refusals=_NO_MODEL),
    Operation("get", "/v1/models/{name}/why", "Why a model is as it is", WhyView, refusals=_NO_MODEL),
    Operation("put", _LABEL, "Lets a label lead to a version", ChangeView, NewLabel, _NO_LABEL),
    Operation("delete", _LABEL, "Takes a label away", ChangeView, None, _NO_LABEL),
    Operation(
        "post",
        "/v1/models/{name}/versions/{version}/retry",
        "Tries to load a version again now",
        RetryView,
        refusals=(*_NOT_HERE, (404, "There is no such version"), (409, "There is nothing to try again")),
    ),
    Operation("get", "/v1/config", "The configuration in force", ConfigView),
    Operation("post", "/v1/config", "Puts a configuration in force", ChangeView, NewConfig, _REFUSED),
    Operation("get", "/v1/config/revisions", "The newest revisions", HistoryView, query=("limit",)),
    Operation(
        "get",
        "/v1/config/revisions/{number}",
        "One revision",
        ConfigView,
        refusals=((404, "It is not on record"),),
    ),
    Operation(
        "post",
        "/v1/config/rollback",
        "Puts an earlier configuration in force again",
        ChangeView,
        Rollback,
        (*_REFUSED, (404, "It is not on record")),
    ),
    *_READING_ROLLOUTS,
    *_ORDERS,
    *_TRAFFIC,
    Operation("get", "/metrics", "Prometheus metrics", None),
    Operation("get", "/healthz", "Whether the process is alive", _STATUS),
    Operation(
        "get",
        "/readyz",
        "Whether requests are served",
        _STATUS,
        refusals=((503, "Starting, or draining"),),
    ),
)
