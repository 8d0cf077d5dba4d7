"""Decoder: events of a stream → chunks → text that can be shown, stored and sent again."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from pydantic_core import from_json

from ..errors import BadResponse, ChatError
from ..failures import stream_error
from ..messages import Usage
from .body import Body

__all__ = ["Decoder"]

_REPLACEMENT = "\ufffd"


class Decoder(ABC):
    """Takes the body of one answer as it comes and gives the text in it.

    Args:
        streamed: a stream was asked for; else a reply in one piece is nothing to note.

    Example:
        >>> from chat_magics.stream import ChatDecoder
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

    def __init__(self, *, streamed: bool = True) -> None:
        self._streamed = streamed
        self.id: str | None = None
        self.model: str | None = None
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.reasoning: list[str] = []
        self.notes: list[str] = []
        self.done = False
        self.chunks = 0
        self._body = Body()
        self._data: list[bytes] = []
        self._event = b""
        self._half = ""
        self._failure: ChatError | None = None

    def feed(self, data: bytes) -> str:
        """The text that arrived with these bytes, in one piece.

        Raises:
            BadResponse: the body is no chat stream, or a chunk is broken or is an error.
        """
        if self._failure:
            raise self._failure
        pieces: list[str] = []
        try:
            for line in self._body.lines(data):
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
        if self._body.kind == "json":
            self._whole(self._body.rest(), pieces)
        elif self._body.kind == "html":
            raise BadResponse("the server answered with a web page: check base_url (…/v1?)")
        else:
            self._line(self._body.rest().rstrip(b"\r"), pieces)
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
        if self._streamed:
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
            self._note(f"the reply held broken Unicode, shown as {_REPLACEMENT}")
        return mended

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _text(self, content: Any) -> str:
        """The text of a content field: a string, or a list of typed parts."""
        if isinstance(content, list):
            content = "".join(
                str(part.get("text") or "") for part in content if isinstance(part, dict)
            )
        if not isinstance(content, str):
            return ""
        text = self._mended(content) if self._half or not _encodable(content) else content
        if "\0" in text:  # it could not be sent with the next prompt
            self._note(f"the reply held NUL characters, shown as {_REPLACEMENT}")
            text = text.replace("\0", _REPLACEMENT)
        return text


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
