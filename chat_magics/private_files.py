"""Files of ours on this machine: readable by their owner only, opened once per process.

The cache, the rate limiter and the log share these rules: new folders 0700, files 0600,
nothing that was opened before a fork is used after it, a corrupt SQLite file is set aside.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["PerProcess", "connect", "is_corrupt", "private_folder", "set_aside"]

T = TypeVar("T")


class _Here(Generic[T]):
    """What one process has opened, and the lock of its threads."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.closing: weakref.finalize[..., object] | None = None
        self.value: T | None = None


class PerProcess(Generic[T]):
    """One value per process: made at first use, anew after a fork, closed at the latest at exit.

    Args:
        make: makes the value; called under the lock, so once per process. Give it a function
            that does not refer to the owner, so that the owner can be collected.
        close: closes the value; None where there is nothing to close.

    Example:
        >>> opened = PerProcess(list)
        >>> with opened.use() as value:
        ...     value.append(1)
        >>> with opened.use() as value:
        ...     value
        [1]
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], object] | None = None) -> None:
        self._make = make
        self._close = close
        self._here: _Here[T] = _Here()

    @contextmanager
    def use(self) -> Iterator[T]:
        """The value, for one thread at a time."""
        here = self._here
        if here.pid != os.getpid():
            # The parent's lock may be held for ever, and closing the parent's SQLite connection
            # here could roll its transaction back; `closing` keeps it alive and untouched.
            here = self._here = _Here()
        with here.lock:
            if here.closing is None:
                value = self._make()
                here.value = value
                here.closing = weakref.finalize(self, _close_in, here.pid, self._close, value)
            yield here.value  # type: ignore[misc]  # a T since `closing` is set

    def made(self) -> T | None:
        """The value without waiting for its turn; None where this process has not made it."""
        here = self._here
        return here.value if here.pid == os.getpid() else None

    def close(self) -> None:
        """Close what this process has opened; the next use opens it again."""
        here = self._here
        if here.pid != os.getpid():
            return
        with here.lock:
            closing, here.closing, here.value = here.closing, None, None
        if closing is not None:
            closing()


def _close_in(pid: int, close: Callable[[T], object] | None, value: T) -> None:
    if close is not None and pid == os.getpid():
        close(value)


def private_folder(folder: Path) -> Path:
    """The folder, made where it is missing, then open to its owner only.

    One that is there stays as it is: it may be somebody's home, or shared on purpose.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.parent.exists():
        private_folder(folder.parent)  # mkdir gives the mode to the last of several only
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def connect(path: Path, *, timeout: float) -> sqlite3.Connection:
    """A connection in autocommit mode to a private SQLite file, made where it is missing.

    Args:
        path: the file, or `:memory:`.
        timeout: seconds to wait for another process's lock.
    """
    if str(path) != ":memory:":
        private_folder(path.parent)
        # Only a new file is opened by us: closing any descriptor of a file gives up every lock
        # that this process holds on it (POSIX), another connection's ones too.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    connection = sqlite3.connect(
        path, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def is_corrupt(error: BaseException) -> bool:
    """True where SQLite says that the file is damaged or no database, False for any other fault."""
    # Locked, full and read-only are OperationalError, a subclass; Python 3.10 has no error codes.
    return type(error) is sqlite3.DatabaseError


def set_aside(path: Path) -> Path:
    """Move a corrupt SQLite file out of the way, over one set aside before; gives its new name."""
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    aside = path.with_name(path.name + ".corrupt")
    with suppress(FileNotFoundError):  # another process was faster
        path.replace(aside)
    return aside
