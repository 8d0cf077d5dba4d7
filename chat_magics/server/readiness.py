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

__all__ = ["Readiness"]

MODEL_SERVER = "model server"

GOES_ON_WITHOUT = {"cache", "limits"}
"""Parts that a server serves without: as many would stop serving at once where they share one."""

GOOD_FOR = 10.0
"""Seconds: probes come often, and the model server may count requests."""

BAD_FOR = 2.0
"""Seconds: what comes back is to be used again soon."""

PATIENCE = 8.0
"""Seconds for one part."""

AT_ONCE = 1.0
"""Seconds that a probe waits for a new look where the last one still says something."""

SAYS_NOTHING_AFTER = 30.0
"""Seconds since the last look."""


class Readiness:
    """Looks at store, cache, limits and model server.

    The model server must have been reached once, so that a wrong URL or key is no server that is
    ready. Later it may be away: pages, histories and exports are of use without it, a prompt says
    what is wrong, and all servers would stop serving at once.

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
            MODEL_SERVER: self._model_server,
        }
        self._found: dict[str, str] = {}
        self._goes_on_without = set(GOES_ON_WITHOUT)
        self._looked = self._until = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def state(self) -> tuple[bool, dict[str, str]]:
        """Whether it is ready, and each part with `ok` or one line about what is wrong.

        A busy machine takes its time to look; a probe has what was found just before instead.
        """
        now = time.monotonic()
        if now >= self._until:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(self._look())
            fresh = self._found and now - self._looked < SAYS_NOTHING_AFTER
            await asyncio.wait({self._looking}, timeout=AT_ONCE if fresh else None)
        wrong = {part for part, state in self._found.items() if state != "ok"}
        return wrong <= self._goes_on_without, dict(self._found)

    async def _look(self) -> None:
        states = await asyncio.gather(*map(_state, self._checks.values()))
        self._found = dict(zip(self._checks, states, strict=True))
        if self._found[MODEL_SERVER] == "ok":
            self._goes_on_without.add(MODEL_SERVER)
        well = all(state == "ok" for state in states)
        self._looked = time.monotonic()
        self._until = self._looked + (GOOD_FOR if well else BAD_FOR)

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
