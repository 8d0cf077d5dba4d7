"""Answers that were already paid for: CompletionCache, over a store of bytes with a time to live.

The store keeps bytes by key and may fail; the cache knows what they mean and never fails: each
fault of the store is a miss and a counter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from chat_magics.cache_store import CacheStore, DiskStore, StoreStats
from chat_magics.messages import ChatRequest, Completion
from chat_magics.private_files import PerProcess
from chat_magics.redis_link import RedisAway

__all__ = ["CacheStats", "CacheStore", "CompletionCache", "DiskStore", "StoreStats"]

T = TypeVar("T")


class _Entry(BaseModel):
    """What a stored value holds; the completion as a hit returns it, its `stored_at` included."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = 1
    completion: Completion


@dataclass
class _Counts:
    hits: int = 0
    misses: int = 0
    faults: int = 0


@dataclass(frozen=True)
class CacheStats:
    """What the cache holds, and what it did for this process.

    Args:
        entries: answers held.
        size_bytes: bytes that they take.
        hits: answers given from the cache.
        misses: lookups that found nothing, faults included.
        faults: failures of the store.
    """

    entries: int
    size_bytes: int
    hits: int
    misses: int
    faults: int


class CompletionCache:
    """Whole answers by what was asked. A fault of the store is a miss, never an error.

    Args:
        store_or_factory: where the bytes are kept, or a function that opens it, called at first
            use and again in a forked child.
        ttl: seconds that an answer is good for (default one hour).
        remote: True where the store is asked over a network: an event loop asks it on a thread.
        on_fault: told of each fault: one line, and the exception; but not that Redis is away,
            which its link tells.

    Example:
        >>> import tempfile
        >>> from chat_magics.messages import Message
        >>> cache = CompletionCache(DiskStore(tempfile.mkdtemp()))
        >>> hello = Message(role="user", content="Hello")
        >>> request = ChatRequest(base_url="demo", model="demo", messages=(hello,))
        >>> cache.put(request, Completion(text="Hi.", model="demo", finish_reason="stop"))
        True
        >>> hit = cache.get(request)
        >>> hit.text, hit.cached, hit.attempts
        ('Hi.', True, 0)
    """

    def __init__(
        self,
        store_or_factory: CacheStore | Callable[[], CacheStore],
        *,
        ttl: float = 3600.0,
        remote: bool = False,
        on_fault: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self.ttl = ttl
        self.remote = remote
        self._on_fault = on_fault
        given = store_or_factory
        self._store: PerProcess[CacheStore] = PerProcess(
            given if callable(given) else lambda: given, lambda store: store.close()
        )
        self._counts = PerProcess(_Counts)

    @property
    def hits(self) -> int:
        """Answers that this process was given from the cache."""
        with self._counts.use() as counts:
            return counts.hits

    @property
    def misses(self) -> int:
        """Lookups of this process that found nothing, faults included."""
        with self._counts.use() as counts:
            return counts.misses

    @property
    def faults(self) -> int:
        """Failures of the store that this process met."""
        with self._counts.use() as counts:
            return counts.faults

    def get(self, request: ChatRequest) -> Completion | None:
        """The stored answer, marked as cached, or None; its times are those it was stored with.

        They are of the first answer, as far as they were known then: who hands a hit on measures
        anew.
        """
        return self.get_key(request.key)

    def get_key(self, key: str) -> Completion | None:
        """The same for who knows the request's key already."""
        found = self._guard("read", lambda store: _fresh(store.get(key), self.ttl), None)
        self._count(found is not None)
        return found

    def get_keys(self, keys: Sequence[str]) -> dict[str, Completion]:
        """The answers to those of many requests that have one, by their keys."""
        nothing: list[bytes | None] = [None] * len(keys)
        stored = self._guard("read", lambda store: store.get_many(keys), nothing)
        found: dict[str, Completion] = {}
        for key, value in zip(keys, stored, strict=True):
            # One that cannot be read leaves the others.
            answer = self._guard("read", partial(self._read, value), None)
            self._count(answer is not None)
            if answer is not None:
                found[key] = answer
        return found

    def _read(self, value: bytes | None, store: CacheStore) -> Completion | None:
        return _fresh(value, self.ttl)

    def _count(self, hit: bool) -> None:
        with self._counts.use() as counts:
            if hit:
                counts.hits += 1
            else:
                counts.misses += 1

    def put(self, request: ChatRequest, completion: Completion) -> bool:
        """Keep the answer, if it is a whole one that came from a server; True where it is kept."""
        if completion.finish_reason != "stop" or completion.cached:
            return False
        entry = _Entry(
            completion=completion.model_copy(
                update={
                    "cached": True,
                    "stored_at": datetime.now(timezone.utc),
                    "attempts": 0,
                    "wasted": None,
                }
            )
        )

        def keep(store: CacheStore) -> bool:
            store.set(request.key, entry.model_dump_json().encode(), self.ttl)
            return True

        return self._guard("written", keep, False)

    def clear(self) -> int:
        """Remove all answers; gives how many there were, 0 where the store fails."""
        return self._guard("cleared", lambda store: store.clear(), 0)

    def stats(self) -> CacheStats:
        """What the cache holds, and what it did for this process."""
        held = self._guard("read", lambda store: store.stats(), StoreStats(0, 0))
        with self._counts.use() as counts:
            return CacheStats(
                held.entries, held.size_bytes, counts.hits, counts.misses, counts.faults
            )

    def close(self) -> None:
        """Close the store; the next use opens it again."""
        self._store.close()

    def _guard(self, what: str, action: Callable[[CacheStore], T], otherwise: T) -> T:
        try:
            with self._store.use() as store:
                pass  # who waits for it must not make all others wait: a store minds its threads
            return action(store)
        except Exception as error:  # noqa: BLE001 - the ring's boundary: no chat ends for its cache
            with self._counts.use() as counts:
                counts.faults += 1
            if self._on_fault is not None and not isinstance(error, RedisAway):
                self._on_fault(f"the answer cache could not be {what}: {error}", error)
            return otherwise


def _fresh(stored: bytes | None, ttl: float) -> Completion | None:
    if stored is None:
        return None
    completion = _Entry.model_validate_json(stored).completion
    if completion.stored_at is None:
        raise ValueError("a cached answer without the time it was stored")
    # The store counts the ttl of the day it was stored; a shorter one set since holds as well.
    age = (datetime.now(timezone.utc) - completion.stored_at).total_seconds()
    return completion if age <= ttl else None
