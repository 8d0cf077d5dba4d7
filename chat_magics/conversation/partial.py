"""Partial: what has come of a reply so far, kept in history while it still streams.

A history that is away takes nothing; it is asked again, and the end of the turn tells of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ChatError, StoreAway
from ..history import History

if TYPE_CHECKING:
    from .reply import Reply
    from .session import Session

__all__ = ["Partial"]

_FLUSH_SECONDS = 0.25
_FLUSH_CHARS = 2048
_FLUSH_SHARE = 16
_LONG_CHARS = 100_000
_AWAY_SECONDS = 2.0

BEAT_SECONDS = 10.0
"""Signs of life for other machines, which take a reply for dead after a minute."""


class Partial:
    """Keeps what has come so far in history, every quarter of a second or 2,048 characters.

    Args:
        session: whose history keeps it.
        reply: what comes.
        reasoning: gives the thoughts that have come apart from the reply's text.
    """

    def __init__(self, session: Session, reply: Reply, reasoning: Callable[[], str]) -> None:
        self._session = session
        self._reply = reply
        self._reasoning = reasoning
        self._grown = self._length = 0
        self._much = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._beats: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The prompt is stored, and about to be sent."""
        self._beats = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        exchange = self._reply.exchange
        assert exchange is not None
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with contextlib.suppress(ChatError):
                await self._session.store(partial(History.beat, exchange_id=exchange.id))

    def grew(self, characters: int) -> None:
        """Text has come, or reasoning."""
        self._grown += characters
        self._length += characters
        # All of it is written each time: the longer it is, the more must have come.
        if self._grown >= max(_FLUSH_CHARS, self._length / _FLUSH_SHARE):
            self._much.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._store())

    def _pause(self) -> float:
        """Seconds; a quarter, and more where the text is very long."""
        return _FLUSH_SECONDS * max(1.0, self._length / _LONG_CHARS)

    async def _store(self) -> None:
        while self._grown:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._much.wait(), self._pause())
            self._much.clear()
            self._grown = 0
            exchange, text = self._reply.exchange, self._reply.text_so_far
            assert exchange is not None
            came = partial(_append, id=exchange.id, text=text, reasoning=self._reasoning())
            try:
                await self._session.store(came)
            except StoreAway:
                self._grown = 1  # all of it is to be stored still
                await asyncio.sleep(_AWAY_SECONDS)
            except ChatError:  # it was deleted meanwhile: the end of the turn says so
                return
        self._task = None

    async def end(self) -> None:
        """No more is stored after this."""
        tasks = [task for task in (self._task, self._beats) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _append(history: History, *, id: str, text: str, reasoning: str) -> None:
    history.append_partial(id, text, reasoning)
