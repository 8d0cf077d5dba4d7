"""The OpenAPI description of the API, made of its schema."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .base import ApiHandler
from .schema import (
    Answer,
    BatchQuery,
    BatchReply,
    Failure,
    Health,
    Models,
    Query,
    Readiness,
    SessionDetail,
    SessionList,
)

__all__ = ["OpenApiHandler", "description"]

_REFUSALS = {
    400: "the body is no JSON, or a setting of the request makes no sense",
    401: "the token was not shown",
    403: "a page of another origin may not ask",
    404: "nothing of this name, or it is somebody else's",
    413: "too long or too large",
    415: "not sent as JSON",
    422: "a field is missing, unknown or out of range",
    429: "a limit or a budget is reached; Retry-After tells the seconds",
    500: "a fault of the server",
    503: "the model server cannot be used",
}

_EVENT = {
    "description": "one of the events: text, waiting and restart as they come; then done with an "
    "Answer, or error with a Failure. After restart the text begins anew.",
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["text", "waiting", "restart", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}


def description(url: str) -> dict[str, Any]:
    """The API in OpenAPI 3.1.

    Args:
        url: where it is served.
    """
    kinds = (
        Answer,
        BatchQuery,
        BatchReply,
        Failure,
        Health,
        Models,
        Query,
        Readiness,
        SessionDetail,
        SessionList,
    )
    _, defined = models_json_schema(
        [(kind, "validation") for kind in kinds], ref_template="#/components/schemas/{model}"
    )
    id = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "of a conversation",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "chat_magics", "version": version("chat-magics")},
        "servers": [{"url": url}],
        "security": [{"token": []}, {}],
        "paths": {
            "/healthz": {"get": _open("the server lives", Health)},
            "/readyz": {"get": _open("a prompt can be answered", Readiness, also=(503, Readiness))},
            "/api/models": {"get": _operation("the models that can be asked", Models)},
            "/api/query": {"post": _operation("ask one prompt", Answer, Query, stream=True)},
            "/api/batch-query": {"post": _operation("ask many prompts", BatchReply, BatchQuery)},
            "/api/sessions": {"get": _operation("one's conversations", SessionList)},
            "/api/sessions/{id}": {
                "parameters": [id],
                "get": _operation("what was said in one of them", SessionDetail),
                "delete": _operation("end the pages that show it", None),
            },
        },
        "components": {
            "schemas": defined["$defs"],
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token …`, as the server was given it",
                }
            },
        },
    }


def _content(kind: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def _open(what: str, gives: type[BaseModel], also: Any = None) -> dict[str, Any]:
    answers = {"200": {"description": what, "content": _content(gives)}}
    if also:
        answers[str(also[0])] = {"description": "not now", "content": _content(also[1])}
    return {"summary": what, "security": [{}], "responses": answers}


def _operation(
    what: str,
    gives: type[BaseModel] | None,
    takes: type[BaseModel] | None = None,
    *,
    stream: bool = False,
) -> dict[str, Any]:
    done: dict[str, Any] = {"description": what}
    if gives is not None:
        done["content"] = _content(gives)
    if stream:
        done["content"]["text/event-stream"] = {"schema": _EVENT}
    answers = {"204" if gives is None else "200": done}
    for status, words in _REFUSALS.items():
        answers[str(status)] = {"description": words, "content": _content(Failure)}
    operation: dict[str, Any] = {"summary": what, "responses": answers}
    if takes is not None:
        operation["requestBody"] = {"required": True, "content": _content(takes)}
    return operation


class OpenApiHandler(ApiHandler):
    """`GET /api/openapi.json`: what this API takes and gives."""

    @allow_unauthenticated
    def get(self) -> None:
        self.finish(description(self.entrance.serving.base_url))
