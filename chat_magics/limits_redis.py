"""The limits of several machines together: the `limits` library on Redis, by Redis' own clock.

A window that moves: no 60 s hold more than the limit, wherever they begin. (The sliding window
counter that the file uses takes what came in the minute before as spread evenly; a burst at its
end, and then one request after the other, got nearly twice the limit through within 60 s.)
"""

from __future__ import annotations

from typing import Any

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from chat_magics.redis_link import PREFIX

__all__ = ["CountsInRedis", "RedisTimeStorage"]


class RedisTimeStorage(RedisStorage):
    """The library's storage, asked what time it is instead of this machine.

    With each machine's own time, as the library does it, machines whose clocks are apart had the
    whole limit each.

    Args:
        client: whose connections are used: an address would bring the package's own time limits
            and retries, with which a call to a Redis that is away takes seconds, or never ends.
    """

    def __init__(self, client: Any) -> None:
        super().__init__("redis://", connection_pool=client.connection_pool)
        self._client = client

    def prefixed_key(self, key: str) -> str:
        """The key as Redis knows it."""
        return f"{PREFIX}{key}"

    def now(self) -> float:
        """Seconds since the epoch."""
        seconds, micros = self._client.time()
        return float(seconds) + float(micros) / 1e6

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` hits, where the last `expiry` seconds leave room for them."""
        arguments = [self.now(), limit, expiry, amount]
        return bool(self.lua_acquire_moving_window([self.prefixed_key(key)], arguments))

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the window began, and the hits in it."""
        now = self.now()
        found = self.lua_moving_window([self.prefixed_key(key)], [now - expiry, limit])
        return (float(found[0]), int(found[1])) if found else (now, 0)

    def seconds_until(self, key: str, limit: int, expiry: int, amount: int) -> float:
        """Seconds until there is room for `amount` hits."""
        in_the_way = self._client.lindex(self.prefixed_key(key), limit - amount)
        return float(in_the_way) + expiry - self.now() if in_the_way else 0.0


class CountsInRedis:
    """Counts requests by identity.

    Args:
        client: of the Redis.
    """

    def __init__(self, client: Any) -> None:
        self._storage = RedisTimeStorage(client)
        self._strategy = MovingWindowRateLimiter(self._storage)

    def ask(self, per_minute: int, identity: str, amount: int) -> float:
        """0.0 where it is counted, else seconds until the next try makes sense."""
        item = RateLimitItemPerMinute(per_minute, namespace="limit")
        if self._strategy.hit(item, identity, cost=amount):
            return 0.0
        key, expiry = item.key_for(identity), item.get_expiry()
        return max(0.01, self._storage.seconds_until(key, per_minute, expiry, amount))
