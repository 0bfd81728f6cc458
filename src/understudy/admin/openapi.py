"""The description of the operators' API in OpenAPI 3.1, made from the dataclasses it answers with."""

from functools import cache
from typing import Final

import msgspec

from understudy.admin.operations import OPERATIONS, TFRECORD, JsonValue, Operation

API_VERSION = "1"

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
_NUMBERS: Final = {"number", "version", "limit"}
"""Parameters that are whole numbers; the others are names."""


@cache
def build_openapi() -> dict[str, JsonValue]:
    """The document."""
    classes = list(
        dict.fromkeys(
            each
            for operation in OPERATIONS
            for each in (operation.answer, operation.body)
            if isinstance(each, type)
        )
    )
    schemas, components = msgspec.json.schema_components(classes, ref_template="#/components/schemas/{name}")
    by_class: dict[type, dict[str, JsonValue]] = dict(zip(classes, schemas, strict=True))
    paths: dict[str, JsonValue] = {}
    for operation in OPERATIONS:
        methods = paths.setdefault(operation.path, {})
        assert isinstance(methods, dict)  # noqa: S101 - made one line above
        methods[operation.method] = _describe(operation, by_class)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Understudy: operators' API", "version": API_VERSION},
        "paths": paths,
        "components": {"schemas": dict(components)},
    }


def _describe(operation: Operation, by_class: dict[type, dict[str, JsonValue]]) -> dict[str, JsonValue]:
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


def _describe_answer(operation: Operation, by_class: dict[type, dict[str, JsonValue]]) -> JsonValue:
    if operation.answer is None:
        return _METRICS
    if operation.answer is TFRECORD:
        return {
            "description": "A TFRecord file",
            "content": {"application/octet-stream": {"schema": TFRECORD}},
        }
    schema = by_class[operation.answer] if isinstance(operation.answer, type) else operation.answer
    return _response("The answer", schema)


def _parameters(operation: Operation) -> list[JsonValue]:
    names = [part.partition("}")[0] for part in operation.path.split("{")[1:]]
    in_path: list[JsonValue] = [
        {"name": name, "in": "path", "required": True, "schema": _schema(name)} for name in names
    ]
    in_query: list[JsonValue] = [
        {"name": name, "in": "query", "schema": _schema(name)} for name in operation.query
    ]
    return in_path + in_query


def _schema(name: str) -> JsonValue:
    return {"type": "integer" if name in _NUMBERS else "string"}


def _response(description: str, schema: dict[str, JsonValue]) -> JsonValue:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
