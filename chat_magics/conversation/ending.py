"""Ending: stores how a turn ended; where the database is away, it waits, and then owes it.

Who is told that a reply is complete finds it in history, whatever dies after that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ..client import Waiting
from ..errors import NotFound, StoreAway, StoreError
from ..history import Exchange, History, PathMoved
from ..history.exchange import now
from .path import Place

if TYPE_CHECKING:
    from .reply import Reply
    from .session import Session
    from .state import State

__all__ = ["Ending", "forgotten"]

PAUSE = 1.0
"""Seconds between two tries."""

PATIENCE = 60.0
"""Seconds that a reply waits for its history before it ends without."""


class Ending:
    """The end of one turn.

    Args:
        session: whose history keeps it.
        state: of the conversation.
        reply: told of the wait.
        find_place: where the exchange belongs now.
        unless_stopped: runs work that a stop of the reply ends.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        reply: Reply,
        find_place: Callable[[], Place],
        unless_stopped: Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]],
    ) -> None:
        self._session = session
        self._state = state
        self._reply = reply
        self._find_place = find_place
        self._unless_stopped = unless_stopped

    async def store(self, exchange: Exchange, *, at_once: bool) -> Exchange:
        """The exchange as it is stored for good; its answer takes the place of what it replaces.

        Args:
            exchange: with its final values.
            at_once: it stands in the path already.

        Raises:
            StoreAway: the database did not answer for long; it is stored once it does.
        """
        until = time.monotonic() + PATIENCE
        while True:
            settled, path = self._settled(exchange, at_once)
            try:
                return await self._stored(settled, path)
            except PathMoved as moved:  # another kernel asked in this conversation meanwhile
                await self._state.moved(moved.record)
            except StoreAway as away:
                if not await self._paused(until):
                    raise self._owed(settled, path) from away

    def _settled(
        self, exchange: Exchange, at_once: bool
    ) -> tuple[Exchange, tuple[str, ...] | None]:
        """The exchange with what it supersedes now, and the new path; None where that stands."""
        if at_once or not exchange.answered:
            return exchange, None
        try:
            place = self._find_place()
        except NotFound:  # another kernel took it out of the path; the answer is kept all the same
            return exchange, None
        settled = exchange.model_copy(update={"supersedes": place.supersedes})
        return settled, place.with_exchange(exchange.id)

    async def _stored(self, exchange: Exchange, path: tuple[str, ...] | None) -> Exchange:
        before = await self._state.load()
        await self._session.store(
            partial(_finish, exchange=exchange, path=path, expected=before.path)
        )
        self._know(exchange, path)
        return exchange

    def _know(self, exchange: Exchange, path: tuple[str, ...] | None) -> None:
        record = self._state.record
        assert record is not None
        if path is not None:
            record = record.model_copy(update={"path": path})
        self._state.took(exchange, record)

    async def _paused(self, until: float) -> bool:
        """True when it is time for another try; False where that is over, or it was stopped."""
        if time.monotonic() > until:
            return False
        self._reply.emit(Waiting("the history does not answer", seconds=PAUSE))
        with suppress(asyncio.CancelledError):
            await self._unless_stopped(asyncio.sleep(PAUSE))
            return True
        return False

    def _owed(self, exchange: Exchange, path: tuple[str, ...] | None) -> StoreAway:
        assert self._state.record is not None
        expected = self._state.record.path
        self._session.store_later(
            partial(_finish_somehow, exchange=exchange, path=path, expected=expected)
        )
        self._know(exchange, path)
        return StoreAway(
            "The history does not answer, and this reply is not stored yet: it is as soon as the "
            "history answers again, if this session is open until then"
        )


def forgotten(exchange: Exchange, away: StoreAway) -> Callable[[History], None]:
    """For later: marks an exchange as failed of which nobody knows whether it was stored.

    Args:
        exchange: as it was to be stored before it was sent, which it never was.
        away: why.
    """
    failed = {"status": "error", "ended": now(), "cost": 0.0}
    told = {"error_type": type(away).__name__, "error": away.message}
    return partial(_fail_if_there, exchange=exchange.model_copy(update=failed | told))


def _fail_if_there(history: History, *, exchange: Exchange) -> None:
    with suppress(NotFound):
        if history.exchange(exchange.id).status == "streaming":
            history.finish(exchange)


def _finish(
    history: History, *, exchange: Exchange, path: tuple[str, ...] | None, expected: tuple[str, ...]
) -> None:
    try:
        history.finish(exchange, path, expected)
    except (PathMoved, StoreAway):
        raise
    except StoreError:
        # What an earlier try stored, whose answer was lost with the connection, stands there.
        if history.exchange(exchange.id) != exchange:
            raise


def _finish_somehow(
    history: History, *, exchange: Exchange, path: tuple[str, ...] | None, expected: tuple[str, ...]
) -> None:
    try:
        _finish(history, exchange=exchange, path=path, expected=expected)
    except PathMoved:
        _finish(history, exchange=exchange, path=None, expected=expected)
