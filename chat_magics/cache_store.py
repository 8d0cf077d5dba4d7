"""Where the cache keeps its bytes: CacheStore, and DiskStore: one folder of this machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from chat_magics.interpreter import while_importing
from chat_magics.private_files import PerProcess, is_corrupt, set_aside

if TYPE_CHECKING:
    from chat_magics.cache_disk import StrictCache

__all__ = ["CacheStore", "DiskStore", "StoreStats"]

T = TypeVar("T")

_LOCK_TIMEOUT = 1.0
"""Seconds to wait for another process that writes; the private loop waits with us."""


@dataclass(frozen=True)
class StoreStats:
    """How full a store is.

    Args:
        entries: values held, expired ones that were not yet removed included.
        size_bytes: bytes that they take.
    """

    entries: int
    size_bytes: int


class CacheStore(Protocol):
    """Bytes by key, with a time to live, for all threads.

    Any method may raise: the cache takes it as a miss.
    """

    def get(self, key: str) -> bytes | None:
        """The bytes, or None where there are none or they have expired."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The same for many keys, in their order."""

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

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The bytes of each key, or None; a row that we cannot have written is none."""
        found: list[bytes | None] = []
        for key in keys:
            try:
                found.append(self.get(key))
            except ValueError:
                found.append(None)
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
