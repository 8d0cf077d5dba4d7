"""Admission: the limits of our own settings: how often one may ask, and how much at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ..answering import Answering
from ..answering_redis import AnsweringTogether
from ..config import ChatConfig
from ..errors import RateLimitReached
from ..limits import RateLimiter
from ..redis_link import patient
from .events import Emit, Waiting

__all__ = ["Admission"]

Leave = Callable[[], None]

_LOOK_AGAIN = 0.25
"""Seconds until a place is asked for again; nothing tells when another kernel gives one up."""

_ROWS_LOOK_AGAIN = 2.0
"""Seconds until rows that wait for tokens are tried again."""

_PARTS = 1_000
"""Of a minute's tokens: Redis keeps the time of each that is counted."""


class Admission:
    """Lets a request through when its owner may ask, and keeps its place until it has ended.

    Args:
        limiter: counts requests a minute.
        answering: the places for replies under way.
    """

    def __init__(self, limiter: RateLimiter, answering: Answering | AnsweringTogether) -> None:
        self._limiter = limiter
        self._answering = answering

    @asynccontextmanager
    async def admitted(self, owner: str, config: ChatConfig, emit: Emit) -> AsyncIterator[None]:
        """Waits for its turn; `max_limit_wait` seconds at most for each limit.

        Args:
            owner: whose request it is.
            config: the limits in force.
            emit: told what is waited for.

        Raises:
            RateLimitReached: it would take longer.
        """
        leave = await self._place(owner, config, emit)
        try:
            await self.turn(owner, config, emit)
            yield
        finally:
            if leave is not None:
                # Shielded: a second stop must not leave the place taken.
                await asyncio.shield(asyncio.ensure_future(asyncio.to_thread(leave)))

    async def turn(self, owner: str, config: ChatConfig, emit: Emit) -> None:
        """Waits until one more request may be sent, and counts it; see `admitted`."""
        await self._turn(owner, config.requests_per_minute, config, emit)
        if config.address:
            identity, limit = f"from {config.address}", config.requests_per_minute_per_address
            await self._turn(identity, limit, config, emit)

    async def tokens(self, owner: str, amount: float, config: ChatConfig) -> float:
        """Counts tokens of a run over rows against `tokens_per_minute`, where Redis counts.

        They are counted by thousandths of the limit; what is left over is for the next time.

        Args:
            owner: whose run it is; their runs on all machines count together.
            amount: of prompt and reply together.
            config: the limits in force.

        Returns:
            those that are counted now.

        Raises:
            RateLimitReached: they have to wait.
        """
        limit = config.tokens_per_minute
        if limit is None or not self._limiter.over_machines:
            return amount  # each run keeps its own pace
        parts = min(limit, _PARTS)
        taken = int(amount * parts / limit)
        identity = f"{limit} tokens of {owner}"
        wait = 0.0
        if taken > 0:
            wait = await asyncio.to_thread(self._limiter.acquire, identity, parts, taken)
        if wait:
            raise RateLimitReached(
                f"{limit} tokens a minute are reached (tokens_per_minute): again in {wait:.0f} s",
                # Sooner than Redis says: rows under way may take less than was thought.
                retry_after=min(wait, _ROWS_LOOK_AGAIN),
            )
        return max(0, taken) * limit / parts

    async def _place(self, owner: str, config: ChatConfig, emit: Emit) -> Leave | None:
        places, waited = config.answers_at_once, 0.0
        if places is None:
            return None
        leave = await self._entered(owner, places)
        while leave is None:
            if waited >= config.max_limit_wait:
                raise RateLimitReached(
                    f"{places} of your replies are under way already (answers_at_once): "
                    f"wait for the end of one, or stop it",
                    retry_after=1.0,
                )
            if not waited:
                emit(Waiting("your other reply"))
            await asyncio.sleep(_LOOK_AGAIN)
            waited += _LOOK_AGAIN
            with patient():  # what it waits for is its turn
                leave = await self._entered(owner, places)
        return leave

    async def _entered(self, owner: str, places: int) -> Leave | None:
        entering = asyncio.ensure_future(asyncio.to_thread(self._answering.enter, owner, places))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:  # the thread may take the place yet
            entering.add_done_callback(_give_up)
            raise

    async def _turn(self, identity: str, limit: int | None, config: ChatConfig, emit: Emit) -> None:
        waited = 0.0
        while limit and (wait := await asyncio.to_thread(self._limiter.acquire, identity, limit)):
            if waited + wait > config.max_limit_wait:
                raise RateLimitReached(
                    f"{limit} requests a minute are reached (requests_per_minute): "
                    f"again in {wait:.0f} s",
                    retry_after=wait,
                )
            emit(Waiting("your limit of requests per minute is reached", wait))
            await asyncio.sleep(wait)
            waited += wait


def _give_up(entering: asyncio.Future[Leave | None]) -> None:
    """Leaves the place that nobody waits for any more."""
    if not entering.cancelled() and entering.exception() is None and (leave := entering.result()):
        leave()
