"""Two hundred people at one app of 1, 2 and 3 processes: what they wait for, and what it takes.

All processes share one PostgreSQL and one Redis, as replicas do. As many people as memory allows
have a page with a kernel of its own; the others ask the API, as programs do.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import mean, quantiles

import psutil

from tests.postgres import PostgresServer
from tests.redis_server import RedisServer

from .app_server import Served, app
from .load_people import Spoken, talk
from .pairs import Row
from .place import Place

__all__ = ["load"]

PEOPLE, SPEED = 200, 50
MEMORY_PER_PAGE, PART_OF_MEMORY = 140e6, 0.5
MOST_PAGES = 60
"""More than that only prolongs the opening: two CPUs start one kernel a second."""


@dataclass(frozen=True)
class Cost:
    """What the processes of the app had taken at one moment.

    Args:
        servers: CPU seconds of the servers.
        kernels: the same of their kernels.
        server_mb: the mean resident set of a server.
        kernel_mb: the same of a kernel.
    """

    servers: float
    kernels: float
    server_mb: float
    kernel_mb: float


def load(place: Place, count: int) -> list[Row]:
    """The people at an app of so many processes."""
    room = psutil.virtual_memory().available * PART_OF_MEMORY / MEMORY_PER_PAGE
    pages = min(MOST_PAGES, int(room))
    with _apps(place, count, pages) as servers:
        before: list[Cost] = []
        spoken = asyncio.run(
            talk(
                [served.url for served in servers],
                people=PEOPLE,
                pages=pages,
                on_start=lambda: before.append(_cost(servers)),
            )
        )
        return _rows(count, pages, spoken, before[0], _cost(servers))


@contextmanager
def _apps(place: Place, count: int, pages: int) -> Iterator[Sequence[Served]]:
    with ExitStack() as running:
        postgres = running.enter_context(PostgresServer())
        redis = running.enter_context(RedisServer())
        told = {
            "CHAT_MAGICS_HISTORY": postgres.database(f"load{count}"),
            "CHAT_MAGICS_CACHE": redis.url,
            "CHAT_MAGICS_LIMITS": redis.url,
            "OPENAI_BASE_URL": running.enter_context(_demo()),
            "CHAT_MAGICS_MODEL": "demo",
            # All people are at one address here.
            "CHAT_MAGICS_REQUESTS_PER_MINUTE_PER_ADDRESS": "100000",
        }
        most = ("--max-sessions", str(pages + 10), "--preheated", "1")
        yield [running.enter_context(app(place, *most, **told)) for _ in range(count)]


@contextmanager
def _demo() -> Iterator[str]:
    """The demo model in a process of its own, as a model server is."""
    command = [sys.executable, "-m", "chat_magics", "demo", "--speed", str(SPEED)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(word for line in process.stdout for word in line.split() if "://" in word)
        finally:
            process.terminate()


def _cost(servers: Sequence[Served]) -> Cost:
    kernels = [each for served in servers for each in served.kernels()]
    own = [served.process for served in servers]
    return Cost(
        sum(sum(process.cpu_times()[:2]) for process in own),
        sum(sum(process.cpu_times()[:2]) for process in kernels),
        mean(process.memory_info().rss for process in own) / 1e6,
        mean(process.memory_info().rss for process in kernels) / 1e6,
    )


def _rows(count: int, pages: int, spoken: Spoken, before: Cost, after: Cost) -> list[Row]:
    what = f"{count} process{'es' if count > 1 else ''}"
    by_page, by_api = spoken.first["page"], spoken.first["api"]
    replies = len(by_page) + len(by_api)
    failed = len(spoken.failed)
    told = [
        f"{replies / spoken.seconds:.1f} replies/s",
        f"first token of pages {_times(by_page)}, of the API {_times(by_api)}",
        f"server {1000 * (after.servers - before.servers) / replies:.0f} ms of CPU a reply",
        f"kernel {1000 * (after.kernels - before.kernels) / max(1, len(by_page)):.0f} ms",
        f"{after.server_mb:.0f} MB a server, {after.kernel_mb:.0f} MB a kernel",
    ]
    told.extend(f"{times} × {why}" for why, times in Counter(spoken.failed).most_common(3))
    people = f"{PEOPLE} people, {pages} of them with a page"
    return [Row(f"{what}, {people}: failed replies", "–", "; ".join(told), failed, 0, not failed)]


def _times(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "–"
    cuts = quantiles(seconds, n=100)
    return f"p50 {1000 * cuts[49]:.0f} ms, p99 {1000 * cuts[98]:.0f} ms"
