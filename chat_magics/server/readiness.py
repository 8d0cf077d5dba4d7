"""Readiness: whether each part that a prompt needs can be used now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..errors import ChatError
from ..history import History
from ..limits import RateLimiter
from ..redis_link import link_to
from ..telemetry import redacted
from .people import People

__all__ = ["GOES_ON_WITHOUT", "Readiness"]

GOES_ON_WITHOUT = ("cache", "limits")
"""Parts that a server serves without: as many would stop serving at once where they share one."""

GOOD_FOR = 10.0
"""Seconds: probes come often, and the model server may count requests."""

BAD_FOR = 2.0
"""Seconds: what comes back is to be used again soon."""

PATIENCE = 8.0
"""Seconds for one part."""


class Readiness:
    """Looks at store, cache, limits and model server.

    Args:
        people: has the session of the server itself.
        limiter: the one of page loads.
    """

    def __init__(self, people: People, limiter: RateLimiter) -> None:
        self._people = people
        self._checks: dict[str, Callable[[], str]] = {
            "store": self._store,
            "cache": self._cache,
            "limits": lambda: self._limits(limiter),
            "model server": self._model_server,
        }
        self._found: dict[str, str] = {}
        self._until = 0.0
        self._looking = asyncio.Lock()

    async def parts(self) -> dict[str, str]:
        """Each part with `ok`, or with one line about what is wrong."""
        async with self._looking:
            if time.monotonic() >= self._until:
                states = await asyncio.gather(*map(_state, self._checks.values()))
                self._found = dict(zip(self._checks, states, strict=True))
                well = all(state == "ok" for state in states)
                self._until = time.monotonic() + (GOOD_FOR if well else BAD_FOR)
            return self._found

    def _store(self) -> str:
        durable = self._people.common.store_now(_durable)
        return "ok" if durable else "the history is kept in memory only: its file cannot be used"

    def _cache(self) -> str:
        config, cache = self._people.common.config, self._people.client.cache
        if cache is None or not config.cache:
            return "ok"
        cache.get_key("ready?")  # a fault is a miss
        away = link_to(config.cache_url).trouble if config.cache_url else None
        return f"no reply comes from the cache: {away}" if away else "ok"

    def _limits(self, limiter: RateLimiter) -> str:
        limiter.acquire("ready?", 1_000)
        return limiter.trouble or "ok"

    def _model_server(self) -> str:
        client = self._people.client
        client.loop.run(client.models(fresh=True))
        return "ok"


def _durable(history: History) -> bool:
    history.check()
    return history.durable


async def _state(check: Callable[[], str]) -> str:
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.wait_for(loop.run_in_executor(None, check), PATIENCE)
    except asyncio.TimeoutError:
        return f"no answer within {PATIENCE:g} s"
    except ChatError as error:
        return error.message
    except Exception as fault:  # noqa: BLE001 - whatever it is, a probe wants to know of it
        return redacted(f"{type(fault).__name__}: {fault}", [])
