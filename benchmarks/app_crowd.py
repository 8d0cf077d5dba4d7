"""Many sessions that stream at once: pages without a browser, each with a kernel of its own.

All are opened first, some at a time, and each asks a short question, so that what is measured is
streaming and not thirty starts on two CPUs. Then all ask in the same moment.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp

from .app_server import Served
from .app_visitor import Visitor, visiting

__all__ = ["Crowd", "stream_at_once"]

TOKENS, RATE = 600, 15
AT_A_TIME = 3
PROBE_EVERY = 0.1
PROBE_PATIENCE = 5.0
_BUCKET = re.compile(r'^chat_magics_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


@dataclass
class Crowd:
    """How it went.

    Args:
        failed: replies that did not end as complete.
        tokens: of all replies.
        seconds: from the first prompt to the last end.
        lag_p99: how late the server's loop was in the worst of 100 looks, seconds.
        probes: seconds that `/healthz` took, each time while they streamed.
        opening: the same while their pages were opened.
        unanswered: what went wrong with it.
    """

    failed: int = 0
    tokens: int = 0
    seconds: float = 0.0
    lag_p99: float = 0.0
    probes: list[float] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)


async def stream_at_once(served: Served, sessions: int) -> Crowd:
    """Opens so many sessions, and has all of them ask at once."""
    seen = Crowd(tokens=sessions * TOKENS)
    async with AsyncExitStack() as pages:
        probing = asyncio.create_task(_probe(served, seen))
        visitors = await _opened(served, sessions, pages)
        seen.opening, seen.probes = seen.probes, []
        before = await _lag(served)
        started = time.monotonic()
        prompt = f"tokens={TOKENS} rate={RATE}"
        ends = await asyncio.gather(
            *(visitor.ask(f"{prompt} of {number}") for number, visitor in enumerate(visitors)),
            return_exceptions=True,
        )
        seen.seconds = time.monotonic() - started
        seen.lag_p99 = _quantile(before, await _lag(served), 0.99)
        probing.cancel()
    seen.failed = sum(not _is_whole(end) for end in ends)
    return seen


def _is_whole(end: object) -> bool:
    return isinstance(end, dict) and end.get("state") == "complete"


async def _opened(served: Served, sessions: int, pages: AsyncExitStack) -> list[Visitor]:
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one() -> Visitor:
        async with turn:
            visitor = await pages.enter_async_context(visiting(served.url))
            await visitor.ask("tokens=20")
            return visitor

    return await asyncio.gather(*(one() for _ in range(sessions)))


async def _probe(served: Served, seen: Crowd) -> None:
    """Asks for `/healthz` by a new connection each time, as a probe does."""
    limit = aiohttp.ClientTimeout(total=PROBE_PATIENCE)
    while True:
        started = time.monotonic()
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as client,
                client.get(f"{served.url}healthz") as answer,
            ):
                answer.raise_for_status()
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            seen.unanswered.append(repr(error))
        seen.probes.append(time.monotonic() - started)
        await asyncio.sleep(PROBE_EVERY)


async def _lag(served: Served) -> dict[float, float]:
    """How many looks at the loop were as late as this or less, by seconds."""
    async with aiohttp.ClientSession() as client, client.get(f"{served.url}metrics") as answer:
        text = await answer.text()
    return {float(bound): float(count) for bound, count in _BUCKET.findall(text)}


def _quantile(before: dict[float, float], after: dict[float, float], part: float) -> float:
    """As Prometheus' `histogram_quantile`: linear within a bucket."""
    counts = [(bound, after[bound] - before[bound]) for bound in sorted(after)]
    wanted = part * counts[-1][1]
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            return low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low
