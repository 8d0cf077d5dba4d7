"""diskcache made safe: bytes only, no pickle, no value files, one connection per process.

diskcache unpickles what its database says (CVE-2025-69872, no release mends it; its JSONDisk
unpickles too, before it reads JSON). Here a row is either raw bytes in the database or refused.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import diskcache
from diskcache.core import DBNAME, DEFAULT_SETTINGS, METADATA, MODE_RAW

from chat_magics.private_files import connect

__all__ = ["RefusedEntry", "StrictCache", "StrictDisk"]

_SETTINGS = {
    **DEFAULT_SETTINGS,
    # Measured, median of a get: 12 µs so; 28 with statistics, 77 with least-recently-used (both
    # write at each get), 17 with a rollback journal. mmap gains nothing and spreads corruption.
    # WAL unguarded, in spite of the WAL-reset bug of SQLite before 3.51.3: each value is checked
    # when it is read, and a corrupt cache costs no more than asking again.
    "statistics": 0,
    "eviction_policy": "least-recently-stored",
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,
}


class RefusedEntry(ValueError):
    """The database holds something that we never write."""


class StrictDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keys are text, values are bytes inside the database; whatever else it says is refused."""

    def put(self, key: object) -> tuple[str, bool]:
        """The key as it is stored."""
        if not isinstance(key, str):
            raise TypeError("cache keys are str")
        return key, True

    def get(self, key: object, raw: object) -> str:
        """The key of a row."""
        if not raw or not isinstance(key, str):
            raise RefusedEntry("a cache key that is not text")
        return key

    def store(
        self, value: object, read: bool, key: object = None
    ) -> tuple[int, int, None, sqlite3.Binary]:
        """The columns size, mode, filename and value of a row."""
        if read or not isinstance(value, bytes):
            raise TypeError("cache values are bytes")
        return 0, MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> bytes:
        """The value of a row."""
        if read or mode != MODE_RAW or filename is not None or not isinstance(value, bytes):
            raise RefusedEntry("a cache value that is not plain bytes")
        return value

    def remove(self, file_path: str) -> None:
        """Nothing: we write no value files, so a name in the database is not one of ours."""


class StrictCache(diskcache.Cache):  # type: ignore[misc]  # diskcache has no types
    """A diskcache.Cache with one connection instead of one per thread; not thread-safe by itself.

    diskcache leaves the connections of ended threads open, which Python 3.13 reports.

    Args:
        directory: the folder, made private.
        size_limit: bytes; the entries stored first go first.
        timeout: seconds to wait for another process's lock.

    Raises:
        sqlite3.DatabaseError: the file is corrupt, or holds settings that are not diskcache's.
    """

    _connection: sqlite3.Connection | None = None

    def __init__(self, directory: Path, *, size_limit: int, timeout: float) -> None:
        self._path = directory / DBNAME
        self._lock_timeout = timeout
        try:
            self._refuse_foreign_settings()
            super().__init__(
                directory, timeout, disk=StrictDisk, **{**_SETTINGS, "size_limit": size_limit}
            )
        except BaseException:
            self.close()
            raise

    @property
    def _con(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self._path, timeout=self._lock_timeout)
            self._connection.execute("PRAGMA synchronous = NORMAL")
            # Before the first transaction, or it has no effect: diskcache measures the file, and
            # one that does not shrink would look full for ever.
            self._connection.execute("PRAGMA auto_vacuum = FULL")
        return self._connection

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _refuse_foreign_settings(self) -> None:
        """diskcache runs what its table of settings says as PRAGMA and as attributes of itself."""
        known = {*DEFAULT_SETTINGS, *METADATA}
        # diskcache waits up to 60 s for a lock while it opens: meet a stuck process here, sooner.
        self._con.execute("BEGIN IMMEDIATE")
        found = self._con.execute("SELECT name FROM sqlite_master WHERE name = 'Settings'")
        there = found.fetchone() is not None
        keys = set(self._con.execute("SELECT key FROM Settings")) if there else set()
        self._con.execute("COMMIT")
        if {key for (key,) in keys} - known:
            raise sqlite3.DatabaseError("the cache holds settings that are not diskcache's")
