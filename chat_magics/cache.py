"""Answers that were already paid for: CompletionCache, over a store of bytes with a time to live.

The store keeps bytes by key and may fail; the cache knows what they mean and never fails: each
fault of the store is a miss and a counter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from chat_magics.interpreter import while_importing
from chat_magics.messages import ChatRequest, Completion
from chat_magics.private_files import PerProcess, is_corrupt, set_aside

if TYPE_CHECKING:
    from chat_magics.cache_disk import StrictCache

__all__ = ["CacheStats", "CacheStore", "CompletionCache", "DiskStore", "StoreStats"]

T = TypeVar("T")

_LOCK_TIMEOUT = 1.0
"""Seconds to wait for another process that writes; the private loop waits with us."""


@dataclass(frozen=True)
class StoreStats:
    """How full a store is.

    Args:
        entries: values held, expired ones that were not yet removed included.
        size_bytes: bytes on the disk.
    """

    entries: int
    size_bytes: int


class CacheStore(Protocol):
    """Bytes by key, with a time to live. Any method may raise: the cache takes it as a miss."""

    def get(self, key: str) -> bytes | None:
        """The bytes, or None where there are none or they have expired."""

    def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep the bytes for `ttl` seconds."""

    def clear(self) -> int:
        """Remove all entries; gives how many there were."""

    def stats(self) -> StoreStats:
        """How full the store is."""

    def close(self) -> None:
        """Close files; the next use opens them again."""


class DiskStore:
    """A CacheStore in one folder of this machine, shared by its processes; opened at first use.

    Args:
        directory: the folder; a new one is private to its owner (0700), its files always are.
        size_limit: bytes (default 256 MiB); beyond it the entries stored first go first.

    Raises:
        OSError: at any use, where the folder or the file cannot be used. A corrupt file is set
            aside first, so the use after that starts with an empty one.
        sqlite3.Error: at any use, where SQLite refuses: locked for long, disk full.

    Example:
        >>> import tempfile
        >>> store = DiskStore(tempfile.mkdtemp())
        >>> store.set("key", b"value", ttl=60)
        >>> store.get("key")
        b'value'
    """

    def __init__(self, directory: str | Path, size_limit: int = 256 * 2**20) -> None:
        self.directory = Path(directory).expanduser()
        self._cache = PerProcess(
            partial(_open, self.directory, size_limit), lambda cache: cache.close()
        )

    def get(self, key: str) -> bytes | None:
        """The bytes, or None; raises RefusedEntry for a row that we cannot have written."""
        found: bytes | None = self._run(lambda cache: cache.get(key))
        return found

    def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep the bytes for `ttl` seconds."""
        self._run(lambda cache: cache.set(key, value, expire=ttl))

    def clear(self) -> int:
        """Remove all entries; gives how many there were."""
        return int(self._run(lambda cache: cache.clear()))

    def stats(self) -> StoreStats:
        """How full the store is."""
        return self._run(lambda cache: StoreStats(len(cache), int(cache.volume())))

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        self._cache.close()

    def _run(self, action: Callable[[StrictCache], T]) -> T:
        try:
            with self._cache.use() as cache:
                return action(cache)
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
            self._cache.close()
            aside = set_aside(self.directory / "cache.db")
            raise OSError(f"the cache file was corrupt and is now {aside.name}: {error}") from error


def _open(directory: Path, size_limit: int) -> StrictCache:
    # diskcache costs 30 to 50 ms of import, and nobody who does not ask needs it.
    with while_importing():
        from chat_magics.cache_disk import StrictCache

    return StrictCache(directory, size_limit=size_limit, timeout=_LOCK_TIMEOUT)


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
        size_bytes: bytes on the disk.
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
        on_fault: told of each fault: one line, and the exception.

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
        on_fault: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self.ttl = ttl
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
        with self._counts.use() as counts:
            if found is None:
                counts.misses += 1
            else:
                counts.hits += 1
        return found

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
                return action(store)
        except Exception as error:  # noqa: BLE001 - the ring's boundary: no chat ends for its cache
            with self._counts.use() as counts:
                counts.faults += 1
            if self._on_fault is not None:
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
