"""What a chunk holds in each API: chat completions, and responses."""

from __future__ import annotations

from typing import Any

from ..checks import storable
from ..errors import BadResponse
from ..failures import stream_error
from ..messages import Usage
from .decoder import Decoder

__all__ = ["ChatDecoder", "ResponsesDecoder"]

_MOST_TOKENS = 2**53
"""More is no count, and no database takes it."""


class ChatDecoder(Decoder):
    """Chunks of chat completions (https://platform.openai.com/docs/api-reference/chat-streaming)."""

    def _read(self, chunk: dict[str, Any], pieces: list[str]) -> None:
        self.id = self.id or _name(chunk.get("id"))
        self.model = _name(chunk.get("model")) or self.model
        if usage := chunk.get("usage"):
            self.usage = _usage(usage, "prompt_tokens", "completion_tokens")
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue  # n > 1 is refused before sending; some servers send it all the same
            self.finish_reason = _name(choice.get("finish_reason")) or self.finish_reason
            if delta := choice.get("delta"):
                self._read_message(delta, pieces)

    def _read_whole(self, body: dict[str, Any], pieces: list[str]) -> None:
        choices = body.get("choices") or ()
        if not choices:
            raise BadResponse("the server answered with JSON that is no chat completion")
        if "message" in choices[0]:
            self._read_message(choices[0]["message"] or {}, pieces)
        self._read({**body, "choices": [{**choices[0], "delta": None}]}, pieces)

    def _read_message(self, message: dict[str, Any], pieces: list[str]) -> None:
        if content := message.get("content"):
            pieces.append(self._text(content))
        if thought := message.get("reasoning_content") or message.get("reasoning"):
            self.reasoning.append(self._text(thought))
        if refusal := message.get("refusal"):
            pieces.append(self._text(refusal))
        if message.get("tool_calls"):
            self._note("the model asked for a tool call, which chat_magics does not make")


class ResponsesDecoder(Decoder):
    """Events of the Responses API (https://platform.openai.com/docs/api-reference/responses-streaming)."""

    def _read(self, chunk: dict[str, Any], pieces: list[str]) -> None:
        kind = chunk.get("type") or ""
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            pieces.append(self._text(chunk.get("delta")))
        elif kind.startswith("response.reasoning") and kind.endswith(".delta"):
            self.reasoning.append(self._text(chunk.get("delta")))
        elif kind == "error":  # some servers leave out the line that names the event
            raise stream_error(chunk)
        elif kind == "response.failed":
            raise stream_error((chunk.get("response") or {}).get("error") or {})
        elif kind in ("response.completed", "response.incomplete"):
            self._end(chunk.get("response") or {})
            self.done = True
        elif kind == "response.created":
            self.model = _name((chunk.get("response") or {}).get("model"))

    def _read_whole(self, body: dict[str, Any], pieces: list[str]) -> None:
        if not isinstance(body.get("output"), list):
            raise BadResponse("the server answered with JSON that is no response")
        for item in body["output"]:
            if item.get("type") == "message":
                pieces.append(self._text(item.get("content")))
        self._end(body)

    def _end(self, response: dict[str, Any]) -> None:
        self.id = _name(response.get("id"))
        self.model = _name(response.get("model")) or self.model
        reason = _name((response.get("incomplete_details") or {}).get("reason"))
        self.finish_reason = {None: "stop", "max_output_tokens": "length"}.get(reason, reason)
        if usage := response.get("usage"):
            self.usage = _usage(usage, "input_tokens", "output_tokens")


def _name(value: Any) -> str | None:
    return storable(value) if isinstance(value, str) else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value <= _MOST_TOKENS else 0


def _usage(told: dict[str, Any], sent: str, received: str) -> Usage:
    """Token counts, under the names that each API gives to what was sent and received."""
    return Usage(
        prompt_tokens=_count(told.get(sent)),
        completion_tokens=_count(told.get(received)),
        cached_tokens=_count((told.get(f"{sent}_details") or {}).get("cached_tokens")),
        reasoning_tokens=_count((told.get(f"{received}_details") or {}).get("reasoning_tokens")),
    )
