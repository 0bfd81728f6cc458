"""The description of the operators' API in OpenAPI 3.1, made from the dataclasses it answers with."""

from functools import cache

import msgspec

from understudy.admin.view import ModelsView, ModelView, ServerView, WhyView

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]

API_VERSION = "1"


@cache
def build_openapi() -> dict[str, JsonValue]:
    """The document."""
    (status, models, model, why), components = msgspec.json.schema_components(
        [ServerView, ModelsView, ModelView, WhyView], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Understudy: operators' API", "version": API_VERSION},
        "paths": {
            "/v1/status": _path("The server and all its models", status),
            "/v1/models": _path("All models, a line each", models),
            "/v1/models/{name}": _path("One model", model, named=True),
            "/v1/models/{name}/why": _path("Why a model is as it is", why, named=True),
            "/metrics": {"get": {"summary": "Prometheus metrics", "responses": {"200": _METRICS}}},
            "/healthz": _path("Whether the process is alive", _STATUS),
            "/readyz": _path("Whether requests are served", _STATUS, unready=True),
        },
        "components": {"schemas": dict(components)},
    }


_STATUS: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"status": {"type": "string"}},
    "required": ["status"],
}
_ERROR: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
_METRICS: dict[str, JsonValue] = {
    "description": "The page, in Prometheus' text format",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


def _path(
    summary: str, schema: dict[str, JsonValue], *, named: bool = False, unready: bool = False
) -> dict[str, JsonValue]:
    responses: dict[str, JsonValue] = {"200": _response("The answer", schema)}
    if named:
        responses["404"] = _response("There is no such model", _ERROR)
    if unready:
        responses["503"] = _response("Starting, or draining", schema)
    operation: dict[str, JsonValue] = {"summary": summary, "responses": responses}
    if named:
        operation["parameters"] = [
            {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
        ]
    return {"get": operation}


def _response(description: str, schema: dict[str, JsonValue]) -> JsonValue:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
