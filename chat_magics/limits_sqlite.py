"""A storage for the `limits` library in one SQLite file: exact over all processes of a machine.

Importing this module registers it for URLs `sqlite:////folder/file`. Every decision is one
transaction that holds the write lock from its start (BEGIN IMMEDIATE).
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from limits.storage import SlidingWindowCounterSupport, Storage

from chat_magics.private_files import PerProcess, connect, is_corrupt, set_aside

__all__ = ["SQLiteStorage"]

_LOCK_TIMEOUT = 2.0
"""Seconds to wait for another process; a decision holds the lock for well under a millisecond."""


class _Window(NamedTuple):
    """Hits of one key: those of the window that began at `start`, and of the one before."""

    start: float
    previous: int
    current: int

    def at(self, now: float, expiry: int) -> _Window:
        """The same key as time went on."""
        if now >= self.start + 2 * expiry:
            return _Window(now, 0, 0)
        if now >= self.start + expiry:
            return _Window(self.start + expiry, self.current, 0)
        # Where the clock was set back, the window begins anew with its hits: it admits no more
        # than it should, and nobody waits until the clock has caught up.
        return self._replace(start=min(self.start, now))


class SQLiteStorage(Storage, SlidingWindowCounterSupport):
    """Counters of the strategies sliding window counter and fixed window, in one file.

    A sliding window begins with a key's first hit, as in the library's Redis storage, so that
    the turn of a minute admits nobody twice.

    Args:
        uri: `sqlite:////folder/file`, where `path` is not given.
        wrap_exceptions: raise `limits.errors.StorageError` instead of `sqlite3.Error`.
        path: the file, or `:memory:` for counters of this process alone.

    Raises:
        sqlite3.Error: at any use, where SQLite refuses; a corrupt file is set aside first, so
            the use after that starts with an empty one.
        OSError: at any use, where the folder or the file cannot be made.
    """

    STORAGE_SCHEME = ["sqlite"]  # noqa: RUF012 - declared so by the library

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        *,
        path: str | Path = "",
        **options: float | str | bool,
    ) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self._path = Path(path or unquote(urlsplit(uri or "").path))
        self._connection = PerProcess(partial(_open, self._path), sqlite3.Connection.close)

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What the library takes as a fault of the storage."""
        return sqlite3.Error

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count `amount` hits, where both windows, weighted, leave room for them."""

        def admitted(window: _Window, now: float) -> _Window | None:
            weighted = window.previous * (window.start + expiry - now) / expiry + window.current
            if math.floor(weighted) + amount > limit:
                return None
            return window._replace(current=window.current + amount)

        return self._count(key, expiry, admitted) is not None

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Hits and seconds to live of the previous window, then of the current one."""
        now = time.time()
        window = (self._read(key) or _Window(now, 0, 0)).at(now, expiry)
        left = window.start + expiry - now
        return window.previous, left if window.previous else 0.0, window.current, left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget the hits of one key."""
        self.clear(key)

    def incr(self, key: str, expiry: int, amount: int = 1, *, elastic_expiry: bool = False) -> int:
        """Count `amount` hits in a fixed window; gives its hits."""
        if elastic_expiry:  # limits 4 passes it, and True only for a strategy that 5 dropped
            raise NotImplementedError("windows that grow with each hit are not kept here")

        def counted(window: _Window, now: float) -> _Window:
            return window._replace(current=window.current + amount)

        window = self._count(key, expiry, counted)
        return window.current if window else 0

    def get(self, key: str) -> int:
        """Hits of a fixed window."""
        window = self._read(key)
        return window.current if window and time.time() < self.get_expiry(key) else 0

    def get_expiry(self, key: str) -> float:
        """When a fixed window ends, in seconds since the epoch."""
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT start + expiry FROM window WHERE key = ?", (key,)
            ).fetchone()
        return float(row[0]) if row else time.time()

    def check(self) -> bool:
        """True where the file can be used."""
        try:
            with self._transaction():
                return True
        except (sqlite3.Error, OSError):
            return False

    def reset(self) -> int | None:
        """Forget all hits; gives the number of keys."""
        with self._transaction() as connection:
            return connection.execute("DELETE FROM window").rowcount

    def clear(self, key: str) -> None:
        """Forget the hits of one key."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM window WHERE key = ?", (key,))

    def _read(self, key: str) -> _Window | None:
        with self._transaction() as connection:
            return _stored(connection, key)

    def _count(
        self, key: str, expiry: int, change: Callable[[_Window, float], _Window | None]
    ) -> _Window | None:
        """Store what `change` makes of the key's window; nothing where it gives None."""
        with self._transaction() as connection:
            now = time.time()  # under the lock: the order of the hits is the order of their times
            stored = _stored(connection, key)
            window = change((stored or _Window(now, 0, 0)).at(now, expiry), now)
            if window is not None:
                if stored is None:
                    connection.execute("DELETE FROM window WHERE start + 2 * expiry < ?", (now,))
                connection.execute(
                    "INSERT OR REPLACE INTO window VALUES (?, ?, ?, ?, ?)", (key, expiry, *window)
                )
            return window

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection.use() as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            if is_corrupt(error):
                self._connection.close()
                set_aside(self._path)
            raise


def _open(path: Path) -> sqlite3.Connection:
    connection = connect(path, timeout=_LOCK_TIMEOUT)
    try:
        # No WAL: nothing to switch at creation, which fails when two processes do it at once.
        # Not synchronous: counters of one minute need not outlive a power cut.
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS window (key TEXT PRIMARY KEY, expiry INTEGER NOT NULL,"
            " start REAL NOT NULL, previous INTEGER NOT NULL, current INTEGER NOT NULL)"
            " WITHOUT ROWID"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def _stored(connection: sqlite3.Connection, key: str) -> _Window | None:
    row = connection.execute(
        "SELECT start, previous, current FROM window WHERE key = ?", (key,)
    ).fetchone()
    return _Window(*row) if row else None
