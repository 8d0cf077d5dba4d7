"""Whether a request is one that OpenAI's own types allow; unknown fields at any level are not."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

__all__ = ["CHAT", "RESPONSES", "prepare", "violation"]

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"


def prepare() -> None:
    """Build the checks now (about a second, most of it the import of openai), once per process."""
    for path in (CHAT, RESPONSES):
        for stream in (True, False):
            _validator(path, stream)


def violation(path: str, headers: Mapping[str, str], raw: bytes) -> str | None:
    """What is wrong with a POST, in one line; None where nothing is."""
    content_type = headers.get("content-type", "")
    if content_type.partition(";")[0].strip() != "application/json":
        return f"{path}: content-type is {content_type!r}, expected application/json"
    try:
        body = json.loads(raw)
    except ValueError as error:
        return f"{path}: the body is not JSON: {error}"
    if not isinstance(body, dict):
        return f"{path}: the body is not a JSON object"
    try:
        _validator(path, body.get("stream") is True).validate_json(b"[" + raw + b"]")
    except ValidationError as error:
        return f"{path}: {_summary(error, body)}"
    return None


@functools.cache
def _validator(path: str, stream: bool) -> SchemaValidator:
    """The official type, strict.

    The types say `Iterable`, which pydantic checks lazily, that is never: here they are lists.
    The type is wrapped in a list because only so is the config handed down to all its parts.
    """
    config = ConfigDict(extra="forbid", strict=True)
    checked: Any = list[_official(path, stream)]  # type: ignore[misc]  # known when it runs
    adapter: TypeAdapter[Any] = TypeAdapter(checked, config=config)
    return SchemaValidator(_eager(adapter.core_schema))


def _official(path: str, stream: bool) -> Any:
    if path == CHAT:
        from openai.types.chat import completion_create_params as chat

        return (
            chat.CompletionCreateParamsStreaming
            if stream
            else chat.CompletionCreateParamsNonStreaming
        )
    from openai.types.responses import response_create_params as responses

    return (
        responses.ResponseCreateParamsStreaming
        if stream
        else responses.ResponseCreateParamsNonStreaming
    )


def _eager(schema: Any) -> Any:
    if isinstance(schema, dict):
        changed = {key: _eager(value) for key, value in schema.items()}
        return {**changed, "type": "list"} if changed.get("type") == "generator" else changed
    if isinstance(schema, (list, tuple)):
        return type(schema)(_eager(part) for part in schema)
    return schema


def _summary(error: ValidationError, body: dict[str, Any]) -> str:
    """The faults that most branches of a union agree upon, by their place in the body."""
    faults: Counter[str] = Counter()
    for detail in error.errors(include_url=False, include_context=False):
        place = _place(detail["loc"][1:], body)
        if detail["type"] == "missing":
            place.append(detail["loc"][-1])
        faults[f"{'.'.join(map(str, place))}: {detail['msg']}"] += 1
    return "; ".join(fault for fault, _ in faults.most_common(3))


def _place(loc: tuple[int | str, ...], body: Any) -> list[int | str]:
    """The parts of pydantic's `loc` that are keys of the body; the rest name types of a union."""
    place: list[int | str] = []
    for part in loc:
        in_list = isinstance(body, list) and isinstance(part, int) and part < len(body)
        if in_list or (isinstance(body, dict) and part in body):
            body = body[part]
            place.append(part)
    return place
