"""RateLimiter: how many requests a minute may be sent.

It is asked before a request is sent, and counts over all kernels of the machine in one file, or
over several machines in Redis.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chat_magics.errors import ConfigError
from chat_magics.private_files import PerProcess
from chat_magics.redis_link import RedisAway, link_to

if TYPE_CHECKING:
    from limits.strategies import SlidingWindowCounterRateLimiter

    from chat_magics.limits_redis import CountsInRedis

__all__ = ["RateLimiter"]


class RateLimiter:
    """Admits a number of requests a minute, counted over all kernels of one machine or several.

    The minute slides: of the one before, the part counts that the last 60 s still touch. Redis
    knows each of the last 60 s, by its own clock, whatever those of the machines say. While it is
    away this machine counts alone, with the same limit, and goes on from what it let out before;
    where its file cannot be used either, this process does.

    Args:
        store: the SQLite file of the counts, made private to its owner.
        per_minute: requests a minute; None for no limit.
        redis: address of the Redis that counts for all machines; None for this one alone.
        on_fault: told where the file cannot be used: one line, and the exception.
        rest: seconds until a file that failed is tried again (default 30).

    Raises:
        ConfigError: `per_minute` is less than 1, or `store` is a URL.

    Example:
        >>> import tempfile
        >>> limiter = RateLimiter(Path(tempfile.mkdtemp()) / "limits.db", per_minute=1)
        >>> limiter.acquire("me")
        0.0
        >>> limiter.acquire("me") > 50
        True
    """

    def __init__(
        self,
        store: str | Path,
        *,
        per_minute: int | None,
        redis: str | None = None,
        on_fault: Callable[[str, BaseException], None] | None = None,
        rest: float = 30.0,
    ) -> None:
        if per_minute is not None and per_minute < 1:
            raise ConfigError(
                f"requests_per_minute is {per_minute}: give 1 or more, or None for no limit"
            )
        if "://" in str(store):
            raise ConfigError("The rate limiter counts in a file: give a path, and redis=URL")
        self.per_minute = per_minute
        self._on_fault = on_fault
        self._rest = rest
        self._rests_until = 0.0
        self._everywhere = _InRedis(redis) if redis else None
        self._shared = PerProcess(partial(_strategy, Path(store).expanduser()))
        self._alone = PerProcess(partial(_strategy, Path(":memory:")))

    @property
    def over_machines(self) -> bool:
        """True where Redis is to count."""
        return self._everywhere is not None

    @property
    def trouble(self) -> str | None:
        """One line about who does not count together now; None where all do who should."""
        if time.monotonic() < self._rests_until:
            return "the limits are counted by this process alone"
        away = self._everywhere.trouble if self._everywhere else None
        return away and f"the limits are counted by this machine alone: {away}"

    def acquire(self, identity: str, per_minute: int | None = None, amount: int = 1) -> float:
        """Admit and count one request, or say how long to wait.

        Args:
            identity: whose requests are counted together.
            per_minute: the limit for this identity; the common one by default.
            amount: what it counts for; more than the limit counts as the limit.

        Returns:
            0.0 where the request is admitted, else seconds until the next try makes sense.
        """
        limit = per_minute or self.per_minute
        if limit is None:
            return 0.0
        amount = min(amount, limit)
        if self._everywhere is None:
            return self._on_this_machine(limit, identity, amount)
        try:
            wait = self._everywhere.ask(limit, identity, amount)
        except RedisAway:
            return self._on_this_machine(limit, identity, amount)
        if not wait:
            self._on_this_machine(limit, identity, amount)  # for when Redis is away
        return wait

    def _on_this_machine(self, limit: int, identity: str, amount: int) -> float:
        if time.monotonic() >= self._rests_until:
            try:
                with self._shared.use() as strategy:
                    return _ask(strategy, limit, identity, amount)
            except (sqlite3.Error, OSError) as error:
                self._rests_until = time.monotonic() + self._rest
                if self._on_fault is not None:
                    self._on_fault(
                        f"the rate limit is counted by this kernel alone for now: {error}", error
                    )
        with self._alone.use() as strategy:
            return _ask(strategy, limit, identity, amount)


class _InRedis:
    """Counts in Redis, by the link of this process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: tuple[Any, CountsInRedis] | None = None

    @property
    def trouble(self) -> str | None:
        return link_to(self._url).trouble

    def ask(self, limit: int, identity: str, amount: int) -> float:
        link = link_to(self._url)
        counts = self._of(link.client())  # its imports are not to count as Redis' time
        return link.call(lambda _: counts.ask(limit, identity, amount))

    def _of(self, client: Any) -> CountsInRedis:
        if self._made is None or self._made[0] is not client:
            from chat_magics.limits_redis import CountsInRedis

            self._made = (client, CountsInRedis(client))
        return self._made[1]


def _strategy(path: Path) -> SlidingWindowCounterRateLimiter:
    # limits costs 120 ms of import, and only who sets a limit needs it.
    from limits.strategies import SlidingWindowCounterRateLimiter

    from chat_magics.limits_sqlite import SQLiteStorage

    return SlidingWindowCounterRateLimiter(SQLiteStorage(path=path))


def _ask(
    strategy: SlidingWindowCounterRateLimiter, per_minute: int, identity: str, amount: int
) -> float:
    from limits import RateLimitItemPerMinute

    item = RateLimitItemPerMinute(per_minute)
    if strategy.hit(item, identity, cost=amount):
        return 0.0
    expiry = item.get_expiry()
    storage: Any = strategy.storage
    window = storage.get_sliding_window(item.key_for(identity), expiry)
    return max(0.01, _seconds_until_free(window, per_minute - amount + 1, expiry))


def _seconds_until_free(window: tuple[int, float, int, float], limit: int, expiry: float) -> float:
    """Seconds until previous * (its part still within the window) + current is under the limit."""
    previous, previous_left, current, current_left = window
    if current >= limit:
        return current_left - expiry + 0.01  # then it becomes the previous one, and fades
    return previous_left - (limit - current) * expiry / previous + 0.01 if previous else 0.0
