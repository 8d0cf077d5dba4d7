"""Bytes of a server-sent stream → checked text. Knows the two APIs' chunks; knows no network.

The bytes are read here and not by the openai package because its chunk objects cost some ten times
as much, and because it passes over in silence what must be noticed: an HTML page or a JSON error
with status 200, an error object in mid-stream, an end without `finish_reason`.
Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from pydantic_core import from_json

from .errors import BadResponse, ChatError
from .messages import Usage
from .retry import stream_error

__all__ = ["ChatDecoder", "Decoder", "ResponsesDecoder"]

_BOM = b"\xef\xbb\xbf"
_REPLACEMENT = "\ufffd"


class Decoder(ABC):
    """Takes the body of one answer as it comes and gives the text in it.

    Example:
        >>> decoder = ChatDecoder()
        >>> decoder.feed(b'data: {"choices": [{"delta": {"content": "Hel')
        ''
        >>> decoder.feed(b'lo"}, "finish_reason": "stop"}]}\\n\\ndata: [DONE]\\n\\n')
        'Hello'
        >>> decoder.close()
        ''
        >>> decoder.finish_reason
        'stop'
    """

    def __init__(self) -> None:
        self.model: str | None = None
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.reasoning: list[str] = []
        self.notes: list[str] = []
        self.done = False
        self.chunks = 0
        self._tail = b""
        self._data: list[bytes] = []
        self._event = b""
        self._kind = ""
        self._half = ""
        self._failure: ChatError | None = None

    def feed(self, data: bytes) -> str:
        """The text that arrived with these bytes, in one piece.

        Raises:
            BadResponse: the body is no chat stream, or a chunk is broken or is an error.
        """
        if self._failure:
            raise self._failure
        self._tail += data
        if not self._kind:
            if len(self._tail) < len(_BOM) and _BOM.startswith(self._tail):
                return ""
            self._tail = self._tail.removeprefix(_BOM)
            self._kind = _kind_of_body(self._tail)
        if self._kind != "sse":
            return ""
        buffer = self._tail
        if b"\r" in buffer:
            held = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n")
            buffer = buffer.replace(b"\r", b"\n") + held
        lines = buffer.split(b"\n")
        self._tail = lines.pop()
        pieces: list[str] = []
        try:
            for line in lines:
                self._line(line, pieces)
        except ChatError as error:
            if not pieces:
                raise
            self._failure = error  # first what arrived before it
        return "".join(pieces)

    def close(self) -> str:
        """The text of what was left when the body ended.

        Raises:
            BadResponse: nothing in the body was part of a reply.
        """
        if self._failure:
            raise self._failure
        pieces: list[str] = []
        if self._kind == "json":
            self._whole(self._tail, pieces)
        elif self._kind == "html":
            raise BadResponse("the server answered with a web page: check base_url (…/v1?)")
        else:
            self._line(self._tail.rstrip(b"\r"), pieces)
            self._line(b"", pieces)
        if self._half:
            pieces.append(self._mended("", last=True))
        if not self.chunks:
            raise BadResponse("the server sent an empty answer", transient=True)
        return "".join(pieces)

    def _line(self, line: bytes, pieces: list[str]) -> None:
        if line[:5] == b"data:":
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line[:6] == b"event:":
            self._event = line[6:].strip()
        elif not line and not self._data:
            self._event = b""
        elif not line:
            data = b"\n".join(self._data) if len(self._data) > 1 else self._data[0]
            event, self._event = self._event, b""
            self._data = []
            if data.strip() == b"[DONE]":
                self.done = True
            elif data:
                self._take(self._chunk(data), event, pieces)

    def _chunk(self, data: bytes) -> dict[str, Any]:
        try:
            chunk = from_json(data)
        except ValueError:
            chunk = self._odd_chunk(data)
        if not isinstance(chunk, dict):
            raise BadResponse("the server sent a line that is not a chunk", transient=True)
        self.chunks += 1
        return chunk

    @staticmethod
    def _odd_chunk(data: bytes) -> Any:
        """JSON with an escaped half of a surrogate pair, which only the standard library reads."""
        try:
            return json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise BadResponse("the server sent broken JSON in its stream", transient=True) from None

    def _take(self, chunk: dict[str, Any], event: bytes, pieces: list[str]) -> None:
        error = chunk.get("error")
        if error or event == b"error":
            raise stream_error(error or chunk)
        try:
            self._read(chunk, pieces)
        except (AttributeError, TypeError) as unknown:
            raise BadResponse(
                f"the server sent a chunk of unknown shape ({unknown})", transient=True
            ) from None

    @abstractmethod
    def _read(self, chunk: dict[str, Any], pieces: list[str]) -> None:
        """Takes one chunk of the stream, as the API shapes it."""

    def _whole(self, body: bytes, pieces: list[str]) -> None:
        """A JSON body where a stream was asked for: an error, or a reply all the same."""
        chunk = self._chunk(body)
        if chunk.get("error"):
            raise stream_error(chunk["error"])
        try:
            self._read_whole(chunk, pieces)
        except (AttributeError, TypeError, KeyError):
            raise BadResponse("the server answered with JSON of unknown shape") from None
        self.notes.append("the server does not stream: the reply came in one piece")

    @abstractmethod
    def _read_whole(self, body: dict[str, Any], pieces: list[str]) -> None:
        """Takes a whole answer, as the API shapes it."""

    def _mended(self, text: str, *, last: bool = False) -> str:
        """Text without lone halves of surrogate pairs; pairs split over two chunks are joined."""
        text, self._half = self._half + text, ""
        if not last and "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        mended = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if _REPLACEMENT in mended and _REPLACEMENT not in text:
            self.notes.append(f"the reply held broken Unicode, shown as {_REPLACEMENT}")
        return mended

    def _text(self, content: Any) -> str:
        """The text of a content field: a string, or a list of typed parts."""
        if isinstance(content, list):
            content = "".join(
                str(part.get("text") or "") for part in content if isinstance(part, dict)
            )
        if not isinstance(content, str):
            return ""
        if self._half or not _encodable(content):
            return self._mended(content)
        return content


class ChatDecoder(Decoder):
    """Chunks of chat completions (https://platform.openai.com/docs/api-reference/chat-streaming)."""

    def _read(self, chunk: dict[str, Any], pieces: list[str]) -> None:
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

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


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
        self.model = _name(response.get("model")) or self.model
        reason = _name((response.get("incomplete_details") or {}).get("reason"))
        self.finish_reason = {None: "stop", "max_output_tokens": "length"}.get(reason, reason)
        if usage := response.get("usage"):
            self.usage = _usage(usage, "input_tokens", "output_tokens")


def _kind_of_body(start: bytes) -> str:
    first = start.lstrip(b" \t\r\n")[:1]
    return {b"": "", b"{": "json", b"[": "json", b"<": "html"}.get(first, "sse")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _usage(told: dict[str, Any], sent: str, received: str) -> Usage:
    """Token counts, under the names that each API gives to what was sent and received."""
    return Usage(
        prompt_tokens=_count(told.get(sent)),
        completion_tokens=_count(told.get(received)),
        cached_tokens=_count((told.get(f"{sent}_details") or {}).get("cached_tokens")),
        reasoning_tokens=_count((told.get(f"{received}_details") or {}).get("reasoning_tokens")),
    )
