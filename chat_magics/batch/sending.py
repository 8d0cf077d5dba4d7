"""Who sends the requests of rows: the loop of the client here, or workers of an executor there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..client import Sending, ignored
from ..errors import ChatError, ConnectionFailed
from ..messages import ChatRequest, Completion

if TYPE_CHECKING:
    from ..client import ChatClient

__all__ = ["ENGINE_LOST", "Here", "Sender", "Sent", "Submits", "There", "send_here"]

ENGINE_LOST = "engine_lost"
"""The code of the error of rows whose engine is gone; no other row can be asked by it either."""

_GATHER = 0.003
"""Seconds that requests are gathered for, until they are enough for a block."""


class Sent(NamedTuple):
    """What came of one request: an answer or an error, and the HTTP requests made for it."""

    completion: Completion | None
    error: ChatError | None
    attempts: int


class Sender(Protocol):
    """Sends requests; belongs to one event loop.

    Of `ahead` times as many as may be under way it takes at once: what waits where it is sent from
    is sent without a way back and forth.
    """

    ahead: int

    async def send(self, request: ChatRequest, *, patient: bool = False) -> Sent:
        """What came of the request; a failure is given, not raised.

        Args:
            request: to send.
            patient: wait where the server asks to; else that is handed on at once.
        """


async def send_here(
    client: ChatClient,
    request: ChatRequest,
    patient: bool = False,
    on_headers: Callable[[Mapping[str, str]], None] | None = None,
) -> Sent:
    """Sends a request by this client, on its loop; see `Sender.send`."""
    requests: list[None] = []
    sending = Sending(
        use_cache=False,
        on_request=lambda: requests.append(None),
        whole=True,
        waits_for_limits=patient,
        on_headers=on_headers,
    )
    try:
        came = await client.send(request, ignored, sending)
    except ChatError as error:
        return Sent(None, error, len(requests))
    return Sent(came, None, came.attempts)


class Here:
    """Sends by the client of this process.

    Args:
        client: that sends.
        on_headers: told the headers of each answer.
    """

    ahead = 1

    def __init__(
        self, client: ChatClient, on_headers: Callable[[Mapping[str, str]], None] | None = None
    ) -> None:
        self._client = client
        self._on_headers = on_headers

    async def send(self, request: ChatRequest, *, patient: bool = False) -> Sent:
        """What came of the request."""
        return await send_here(self._client, request, patient, self._on_headers)


class _Waiting(NamedTuple):
    request: ChatRequest
    patient: bool
    arrived: asyncio.Future[Sent]


Block = Sequence[tuple[ChatRequest, bool]]

Task = Callable[[Block], "list[Sent]"]


class Submits(Protocol):
    """The part of an Executor that is needed here."""

    def submit(self, task: Task, block: Block, /) -> Future[list[Sent]]:
        """What the task gives, when a worker has done it."""


class There:
    """Sends by the workers of an executor, in blocks, each of which is one task.

    What a worker does is send: the pace, the budgets, the shape of the answers and history stay
    here. So a task that is lost with its worker can be done by any other.

    Args:
        executor: runs tasks.
        task: sends the requests of a block, each with its `patient`, and gives a Sent for each.
        block: requests of a task, at most.
        ahead: so many times what may be under way is handed over; the task holds back the rest.
        turn: waits until one more request may be sent, by the limits of our settings.
    """

    def __init__(
        self,
        executor: Executor | Submits,
        task: Task,
        block: int,
        ahead: int = 1,
        *,
        turn: Callable[[ChatRequest], Awaitable[None]],
    ) -> None:
        self.ahead = ahead
        self._turn = turn
        self._executor = executor
        self._task = task
        self._block = block
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._queued: dict[Future[list[Sent]], list[_Waiting]] = {}

    async def send(self, request: ChatRequest, *, patient: bool = False) -> Sent:
        """What came of the request."""
        try:
            await self._turn(request)
        except ChatError as error:
            return Sent(None, error, 0)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, patient, loop.create_future())
        self._waiting.append(waiting)
        if len(self._waiting) >= self._block:
            self._submit(loop)
        elif self._timer is None:
            self._timer = loop.call_later(_GATHER, self._submit, loop)
        try:
            return await waiting.arrived
        finally:
            if waiting.arrived.cancelled():
                self._take_back()

    def _take_back(self) -> None:
        """Takes the blocks back that nobody waits for any more, and that no worker has begun."""
        for future, block in list(self._queued.items()):
            if all(waiting.arrived.cancelled() for waiting in block):
                future.cancel()

    def _submit(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        block, self._waiting = [w for w in self._waiting if not w.arrived.done()], []
        if not block:
            return
        try:
            future = self._executor.submit(self._task, [(w.request, w.patient) for w in block])
        except Exception as error:  # noqa: BLE001 - whatever an executor of others raises
            _give(block, [_lost(error)] * len(block))
            return
        self._queued[future] = block
        future.add_done_callback(lambda done: self._hand_over(loop, block, done))

    def _hand_over(
        self, loop: asyncio.AbstractEventLoop, block: list[_Waiting], done: Future[list[Sent]]
    ) -> None:
        self._queued.pop(done, None)
        sent = _result(block, done)
        if not loop.is_closed():
            loop.call_soon_threadsafe(_give, block, sent)


def _give(block: list[_Waiting], sent: list[Sent]) -> None:
    for waiting, came in zip(block, sent, strict=True):
        if not waiting.arrived.done():
            waiting.arrived.set_result(came)


def _result(block: list[_Waiting], done: Future[list[Sent]]) -> list[Sent]:
    try:
        return done.result()
    except (CancelledError, asyncio.CancelledError) as error:
        return [_lost(error)] * len(block)
    except Exception as error:  # noqa: BLE001 - as above
        return [_lost(error) if _is_engine(error) else _failed(error)] * len(block)


def _is_engine(error: Exception) -> bool:
    """Whether no further task can be done; else it is one of these rows that kills workers."""
    from concurrent.futures import BrokenExecutor

    return isinstance(error, BrokenExecutor | OSError)


def _lost(error: BaseException) -> Sent:
    why = _line(error) or "its tasks were cancelled"
    gone = ConnectionFailed(f"the engine is gone: {why}", code=ENGINE_LOST)
    return Sent(None, gone, 0)


def _failed(error: Exception) -> Sent:
    return Sent(None, ChatError(f"a worker failed with {type(error).__name__}: {_line(error)}"), 0)


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:300]
