"""What the tests' server can be told to answer: values only; how they are sent is elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "Answer",
    "Hang",
    "Html",
    "Json",
    "Recorded",
    "Reply",
    "Request",
    "Reset",
    "Scripted",
    "Status",
]


@dataclass(frozen=True)
class Request:
    """One request as it came in; header names are in lower case, `time` is monotonic."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Any
    time: float
    connection: int

    @property
    def last(self) -> str:
        """The content of the last message, as text."""
        messages = self.body.get("messages") or self.body.get("input")
        content = messages if isinstance(messages, str) else messages[-1]["content"]
        return content if isinstance(content, str) else "".join(p["text"] for p in content)


@dataclass(frozen=True)
class Reply:
    """A model's reply, streamed or whole as the request asks, with the fault that a test wants.

    Args:
        text: the reply; a string is cut into words, a list is sent piece by piece.
        usage: in a chunk with `choices: []`, and only if asked (OpenAI); in an own last chunk
            with one empty choice (litellm); on the chunk of the finish_reason (transformers);
            or never (llama_cpp.server).
        finish_reason: None means that no chunk holds one.
        delay_before_first: seconds before the response's first byte.
        delay_between: seconds before each piece but the first.
        model: the model that is said to answer; None is the one asked for.
        reasoning: sent in pieces as `delta.reasoning_content` before the text.
        null_choices: also send chunks with `choices: null`, `choices: []` and `delta: null`.
        comments: also send SSE comment lines, as proxies do to keep a connection open.
        split_bytes: write so many bytes at a time, through characters and lines.
        cut_after: break the connection after n pieces.
        stall_after: send nothing more after n pieces, until released or the client leaves.
        end_after: end cleanly after n pieces, without finish_reason.
        error_after: send `{"error": …}` in the stream after n pieces.
        malformed_after: send a broken JSON line after n pieces.
    """

    text: str | Sequence[str] = "Hello from the test server."
    _: KW_ONLY
    usage: Literal["own-chunk", "last-chunk", "finish-chunk", "none"] = "own-chunk"
    finish_reason: str | None = "stop"
    delay_before_first: float = 0.0
    delay_between: float = 0.0
    role_in_every_chunk: bool = False
    model: str | None = None
    reasoning: str = ""
    prompt_tokens: int = 10
    cached_tokens: int = 0
    null_choices: bool = False
    done_line: bool = True
    comments: bool = False
    crlf: bool = False
    split_bytes: int | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    end_after: int | None = None
    error_after: int | None = None
    malformed_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def pieces(self) -> list[str]:
        """The text as it is streamed."""
        return words(self.text) if isinstance(self.text, str) else list(self.text)

    @property
    def whole(self) -> str:
        """The text in one."""
        return "".join(self.pieces)


@dataclass(frozen=True)
class Status:
    """An HTTP error; a body of None becomes OpenAI's error object for that code."""

    code: int
    body: dict[str, Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Html:
    """A web page where an answer was expected: a captive portal, a wrong base URL."""

    status: int = 200


@dataclass(frozen=True)
class Json:
    """A JSON body that is not a stream, whatever was asked for."""

    body: Any
    status: int = 200


@dataclass(frozen=True)
class Hang:
    """Takes the request and sends nothing; once released it answers `then`."""

    then: Reply | Status = field(default_factory=Reply)


@dataclass(frozen=True)
class Reset:
    """Resets the connection (RST) instead of answering."""


@dataclass(frozen=True)
class Recorded:
    """The bytes of another server's stream, as they were recorded."""

    path: Path
    status: int = 200
    split_bytes: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Reply | Status | Html | Json | Hang | Reset | Recorded
Scripted = Answer | Callable[[Request], Answer]


def words(text: str) -> list[str]:
    """A text cut before its words; joined it is the same again."""
    return re.findall(r"\s*\S+(?:\s+$)?|\s+$", text)
