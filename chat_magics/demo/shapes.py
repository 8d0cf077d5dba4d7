"""The demo model's reply in the shapes of OpenAI's two APIs, streamed and whole."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from .asked import Asked
from .replies import tokens

__all__ = ["ChatShape", "Finish", "ResponsesShape", "Shape"]

Finish = Literal["stop", "length"]


class Shape(Protocol):
    """How one API writes a reply; each text is one or more server-sent events."""

    def opening(self) -> str:
        """The events before the first token."""

    def token(self, text: str) -> str:
        """The event of one token."""

    def closing(self, pieces: Sequence[str], finish: Finish) -> str:
        """The events after the last token."""

    def whole(self, pieces: Sequence[str], finish: Finish) -> dict[str, Any]:
        """The reply as one body."""


class ChatShape:
    """Chat completions: https://platform.openai.com/docs/api-reference/chat-streaming."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": asked.model,
        }

    def opening(self) -> str:
        return self._delta({"role": "assistant", "content": ""})

    def token(self, text: str) -> str:
        return self._delta({"content": text})

    def closing(self, pieces: Sequence[str], finish: Finish) -> str:
        events = self._delta({}, finish)
        if self._asked.include_usage:
            events += self._chunk([], _chat_usage(self._asked, pieces))
        return events + "data: [DONE]\n\n"

    def whole(self, pieces: Sequence[str], finish: Finish) -> dict[str, Any]:
        message = {"role": "assistant", "content": "".join(pieces), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        usage = _chat_usage(self._asked, pieces)
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage}

    def _delta(self, delta: dict[str, Any], finish: Finish | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._chunk([choice], None)

    def _chunk(self, choices: list[Any], usage: dict[str, Any] | None) -> str:
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": choices}
        if self._asked.include_usage:
            chunk["usage"] = usage
        return f"data: {_json(chunk)}\n\n"


class ResponsesShape:
    """Responses: https://platform.openai.com/docs/api-reference/responses-streaming."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._id = f"resp_{uuid.uuid4().hex}"
        self._item = f"msg_{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._number = 0

    def opening(self) -> str:
        started = self._response("in_progress", [], None, None)
        return (
            self._event("response.created", response=started)
            + self._event("response.in_progress", response=started)
            + self._event(
                "response.output_item.added", output_index=0, item=self._message("in_progress", [])
            )
            + self._content_event("response.content_part.added", part=_part(""))
        )

    def token(self, text: str) -> str:
        return self._content_event("response.output_text.delta", delta=text, logprobs=[])

    def closing(self, pieces: Sequence[str], finish: Finish) -> str:
        whole = self.whole(pieces, finish)
        text, item = "".join(pieces), whole["output"][0]
        return (
            self._content_event("response.output_text.done", text=text, logprobs=[])
            + self._content_event("response.content_part.done", part=_part(text))
            + self._event("response.output_item.done", output_index=0, item=item)
            + self._event(f"response.{whole['status']}", response=whole)
        )

    def whole(self, pieces: Sequence[str], finish: Finish) -> dict[str, Any]:
        status = "completed" if finish == "stop" else "incomplete"
        cut = None if finish == "stop" else {"reason": "max_output_tokens"}
        output = [self._message(status, [_part("".join(pieces))])]
        return self._response(status, output, cut, _responses_usage(self._asked, pieces))

    def _response(
        self,
        status: str,
        output: list[Any],
        incomplete: dict[str, str] | None,
        usage: dict[str, Any] | None,
    ) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": incomplete,
            "model": self._asked.model,
            "output": output,
            "parallel_tool_calls": False,
            "store": False,
            "tool_choice": "none",
            "tools": [],
            "usage": usage,
        }

    def _message(self, status: str, content: list[Any]) -> dict[str, Any]:
        item = {"id": self._item, "type": "message", "role": "assistant"}
        return {**item, "status": status, "content": content}

    def _content_event(self, kind: str, **data: Any) -> str:
        return self._event(kind, item_id=self._item, output_index=0, content_index=0, **data)

    def _event(self, kind: str, **data: Any) -> str:
        event = {"type": kind, "sequence_number": self._number, **data}
        self._number += 1
        return f"event: {kind}\ndata: {_json(event)}\n\n"


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _prompt_tokens(asked: Asked) -> int:
    return sum(len(tokens(message.content)) for message in asked.messages)


def _chat_usage(asked: Asked, pieces: Sequence[str]) -> dict[str, Any]:
    prompt, completion = _prompt_tokens(asked), len(pieces)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _responses_usage(asked: Asked, pieces: Sequence[str]) -> dict[str, Any]:
    prompt, completion = _prompt_tokens(asked), len(pieces)
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
