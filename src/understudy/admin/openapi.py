"""The description of the operators' API in OpenAPI 3.1, made from the dataclasses it answers with."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import msgspec

from understudy.admin.operator import (
    ChangeView,
    ConfigView,
    HistoryView,
    NewConfig,
    NewLabel,
    RetryView,
    Rollback,
)
from understudy.admin.view import ModelsView, ModelView, ServerView, WhyView

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]

API_VERSION = "1"


@dataclass(frozen=True, slots=True)
class _Operation:
    """One method of one path.

    Attributes:
        method: of HTTP, in small letters.
        path: with its parameters in braces.
        summary: what it is for.
        answer: a class of ours, or a schema; none: a page in Prometheus' text format.
        body: what it takes; none: nothing.
        refusals: other statuses, and what they mean.
        query: names of query parameters; all are whole numbers.
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
_ERROR: Final[dict[str, JsonValue]] = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string"},
        "line": {"type": ["integer", "null"]},
        "column": {"type": ["integer", "null"]},
    },
    "required": ["error"],
}
_METRICS: Final[dict[str, JsonValue]] = {
    "description": "The page, in Prometheus' text format",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
_NUMBERS: Final = {"number", "version"}
"""Parameters of paths that are whole numbers; the others are names."""

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

_OPERATIONS: Final = (
    _Operation("get", "/v1/status", "The server and all its models", ServerView),
    _Operation("get", "/v1/models", "All models, a line each", ModelsView),
    _Operation("get", "/v1/models/{name}", "One model", ModelView, refusals=_NO_MODEL),
    _Operation("get", "/v1/models/{name}/why", "Why a model is as it is", WhyView, refusals=_NO_MODEL),
    _Operation("put", _LABEL, "Lets a label lead to a version", ChangeView, NewLabel, _NO_LABEL),
    _Operation("delete", _LABEL, "Takes a label away", ChangeView, None, _NO_LABEL),
    _Operation(
        "post",
        "/v1/models/{name}/versions/{version}/retry",
        "Tries to load a version again now",
        RetryView,
        refusals=(*_NOT_HERE, (404, "There is no such version"), (409, "There is nothing to try again")),
    ),
    _Operation("get", "/v1/config", "The configuration in force", ConfigView),
    _Operation("post", "/v1/config", "Puts a configuration in force", ChangeView, NewConfig, _REFUSED),
    _Operation("get", "/v1/config/revisions", "The newest revisions", HistoryView, query=("limit",)),
    _Operation(
        "get",
        "/v1/config/revisions/{number}",
        "One revision",
        ConfigView,
        refusals=((404, "It is not on record"),),
    ),
    _Operation(
        "post",
        "/v1/config/rollback",
        "Puts an earlier configuration in force again",
        ChangeView,
        Rollback,
        (*_REFUSED, (404, "It is not on record")),
    ),
    _Operation("get", "/metrics", "Prometheus metrics", None),
    _Operation("get", "/healthz", "Whether the process is alive", _STATUS),
    _Operation(
        "get",
        "/readyz",
        "Whether requests are served",
        _STATUS,
        refusals=((503, "Starting, or draining"),),
    ),
)


@cache
def build_openapi() -> dict[str, JsonValue]:
    """The document."""
    classes = list(
        dict.fromkeys(
            each
            for operation in _OPERATIONS
            for each in (operation.answer, operation.body)
            if isinstance(each, type)
        )
    )
    schemas, components = msgspec.json.schema_components(classes, ref_template="#/components/schemas/{name}")
    by_class: dict[type, dict[str, JsonValue]] = dict(zip(classes, schemas, strict=True))
    paths: dict[str, JsonValue] = {}
    for operation in _OPERATIONS:
        methods = paths.setdefault(operation.path, {})
        assert isinstance(methods, dict)  # noqa: S101 - made one line above
        methods[operation.method] = _describe(operation, by_class)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Understudy: operators' API", "version": API_VERSION},
        "paths": paths,
        "components": {"schemas": dict(components)},
    }


def _describe(operation: _Operation, by_class: dict[type, dict[str, JsonValue]]) -> dict[str, JsonValue]:
    responses: dict[str, JsonValue] = {"200": _describe_answer(operation, by_class)}
    for status, meaning in operation.refusals:
        responses[str(status)] = _response(meaning, _ERROR)
    described: dict[str, JsonValue] = {"summary": operation.summary, "responses": responses}
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.body is not None:
        content: JsonValue = {"application/json": {"schema": by_class[operation.body]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _describe_answer(operation: _Operation, by_class: dict[type, dict[str, JsonValue]]) -> JsonValue:
    if operation.answer is None:
        return _METRICS
    schema = by_class[operation.answer] if isinstance(operation.answer, type) else operation.answer
    return _response("The answer", schema)


def _parameters(operation: _Operation) -> list[JsonValue]:
    names = [part.partition("}")[0] for part in operation.path.split("{")[1:]]
    in_path: list[JsonValue] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if name in _NUMBERS else "string"},
        }
        for name in names
    ]
    in_query: list[JsonValue] = [
        {"name": name, "in": "query", "schema": {"type": "integer"}} for name in operation.query
    ]
    return in_path + in_query


def _response(description: str, schema: dict[str, JsonValue]) -> JsonValue:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
