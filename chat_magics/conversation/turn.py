"""One turn: from what was asked to a finished row of history. Runs on the private loop.

The prompt is stored before it is sent; what came is stored every quarter of a second; the end,
whatever it was, is stored last.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from ..client import Event, Restarted, Sending, Text, Waiting
from ..errors import ChatError, StoreAway
from ..history import PathMoved, Status
from ..interpreter import short_turns
from ..messages import ChatRequest, Completion, Image, Usage
from ..tracing import current_span, exchange_span
from .ask import Ask
from .attached import earlier_images
from .ending import Ending, forgotten
from .partial import Partial
from .path import Place, find_place
from .record import begun, ended

if TYPE_CHECKING:
    from .conversation import Conversation
    from .reply import Reply

__all__ = ["Turn"]

T = TypeVar("T")


class Turn:
    """One ask under way: its place, its record, its end.

    A stop may come at any time. It ends what waits and what streams, and never what is being
    written into history: the beginning and the end of a turn are whole.
    """

    def __init__(self, conversation: Conversation, reply: Reply, ask: Ask) -> None:
        self._conversation = conversation
        self._session = conversation.session
        self._state = conversation.state
        self._reply = reply
        self._ask = ask
        self._place = Place(())
        self._stopped: Status | None = None
        self._task: asyncio.Task[None] | None = None
        self._stoppable: asyncio.Task[Any] | None = None
        self._discarded: list[str] = []
        self._thoughts: list[str] = []
        self._requests = 0
        self._began = time.monotonic()
        self._partial = Partial(self._session, reply, self._reasoning)
        self._ending = Ending(
            self._session, self._state, reply, self._find_place, self._while_not_stopped
        )

    def start(self) -> None:
        """Begins the turn as a task of the loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._session.started(self)

    def stop(self, status: Status) -> None:
        """Ends it at once; the exchange is marked with this status."""
        if self._stopped is None:
            self._stopped = status
            if self._stoppable is not None:
                self._stoppable.cancel()

    async def _run(self) -> None:
        """The whole turn; raises nothing: how it ended stands in the reply."""
        error: ChatError | None = None
        try:
            if self._state.turn.locked():
                self._reply.emit(Waiting("the reply before this one"))
            await self._while_not_stopped(self._state.turn.acquire())
            try:
                with short_turns(), self._traced():
                    error = await self._take()
            finally:
                self._state.turn.release()
        except asyncio.CancelledError:
            pass  # stopped before its turn came: nothing was sent, nothing is to be kept
        except ChatError as refused:
            error = await self._logged(refused)
        except Exception as bug:  # noqa: BLE001 - a person gets one line, the log the traceback
            error = await self._logged(self._session.unexpected(bug))
        finally:
            self._session.finished(self)
            self._state.answered(self._reply)
            self._reply.ended(error)

    def _traced(self) -> AbstractContextManager[object]:
        config = self._session.config
        return exchange_span(config.base_url, self._ask.model or config.model, config.api)

    async def _logged(self, error: ChatError) -> ChatError:
        """What kept the turn from its beginning or its end, so that no row of history tells it."""
        exchange = self._reply.exchange
        await asyncio.to_thread(self._session.log_fault, error, exchange, self._ask.surface)
        return error

    async def _while_not_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result; a stop cancels it and nothing else."""
        task = asyncio.get_running_loop().create_task(work)
        self._stoppable = task
        if self._stopped:
            task.cancel()
        try:
            return await task
        finally:
            self._stoppable = None

    async def _take(self) -> ChatError | None:
        model, error = await self._model()
        request = await self._begin(model)
        completion: Completion | None = None
        status: Status = "complete"
        try:
            if error is None:
                completion = await self._while_not_stopped(self._send(request))
        except asyncio.CancelledError:
            status = self._stopped or "interrupted"
        except ChatError as failure:
            error = failure
        except Exception as bug:  # noqa: BLE001 - as above; the exchange is ended all the same
            error = self._session.unexpected(bug)
        await self._end(request, completion, "error" if error else status, error)
        return error

    async def _model(self) -> tuple[str, ChatError | None]:
        """The model to ask; a server that cannot tell its models is an error like any other."""
        if self._ask.model:
            return self._ask.model, None
        try:
            asked = self._session.client.default_model(self._on_event, self._session.config.owner)
            return await self._while_not_stopped(asked), None
        except ChatError as error:
            return "", error

    async def _begin(self, model: str) -> ChatRequest:
        while True:
            try:
                return await self._stored(model)
            except PathMoved as moved:  # another kernel asked in this conversation
                await self._state.moved(moved.record)

    async def _stored(self, model: str) -> ChatRequest:
        """The prompt in history, and the request that may be sent now."""
        state, ask = self._state, self._ask
        before = await state.load()
        await state.catch_up()
        place = self._find_place()
        images = await self._images(place.before)
        request, context = self._conversation.request(ask, place.before, state.known, images, model)
        exchange = begun(self._reply.id, before.id, ask, request, context, place.supersedes)
        self._place, self._reply.sent_messages = place, request.messages
        path = place.with_exchange(exchange.id) if place.at_once else state.path
        try:
            record = await self._session.store(
                lambda history: history.begin(exchange, before, path, before.path)
            )
        except StoreAway as away:
            # Whether it was stored nobody knows; it is not sent.
            self._session.store_later(forgotten(exchange, away))
            raise
        exchange = exchange.without_files()  # history keeps those
        state.took(exchange, record)
        self._reply.exchange = exchange
        self._partial.begin()
        self._began = time.monotonic()
        if span := current_span():
            span.asks(request, before.id, stream=True)
        return request

    async def _images(self, before: Sequence[str]) -> Mapping[str, tuple[Image, ...]]:
        """Those of earlier prompts; history is asked only where there are any."""
        earlier = [self._state.known[id] for id in before]
        earlier = [each for each in earlier if each.attachments and each.answered]
        if not earlier:
            return {}
        return await self._session.store(lambda history: earlier_images(earlier, history))

    def _find_place(self) -> Place:
        ask, state = self._ask, self._state
        return find_place(
            state.path,
            state.known,
            cell=ask.cell,
            replaces=ask.replaces,
            cut=ask.cut,
            alone=ask.alone,
        )

    async def _send(self, request: ChatRequest) -> Completion:
        async def within_budget() -> None:
            if self._session.budget.active:
                await self._session.check_budget(request, self._conversation.id)

        use_cache = self._ask.use_cache and bool(self._session.config.cache)
        sending = Sending(
            use_cache, self._ask.refresh, within_budget, self._count_request, self._on_reasoning
        )
        return await self._session.client.send(request, self._on_event, sending)

    def _count_request(self) -> None:
        self._requests += 1
        self._thoughts.clear()  # those of an attempt that broke led to no reply

    def _on_reasoning(self, text: str) -> None:
        self._thoughts.append(text)
        self._partial.grew(len(text))

    def _reasoning(self) -> str:
        return "".join(self._thoughts)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Restarted):
            self._discarded.append(event.discarded)
        self._reply.emit(event)
        if isinstance(event, Text):
            self._partial.grew(len(event.text))

    async def _end(
        self,
        request: ChatRequest,
        completion: Completion | None,
        status: Status,
        error: ChatError | None,
    ) -> None:
        await self._partial.end()
        first = self._reply.exchange
        assert first is not None
        if completion is None:
            completion = await self._what_came(request, status)
        took = completion.latency if completion and completion.latency else None
        exchange = await asyncio.to_thread(
            ended,
            first,
            completion,
            status,
            error,
            attempts=self._requests,
            latency=took or time.monotonic() - self._began,
        )
        try:
            exchange = await self._ending.store(exchange, at_once=self._place.at_once)
        finally:
            self._reply.exchange = exchange
        # On another thread: a hook of the person may take its time, or ask something itself.
        await asyncio.to_thread(self._session.log, exchange, request.messages, error)

    async def _what_came(self, request: ChatRequest, status: Status) -> Completion | None:
        """What came before a stop or a failure, its tokens estimated: they are billed too."""
        text, reasoning = self._reply.text_so_far, self._reasoning()
        if not (text or reasoning) and (status == "error" or not self._requests):
            return None
        from ..pricing import estimates  # prices load after the first text

        texts = [reasoning + text, *self._discarded]
        usage = await asyncio.to_thread(estimates, request.messages, texts)
        return Completion(
            text=text,
            reasoning=reasoning,
            model=request.model,
            usage=usage[0],
            wasted=sum(usage[1:], Usage()) if self._discarded else None,
        )
