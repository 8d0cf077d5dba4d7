"""One model server: the openai client over one connection pool, and one streamed request.

With headers and retry the only one that knows the openai package; it is imported at the first
request (0.6 s, 40 MB).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol, TypeVar

import openai

from ..checks import storable
from ..config import ChatConfig
from ..errors import ChatError, ConnectionFailed
from ..failures import translate
from ..messages import ChatRequest
from ..stream import ChatDecoder, Decoder, ResponsesDecoder
from ..telemetry import redacted
from .direct import Answered, direct_way, of_one_piece, refusal
from .headers import default_headers
from .parameters import wire_messages
from .redirects import hooks

__all__ = ["HTTP", "Streamed", "Taking", "Transport"]

T = TypeVar("T")

_UNPACED_SECONDS = 0.25
_PACE_SECONDS = 0.05
_SMALL_READ = 2048
_DRAIN_SECONDS = 1.0
_LONGEST_MESSAGE = 400
# Both may be installed: genai-prices brings httpx2 along.
HTTP = import_module("httpx" if openai.__version__.startswith("2.") else "httpx2")
_FAILURES: tuple[type[Exception], ...] = (
    ChatError,
    openai.OpenAIError,
    HTTP.HTTPError,
    HTTP.StreamError,
    asyncio.TimeoutError,
    OSError,
)
if find_spec("aiohttp"):  # else httpx carries the requests
    _FAILURES += (import_module("aiohttp").ClientError,)  # openai leaves some of them as they are


class Streamed(NamedTuple):
    """What one request gave: the decoder with all that was told, and the answer's headers."""

    decoder: Decoder
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """The server's id of the request."""
        id = self.headers.get("x-request-id")
        return id and storable(id)


class Taking(Protocol):
    """Who takes what comes of a request."""

    def text(self, text: str) -> None:
        """Text of the reply."""

    def reasoning(self, text: str) -> None:
        """Thoughts that the server shows apart from it."""


class Transport:
    """The way to one server; belongs to the event loop that first uses it.

    Args:
        config: base URL, timeouts and kind of transport; what else is in it is not sent.
        key: what is sent as bearer token; None sends no Authorization header.
        url: where to connect, where it differs from `config.base_url` (the demo model's port).
        organization: OpenAI's id of the organisation; None sends none.
        project: OpenAI's id of the project; None sends none.
        custom: the headers of OPENAI_CUSTOM_HEADERS may go there too.
    """

    def __init__(
        self,
        config: ChatConfig,
        key: str | None,
        url: str | None = None,
        *,
        organization: str | None = None,
        project: str | None = None,
        custom: bool = False,
    ) -> None:
        self.host = config.host
        self._key = key
        # Omitted at each request: the package accepts a client without a key in no other way.
        self._headers: dict[str, Any] = {} if key else {"Authorization": openai.omit}
        headers = default_headers(key, organization, project, custom=custom)
        self._client = _openai_client(config, key, url or config.base_url, headers)
        self._direct = direct_way(config, url or config.base_url, self._client, HTTP)
        self._list_timeout = openai.Timeout(10, connect=min(10, config.connect_timeout))

    async def stream(self, request: ChatRequest, body: dict[str, Any], taking: Taking) -> Streamed:
        """Sends one request and hands on its text and its reasoning as they come.

        Raises:
            ChatError: whatever went wrong, the key taken out.
        """
        decoder, call = self._call(request, body)
        try:
            async with call as response:
                async for data in _paced(response.iter_bytes(), decoder):
                    thought = len(decoder.reasoning)
                    text = decoder.feed(data)
                    if fresh := "".join(decoder.reasoning[thought:]):
                        taking.reasoning(fresh)
                    if text:
                        taking.text(text)
                if text := decoder.close():
                    taking.text(text)
                return Streamed(decoder, response.headers)
        except _FAILURES as failure:
            told = self._told(failure)
        if decoder.chunks and isinstance(told, ConnectionFailed):
            told.restate(f"{self.host} broke the connection in mid-reply")
        raise self._presentable(told)

    async def whole(self, request: ChatRequest, body: dict[str, Any], taking: Taking) -> Streamed:
        """Sends one request and hands on its text in one piece; the deadline is the caller's.

        It costs a sixth of a stream where aiohttp is installed and no proxy stands between; else
        it is one.

        Raises:
            ChatError: whatever went wrong, the key taken out.
        """
        if self._direct is None:
            return await self.stream(request, body, taking)
        decoder, path, sent = of_one_piece(request, body)
        try:
            answered = await self._direct.post(path, sent)
            if not 300 <= answered.status < 400:
                self._take_whole(answered, decoder, taking)
                return Streamed(decoder, answered.headers)
        except _FAILURES as failure:
            told = self._told(failure)
        else:
            return await self.stream(request, body, taking)  # which knows where it may follow
        raise self._presentable(told)

    @staticmethod
    def _take_whole(answered: Answered, decoder: Decoder, taking: Taking) -> None:
        if answered.status >= 400:
            raise refusal(answered, HTTP)
        text = decoder.feed(answered.body) + decoder.close()
        if decoder.reasoning:
            taking.reasoning("".join(decoder.reasoning))
        if text:
            taking.text(text)

    def _call(self, request: ChatRequest, body: dict[str, Any]) -> tuple[Decoder, Any]:
        messages: Any = wire_messages(request)
        if request.api == "responses":
            call = self._client.responses.with_streaming_response.create(
                model=request.model,
                input=messages,
                stream=True,
                extra_body=body,
                extra_headers=self._headers,
            )
            return ResponsesDecoder(), call
        call = self._client.chat.completions.with_streaming_response.create(  # type: ignore[assignment]
            model=request.model,
            messages=messages,
            stream=True,
            extra_body=body,
            extra_headers=self._headers,
        )
        return ChatDecoder(), call

    async def models(self) -> list[str]:
        """The names of the models that the server lists, in its order.

        Raises:
            ChatError: it could not be asked, or lists none.
        """
        try:
            page = await self._client.models.list(
                timeout=self._list_timeout, extra_headers=self._headers
            )
            return [str(model.id) for model in page.data or ()]
        except _FAILURES as failure:
            told = self._told(failure)
        except (AttributeError, TypeError, ValueError):
            told = ChatError(f"{self.host} answers, but not with a list of models")
        raise self._presentable(told)

    async def call(self, asking: Callable[[openai.AsyncOpenAI, dict[str, Any]], Awaitable[T]]) -> T:
        """What another part of the API gives.

        Args:
            asking: asks it, with the client and the headers that each request is to have.

        Raises:
            ChatError: whatever went wrong, the key taken out.
        """
        try:
            return await asking(self._client, self._headers)
        except _FAILURES as failure:
            told = self.told(failure)
        raise told

    def told(self, failure: Exception) -> ChatError:
        """A failure as one of ours, the key taken out."""
        return self._presentable(self._told(failure))

    async def close(self) -> None:
        """Closes the connections."""
        if self._direct is not None:
            await self._direct.close()
        await self._client.close()

    def _told(self, failure: Exception) -> ChatError:
        """One of ours; openai 2 wraps what a hook raised, openai 3 does not.

        It is raised once no failure is being handled, and carries none along: those of the SDK
        hold the request, and its headers the key.
        """
        cause = failure if isinstance(failure, ChatError) else failure.__cause__
        if isinstance(cause, ChatError):
            cause.__cause__ = cause.__context__ = None
        return cause if isinstance(cause, ChatError) else translate(failure, self.host)

    def _presentable(self, error: ChatError) -> ChatError:
        """Without the key, which some servers repeat, and not longer than a person reads."""
        message = self._redacted(error.message) or ""
        longer = len(message) > _LONGEST_MESSAGE
        error.restate(message[:_LONGEST_MESSAGE] + "…" if longer else message)
        error.code, error.param = self._redacted(error.code), self._redacted(error.param)
        error.request_id = self._redacted(error.request_id)
        return error

    def _redacted(self, text: str | None) -> str | None:
        if not text:
            return text
        return redacted(storable(text), [self._key] if self._key else [])


async def _paced(chunks: AsyncIterator[bytes], decoder: Decoder) -> AsyncIterator[bytes]:
    """The chunks; of a long, slow stream at most twenty a second.

    A fast model sends a hundred small chunks a second, and waking up costs more than reading: so
    after the first quarter of a second small chunks are left to gather. The body is read past
    `[DONE]` to its end, else the connection could not be used again.
    """
    started = time.monotonic()
    reader = chunks.__aiter__()
    try:
        while True:
            limit = _DRAIN_SECONDS if decoder.done else None
            data = await asyncio.wait_for(reader.__anext__(), limit)
            yield data
            late = time.monotonic() - started > _UNPACED_SECONDS
            if late and len(data) < _SMALL_READ and not decoder.finish_reason:
                await asyncio.sleep(_PACE_SECONDS)
    except StopAsyncIteration:
        return
    except asyncio.TimeoutError:
        if not decoder.done:
            raise


def _openai_client(
    config: ChatConfig, key: str | None, url: str, headers: Any
) -> openai.AsyncOpenAI:
    limits = openai.Timeout(
        config.stall_timeout, connect=config.connect_timeout, pool=config.total_timeout
    )
    # Loopback is never behind a proxy, but HTTP_PROXY would swallow it.
    options: dict[str, Any] = {"timeout": limits, "trust_env": not config.on_loopback}
    options["event_hooks"] = hooks(HTTP.URL(url))
    http_client = openai.DefaultAsyncHttpxClient(**options) if config.transport == "httpx" else None
    if http_client is None:
        try:
            http_client = openai.DefaultAioHttpClient(**options)
        except RuntimeError:  # openai without its aiohttp extra
            if config.transport == "aiohttp":
                raise
            http_client = openai.DefaultAsyncHttpxClient(**options)
    return openai.AsyncOpenAI(
        api_key=key or "unset",
        base_url=url,
        max_retries=0,
        timeout=limits,
        http_client=http_client,
        default_headers=headers,
    )
