"""The cache in Redis, for several machines: a CacheStore beside DiskStore."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from chat_magics.cache_store import StoreStats
from chat_magics.redis_link import PREFIX, link_to

__all__ = ["RedisStore"]

T = TypeVar("T")

_PAGE = 500
"""Keys that are looked at together: so that no single call takes long, and blocks others there."""

_TOGETHER = 100
"""Values that are fetched together: each call must be over in time."""


class RedisStore:
    """Bytes by key in a Redis, which forgets them when their time is over.

    How much it holds is Redis' own affair: `maxmemory`, and a policy that lets go of something.

    Args:
        url: of the Redis.
        prefix: what its keys begin with; others are left alone.

    Raises:
        RedisAway: at any use, where Redis cannot be used.
    """

    def __init__(self, url: str, prefix: str = f"{PREFIX}reply:") -> None:
        self._url = url
        self._prefix = prefix

    def get(self, key: str) -> bytes | None:
        """The bytes, or None where there are none or they have expired."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The bytes of each key, or None."""
        found: list[bytes | None] = []
        for start in range(0, len(keys), _TOGETHER):
            page = [self._prefix + key for key in keys[start : start + _TOGETHER]]
            found += self._call(partial(_values, page))
        return found

    def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep the bytes for `ttl` seconds."""
        lives = max(1, round(ttl * 1000))
        self._call(lambda client: client.set(self._prefix + key, value, px=lives))

    def clear(self) -> int:
        """Remove all entries; gives how many there were."""
        return sum(self._call(partial(_remove, page)) for page in self._pages())

    def stats(self) -> StoreStats:
        """How full the store is."""
        sizes = [self._call(partial(_sizes, page)) for page in self._pages()]
        return StoreStats(sum(map(len, sizes)), sum(map(sum, sizes)))

    def close(self) -> None:
        """Nothing: the connections are those of the process, and others may use them."""

    def _call(self, action: Callable[[Any], T]) -> T:
        return link_to(self._url).call(action)

    def _pages(self) -> Iterator[list[bytes]]:
        """All our keys, some at a time; each once, though a SCAN may name one again."""
        pattern, cursor = f"{_literally(self._prefix)}*", 0
        seen: set[bytes] = set()
        while True:
            cursor, found = self._call(partial(_scan, pattern, cursor))
            page = list(set(found) - seen)
            seen.update(page)
            if page:
                yield page
            if not cursor:
                return


def _values(keys: list[str], client: Any) -> list[bytes | None]:
    values: list[bytes | None] = client.mget(keys)
    return values


def _remove(keys: list[bytes], client: Any) -> int:
    return int(client.unlink(*keys))


def _scan(pattern: str, cursor: int, client: Any) -> tuple[int, list[bytes]]:
    found: tuple[int, list[bytes]] = client.scan(cursor, match=pattern, count=_PAGE)
    return found


def _sizes(keys: list[bytes], client: Any) -> list[int]:
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.strlen(key)
        return [int(size) for size in pipeline.execute()]


def _literally(text: str) -> str:
    """The text as a pattern that matches it alone."""
    return "".join(f"\\{each}" if each in "*?[]^\\" else each for each in text)
