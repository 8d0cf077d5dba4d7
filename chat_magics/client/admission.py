"""Admission: the limits of our own settings: how often one may ask, and how much at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ..answering import Answering
from ..config import ChatConfig
from ..errors import RateLimitReached
from ..limits import RateLimiter
from .events import Emit, Waiting

__all__ = ["Admission"]

_LOOK_AGAIN = 0.25
"""Seconds until a place is asked for again; nothing tells when another kernel gives one up."""


class Admission:
    """Lets a request through when its owner may ask, and keeps its place until it has ended.

    Args:
        limiter: counts requests a minute.
        answering: the places for replies under way.
    """

    def __init__(self, limiter: RateLimiter, answering: Answering) -> None:
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
            await self._turn(owner, config.requests_per_minute, config, emit)
            if config.address:
                identity, limit = f"from {config.address}", config.requests_per_minute_per_address
                await self._turn(identity, limit, config, emit)
            yield
        finally:
            leave()

    async def _place(self, owner: str, config: ChatConfig, emit: Emit) -> Callable[[], None]:
        places, waited = config.answers_at_once, 0.0
        if places is None:
            return _nothing
        while (leave := self._answering.enter(owner, places)) is None:
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
        return leave

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


def _nothing() -> None:
    """What gives up a place where nobody counts them."""
