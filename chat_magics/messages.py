"""The values that travel between the parts, all frozen: Message, ChatRequest, Completion…"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
)

__all__ = ["ChatRequest", "Completion", "Image", "Message", "Role", "Usage"]

Role = Literal["system", "user", "assistant"]

KEY_VERSION = 1
"""Part of every cache key: raise it when the meaning of a stored completion changes."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Image(_Value):
    """An image that goes with a message.

    Args:
        mime: its type, such as `image/png`.
        base64: its bytes.

    Example:
        >>> Image(mime="image/gif", base64="R0lGODlh").url
        'data:image/gif;base64,R0lGODlh'
    """

    mime: str
    base64: str = Field(repr=False)

    @property
    def url(self) -> str:
        """The whole image as a URL, as the APIs take it."""
        return f"data:{self.mime};base64,{self.base64}"

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.base64) * 3 // 4 - self.base64[-2:].count("=")


class Message(_Value):
    """One message of a conversation, in OpenAI's words.

    Args:
        role: `system`, `user` or `assistant`.
        content: the text.
        images: those that go with the text.

    Example:
        >>> Message(role="user", content="Hello").model_dump()
        {'role': 'user', 'content': 'Hello'}
    """

    role: Role
    content: str
    images: tuple[Image, ...] = ()

    @model_serializer(mode="wrap")
    def _without_empty(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = dump(self)
        return values if self.images else {"role": self.role, "content": self.content}


class Usage(_Value):
    """Tokens of one exchange.

    Args:
        prompt_tokens: tokens sent, cached ones included.
        completion_tokens: tokens received, reasoning included.
        cached_tokens: those of the prompt that the server had in its own cache.
        reasoning_tokens: those of the completion that were thought and not shown.
        estimated: True where the server told nothing and the figures are counted from the text.

    Example:
        >>> Usage(prompt_tokens=10, completion_tokens=5).total_tokens
        15
    """

    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0)
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Tokens sent and received."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            estimated=self.estimated or other.estimated,
        )


class ChatRequest(_Value):
    """What is sent to a model server: exactly this, and nothing that was not set.

    Args:
        base_url: where it goes, as configured (`demo` for the built-in demo model).
        model: the model's name.
        messages: in order, the system message first.
        api: `chat` (chat completions) or `responses`.
        options: further options of the API, as the user set them; `max_tokens` is neutral and
            is named on the wire as the server wants it.
        owner: whose request it is where several people share a server; part of the cache key.

    Example:
        >>> hello = Message(role="user", content="Hello")
        >>> len(ChatRequest(base_url="demo", model="demo", messages=(hello,)).key)
        64
    """

    base_url: str
    model: str
    messages: tuple[Message, ...]
    api: Literal["chat", "responses"] = "chat"
    options: dict[str, JsonValue] = Field(default_factory=dict)
    owner: str = ""

    @property
    def key(self) -> str:
        """The cache key: sha256 (hex) of the request's canonical JSON, schema version included."""
        return hashlib.sha256(self._canonical_text().encode()).hexdigest()

    def _canonical_text(self) -> str:
        canonical: dict[str, Any] = {
            "version": KEY_VERSION,
            "base_url": self.base_url.rstrip("/"),
            "api": self.api,
            "model": self.model,
            "messages": [_canonical(message) for message in self.messages],
            "options": self.options,
            "owner": self.owner,
        }
        return json.dumps(canonical, sort_keys=True, separators=(",", ":"))

    def asking(self, prompt: str) -> ChatRequest:
        """The same request with another text as its last message; not checked again.

        Example:
            >>> hello = ChatRequest(
            ...     base_url="demo", model="demo", messages=(Message(role="user", content="Hello"),)
            ... )
            >>> hello.asking("Bye").messages[-1].content
            'Bye'
        """
        last = self.messages[-1].model_copy(update={"content": prompt})
        return self.model_copy(update={"messages": (*self.messages[:-1], last)})

    def keys(self) -> Callable[[str], str]:
        """What gives the key of `asking(prompt)` for a prompt, at a tenth of the cost.

        Example:
            >>> hello = ChatRequest(
            ...     base_url="demo", model="demo", messages=(Message(role="user", content="Hello"),)
            ... )
            >>> hello.keys()("Bye") == hello.asking("Bye").key
            True
        """
        place = f"prompt {uuid4().hex}"
        text = self.asking(place)._canonical_text()
        before, after = text.encode().split(json.dumps(place).encode())
        begun = hashlib.sha256(before)
        encode = json.JSONEncoder(separators=(",", ":")).encode

        def key(prompt: str) -> str:
            hashed = begun.copy()
            hashed.update(encode(prompt).encode() + after)
            return hashed.hexdigest()

        return key


def _canonical(message: Message) -> list[Any]:
    """The message as a part of a key; without images it is as it was before there were any."""
    images = [[image.mime, image.base64] for image in message.images]
    return [message.role, message.content, images] if images else [message.role, message.content]


class Completion(_Value):
    """One whole answer, with what it took to get it.

    Args:
        text: the reply.
        model: the model that answered, in the server's words.
        finish_reason: `stop`, `length`, `content_filter`, ...; None where the server gave none,
            and then the reply may be cut (`truncated`).
        usage: tokens of the answering attempt, or an estimate marked as one.
        reasoning: thoughts that the server showed apart from the reply.
        request_id: the server's id of the request.
        latency: seconds from sending to the end, waits included.
        time_to_first_token: seconds from sending to the first text; None without text.
        attempts: HTTP requests made; 0 for a cache hit.
        cached: True where it came from the cache and cost nothing.
        stored_at: when the cached answer was first received (UTC).
        wasted: estimated tokens of attempts that broke and were asked again; they are billed too.
        notes: what a reader must be told, such as a parameter that was dropped.
    """

    text: str
    model: str
    finish_reason: str | None = None
    usage: Usage = Usage()
    reasoning: str = ""
    request_id: str | None = None
    latency: float = 0.0
    time_to_first_token: float | None = None
    attempts: int = 1
    cached: bool = False
    stored_at: datetime | None = None
    wasted: Usage | None = None
    notes: tuple[str, ...] = ()

    @property
    def truncated(self) -> bool:
        """True where the reply was cut: by a token limit, or by an end without finish_reason."""
        return self.finish_reason in (None, "length")
