"""ChatClient: one request through its rings, one concern each, outermost first.

    check → cache → budget → admission → retry → one HTTP stream

Each ring is one method; it takes the request and the place for events, and gives a Completion.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..checks import check_options, check_text
from ..config import ChatConfig, Sourced, key_to_send
from ..errors import (
    AuthenticationFailed,
    ChatError,
    InvalidRequest,
    ModelNotFound,
    RateLimited,
    RequestTimeout,
)
from ..loop import LoopThread
from ..messages import ChatRequest, Completion
from ..redis_link import patient
from ..retry import RetryPolicy
from ..tracing import current_span
from .catalogue import Catalogue
from .events import Emit, Text, ignored
from .parameters import Adaption
from .progress import Progress
from .sending import Sending
from .servers import Servers

if TYPE_CHECKING:
    from ..cache import CompletionCache
    from .admission import Admission
    from .batches import Batches

__all__ = ["ChatClient"]

T = TypeVar("T")


class _InForce(NamedTuple):
    """The settings that hold for one reply, from its start to its end."""

    config: ChatConfig
    sources: Sourced


class ChatClient:
    """The one client of a session: cached, limited, retrying, streaming.

    Args:
        config: the settings in force.
        sources: where they came from; decides which key may go to which server.
        loop: the private loop it lives on.
        cache: completions by request key.
        admission: the limits over all kernels of this machine.

    Example:
        >>> from chat_magics.config import resolve_sourced
        >>> from chat_magics.messages import Message
        >>> client = ChatClient(*resolve_sourced({"base_url": "demo", "cache": False}))
        >>> hello = Message(role="user", content="Hello")
        >>> request = ChatRequest(base_url="demo", model="demo", messages=(hello,))
        >>> client.complete(request).finish_reason
        'stop'
        >>> client.close()
    """

    def __init__(
        self,
        config: ChatConfig,
        sources: Sourced,
        *,
        loop: LoopThread | None = None,
        cache: CompletionCache | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.config = config
        self.sources = sources
        self.loop = loop or LoopThread()
        self.cache = cache
        self.admission = admission
        self._servers = Servers(self.loop)
        self._adaptions: dict[tuple[str, str], Adaption] = {}
        self._catalogue = Catalogue(self._servers)

    def configure(self, config: ChatConfig, sources: Sourced) -> None:
        """Takes new settings; replies that are under way keep the old ones."""
        self.config, self.sources = config, sources

    def complete(self, request: ChatRequest, sending: Sending | None = None) -> Completion:
        """The whole answer; blocks. An interrupt cancels the request.

        A cached answer is read on the caller's thread, which saves the way to the loop and back.

        Raises:
            ChatError: see the tree in `chat_magics.errors`.
        """
        sending, rules = sending or Sending(), _InForce(self.config, self.sources)
        with patient():
            found = self._found(request, sending, rules)
            return found or self.loop.run(self._asked(request, ignored, sending, rules))

    async def send(self, request: ChatRequest, emit: Emit, sending: Sending) -> Completion:
        """The whole answer; its pieces go to `emit` as they come. Runs on the private loop.

        Raises:
            ChatError: see the tree in `chat_magics.errors`.
        """
        rules = _InForce(self.config, self.sources)
        with patient():
            if self.cache is not None and self.cache.remote:
                found = await asyncio.to_thread(self._found, request, sending, rules)
            else:
                found = self._found(request, sending, rules)
            if found:
                emit(Text(found.text))
            return found or await self._asked(request, emit, sending, rules)

    def _check(self, request: ChatRequest, rules: _InForce) -> None:
        if request.base_url.rstrip("/") != rules.config.base_url:
            raise InvalidRequest(
                f"this request is for {request.base_url}, but base_url is now "
                f"{rules.config.base_url}: ask again"
            )
        if not request.messages:
            raise InvalidRequest("there is nothing to send: the list of messages is empty")
        check_text(request.model, "the model name")
        for message in request.messages:
            check_text(message.content, f"the {message.role} message")
        check_options(request.options)
        if (policy := rules.config.policy) is not None:
            policy.of(request.owner).check(request.model, request.options)

    def _found(self, request: ChatRequest, sending: Sending, rules: _InForce) -> Completion | None:
        """The answer that the cache has, if any; the request is checked in any case."""
        started = time.monotonic()
        self._check(request, rules)
        if self.cache is None or sending.refresh or not sending.use_cache:
            return None
        found = self.cache.get(request)
        took = {"time_to_first_token": None, "latency": time.monotonic() - started}
        return found.model_copy(update=took) if found else None

    async def _asked(
        self, request: ChatRequest, emit: Emit, sending: Sending, rules: _InForce
    ) -> Completion:
        started = time.monotonic()
        completion = await self._limited(request, emit, sending, rules)
        completion = completion.model_copy(update={"latency": time.monotonic() - started})
        if self.cache is not None and sending.use_cache:
            await asyncio.to_thread(self.cache.put, request, completion)
        return completion

    async def _limited(
        self, request: ChatRequest, emit: Emit, sending: Sending, rules: _InForce
    ) -> Completion:
        if sending.within_budget:
            await sending.within_budget()
        async with self._admitted(request.owner, emit, rules.config):
            return await self._within_deadline(
                request, Progress(emit, sending.on_request, sending.on_reasoning), sending, rules
            )

    def _admitted(
        self, owner: str, emit: Emit, config: ChatConfig
    ) -> AbstractAsyncContextManager[None]:
        if self.admission is None:
            return nullcontext()
        return self.admission.admitted(owner, config, emit)

    async def _within_deadline(
        self, request: ChatRequest, progress: Progress, sending: Sending, rules: _InForce
    ) -> Completion:
        limit = rules.config.total_timeout
        try:
            return await asyncio.wait_for(self._retried(request, progress, sending, rules), limit)
        except asyncio.TimeoutError:
            raise RequestTimeout(
                f"the reply took longer than {limit:g} s (total_timeout): raise it, or ask for less"
            ) from None

    async def _retried(
        self, request: ChatRequest, progress: Progress, sending: Sending, rules: _InForce
    ) -> Completion:
        but = () if sending.waits_for_limits else (RateLimited,)
        try:
            return await self._again(
                lambda: self._adapted(request, progress, sending, rules),
                progress,
                rules.config,
                but,
            )
        except AuthenticationFailed as error:
            withheld = key_to_send(*rules)[1]
            if withheld and not rules.config.at_openai:
                error.restate(f"{rules.config.host} wants a key, but {withheld}")
                error.command = ""
            raise
        except ModelNotFound as error:
            raise await self._catalogue.explained(error, request.model, *rules) from None

    @staticmethod
    async def _again(
        once: Callable[[], Awaitable[T]],
        progress: Progress,
        config: ChatConfig,
        but: tuple[type[ChatError], ...] = (),
    ) -> T:
        """As often as the settings allow; each wait before a further attempt is told."""

        def announce(error: ChatError, wait: float, attempt: int) -> None:
            progress.failed(str(error), wait, attempt, config.max_attempts)
            if span := current_span():
                span.retries(error, wait, attempt)

        policy = RetryPolicy(config.max_attempts, config.max_retry_seconds, config.max_wait)
        return await policy.asked(once, announce, but=but)

    async def _adapted(
        self, request: ChatRequest, progress: Progress, sending: Sending, rules: _InForce
    ) -> Completion:
        """One attempt, sent again at once without what the server said that it does not take."""
        transport = self._servers.transport(*rules)
        adaption = self._adaption(request, rules.config)
        while True:
            body = adaption.body(request)
            progress.sending()
            try:
                if sending.whole:
                    streamed = await transport.whole(request, body, progress)
                else:
                    streamed = await transport.stream(request, body, progress)
            except ChatError as error:
                note = adaption.learn(error, body)
                if note is None:
                    raise
                progress.notes.append(note)
            else:
                if sending.on_headers:
                    sending.on_headers(streamed.headers)
                return await progress.completion(request, streamed)

    def _adaption(self, request: ChatRequest, config: ChatConfig) -> Adaption:
        place = (request.base_url, request.model)
        if place not in self._adaptions:
            modern = config.at_openai or config.host.endswith(".openai.azure.com")
            name = "max_completion_tokens" if modern else "max_tokens"
            self._adaptions.setdefault(place, Adaption(name))
        return self._adaptions[place]

    async def models(self, *, fresh: bool = False, owner: str | None = None) -> list[str]:
        """Names of the models that the server lists and that may be asked; asked once a server.

        Args:
            fresh: asks the server again.
            owner: by whose rules of the policy; by default those of the settings.

        Raises:
            ChatError: it cannot be asked.
        """
        config = self.config.ruled_for(owner)
        return config.allowed(await self._catalogue.listed(config, self.sources, fresh=fresh))

    def known_models(self, owner: str | None = None) -> list[str]:
        """The names known without asking: the server's where it was asked, else the fallback."""
        return self._catalogue.known(self.config.ruled_for(owner))

    def likely_model(self, owner: str | None = None) -> tuple[str, bool]:
        """The model that a prompt would go to, and whether that is a guess; asks no server."""
        return self._catalogue.likely(self.config.ruled_for(owner))

    async def default_model(self, emit: Emit = ignored, owner: str | None = None) -> str:
        """The configured model, or OpenAI's current small one, or the first the server lists.

        Args:
            emit: told of each wait before the server is asked again.
            owner: by whose rules of the policy; by default those of the settings.

        Raises:
            ChatError: the server cannot be asked, or lists none.
        """
        rules = _InForce(self.config.ruled_for(owner), self.sources)
        return await self._again(
            lambda: self._catalogue.default(*rules), Progress(emit), rules.config
        )

    @property
    def batches(self) -> Batches:
        """The Batch API of the configured server, with the settings that are in force now."""
        from .batches import Batches  # with openai: not for who only chats

        config = self.config
        return Batches(
            self._servers,
            config,
            self.sources,
            lambda request: self._adaption(request, config).body(request),
        )

    def prepare(self) -> None:
        """Imports what a request needs and makes the client, so that the first one is quick."""
        self._servers.transport(self.config, self.sources)

    def close(self) -> None:
        """Ends the loop, the connections, the demo model and the cache."""
        self.loop.close()
        self._servers.close()
        if self.cache:
            self.cache.close()
