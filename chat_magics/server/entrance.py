"""Entrance: what the handlers of one server share: settings, seats, limits, people's sessions."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tornado.httputil import HTTPServerRequest

from ..config import ChatConfig
from ..errors import ServerUnavailable
from ..limits import RateLimiter
from .metrics import Metrics
from .people import People
from .readiness import Readiness
from .seats import Seats
from .settings import ServeSettings

__all__ = ["ENDING_SECONDS", "Entrance"]

ENDING_SECONDS = 3
"""After so long, who is refused since the server ends finds another one, or the one after it."""


class Entrance:
    """One server's shared state; in `settings["chat_magics"]` of its handlers.

    Args:
        serving: the settings of the server.
        config: the settings of the chat, which its kernels have too.
        kernels: the kernel manager.
    """

    def __init__(self, serving: ServeSettings, config: ChatConfig, kernels: Any) -> None:
        self.serving = serving
        self.config = config
        self.admin_token = secrets.token_hex(32)
        self.seats = Seats(kernels, serving.idle_minutes * 60)
        self.people = People()
        redis = {"cache": config.cache_url, "limits": config.limits}
        used = {part: url for part, url in redis.items() if url}
        self.metrics = Metrics(config.home / "logs", self.seats, serving.max_sessions, used)
        self.ending = False
        self._under_way: set[object] = set()
        self._limiter = RateLimiter(config.home / "limits.db", per_minute=None, redis=config.limits)
        self.readiness = Readiness(self.people, self._limiter)

    def end(self) -> None:
        """Nobody else is let in: the server ends once what is under way has ended."""
        self.ending = True

    def refusal(self) -> ServerUnavailable:
        """What is told to who asks while the server ends."""
        return ServerUnavailable(
            "this server is ending: ask again in a moment", retry_after=ENDING_SECONDS
        )

    @contextmanager
    def answering(self, handler: object) -> Iterator[None]:
        """Notes that a program is answered, so that the server does not end before.

        Raises:
            ServerUnavailable: the server is ending.
        """
        if self.ending:
            raise self.refusal()
        self._under_way.add(handler)
        try:
            yield
        finally:
            self._under_way.discard(handler)

    @property
    def under_way(self) -> list[object]:
        """The handlers that answer now."""
        return list(self._under_way)

    async def idle(self) -> bool:
        """True where no reply is under way, of a program or in a page."""
        return not self._under_way and not await self.seats.answering()

    async def page_load(self, address: str) -> float:
        """0 where one more page may be loaded from an address, else seconds to wait."""
        return await self._wait(f"pages {address}", self.serving.page_loads_per_minute)

    async def request(self, address: str) -> float:
        """The same for a prompt that a program sends."""
        limit = self.config.requests_per_minute_per_address
        return await self._wait(f"from {address}", limit) if limit else 0.0

    async def _wait(self, identity: str, limit: int) -> float:
        return await asyncio.to_thread(self._limiter.acquire, identity, limit)

    def may_measure(self, request: HTTPServerRequest) -> bool:
        """True where a request may see the metrics: it has the token, or is of our network."""
        if not self.serving.authenticates:
            return True
        shown = request.headers.get("Authorization", "").partition(" ")[2].strip()
        token = self.serving.token
        if token and hmac.compare_digest(shown.encode(), token.get_secret_value().encode()):
            return True
        came_through_a_proxy = "X-Forwarded-For" in request.headers
        return not came_through_a_proxy and self.serving.trusts(str(request.remote_ip))

    def close(self) -> None:
        """Closes the sessions."""
        self.people.close()
