"""A Reply in the shapes of OpenAI's two APIs: as a stream's events and as one JSON body."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.chat_server_answers import Reply, Request, words
from tests.chat_server_check import RESPONSES

__all__ = ["Parts", "error_body", "streamed", "whole"]

CREATED = 1_763_769_600

CODES = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


@dataclass(frozen=True)
class Parts:
    """The events of a stream: those before the text, one per piece, those after."""

    opening: Sequence[str]
    pieces: Sequence[str]
    closing: Sequence[str]


def error_body(status: int, message: str = "", param: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    kind, code = CODES.get(status, ("server_error", "server_error"))
    message = message or f"The test server answers {status}."
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def streamed(reply: Reply, request: Request) -> Parts:
    """The reply as server-sent events for the API that was asked."""
    if request.path == RESPONSES:
        return _responses_stream(reply, request)
    return _chat_stream(reply, request)


def whole(reply: Reply, request: Request) -> dict[str, Any]:
    """The reply as one JSON body for the API that was asked."""
    text, finish = reply.whole, reply.finish_reason
    if reply.end_after is not None:
        text, finish = "".join(reply.pieces[: reply.end_after]), None
    if request.path == RESPONSES:
        return _response(reply, request, text, "completed" if finish == "stop" else "incomplete")
    message = {"role": "assistant", "content": text, "refusal": None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    body = {**_head(reply, request), "object": "chat.completion", "choices": [choice]}
    return body if reply.usage == "none" else {**body, "usage": _usage(reply)}


def _chat_stream(reply: Reply, request: Request) -> Parts:
    head = {**_head(reply, request), "object": "chat.completion.chunk"}

    def chunk(choices: Any, **more: Any) -> str:
        return f"data: {_json({**head, 'choices': choices, **more})}\n\n"

    def delta(content: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        return chunk([{"index": 0, "delta": content, "finish_reason": finish}], **more)

    role = {"role": "assistant"}
    every = role if reply.role_in_every_chunk else {}
    opening = [delta({**role, "content": ""})]
    if reply.null_choices:
        opening += [chunk(None), chunk([]), chunk([{"index": 0, "delta": None}])]
    opening += [delta({**every, "reasoning_content": word}) for word in words(reply.reasoning)]
    pieces = [delta({**every, "content": piece}) for piece in reply.pieces]

    counted: dict[str, Any] = {"usage": _usage(reply)}
    closing = []
    if reply.finish_reason is not None:
        on_finish: dict[str, Any] = counted if reply.usage == "finish-chunk" else {}
        closing.append(delta({}, reply.finish_reason, **on_finish))
    asked = (request.body.get("stream_options") or {}).get("include_usage")
    if reply.usage == "own-chunk" and asked:
        closing.append(chunk([], **counted))
    if reply.usage == "last-chunk":
        closing.append(delta({}, **counted))
    if reply.done_line:
        closing.append("data: [DONE]\n\n")
    return Parts(opening, pieces, closing)


def _responses_stream(reply: Reply, request: Request) -> Parts:
    number = iter(range(1_000_000))
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    status = "completed" if reply.finish_reason == "stop" else "incomplete"
    empty, full = _part(""), _part(reply.whole)

    def event(kind: str, **data: Any) -> str:
        data = {"type": kind, **data, "sequence_number": next(number)}
        return f"event: {kind}\ndata: {_json(data)}\n\n"

    def item(kind: str, content: list[Any], state: str) -> str:
        return event(f"response.output_item.{kind}", output_index=0, item=_message(content, state))

    started = _response(reply, request, "", "in_progress")
    opening = [
        event("response.created", response=started),
        event("response.in_progress", response=started),
        item("added", [], "in_progress"),
        event("response.content_part.added", **where, part=empty),
    ]
    pieces = [
        event("response.output_text.delta", **where, delta=piece, logprobs=[])
        for piece in reply.pieces
    ]
    closing = [
        event("response.output_text.done", **where, text=reply.whole, logprobs=[]),
        event("response.content_part.done", **where, part=full),
        item("done", [full], status),
    ]
    if reply.finish_reason is not None:
        ended = _response(reply, request, reply.whole, status)
        closing.append(event(f"response.{status}", response=ended))
    return Parts(opening, pieces, closing)


def _head(reply: Reply, request: Request) -> dict[str, Any]:
    model = reply.model or request.body["model"]
    return {"id": "chatcmpl-1", "created": CREATED, "model": model}


def _response(reply: Reply, request: Request, text: str, status: str) -> dict[str, Any]:
    body = {
        **_head(reply, request),
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": _incomplete(reply) if status == "incomplete" else None,
        "output": [] if status == "in_progress" else [_message([_part(text)], status)],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None if status == "in_progress" else _responses_usage(reply),
    }
    del body["created"]
    return body


def _incomplete(reply: Reply) -> dict[str, Any]:
    reason = "max_output_tokens" if reply.finish_reason == "length" else reply.finish_reason
    return {"reason": reason}


def _message(content: list[Any], status: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _counts(reply: Reply) -> tuple[int, int]:
    thought = len(words(reply.reasoning))
    return len(reply.pieces) + thought, thought


def _usage(reply: Reply) -> dict[str, Any]:
    completion, thought = _counts(reply)
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": reply.prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _responses_usage(reply: Reply) -> dict[str, Any] | None:
    if reply.usage == "none":
        return None
    completion, thought = _counts(reply)
    return {
        "input_tokens": reply.prompt_tokens,
        "input_tokens_details": {"cached_tokens": reply.cached_tokens},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": reply.prompt_tokens + completion,
    }


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
