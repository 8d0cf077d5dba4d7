"""Lock files, each held by one process and thread at a time; the system frees those of the dead."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from chat_magics.errors import StoreAway

__all__ = ["file_lock", "try_file_lock"]

_LONGEST_PAUSE = 0.02


@contextmanager
def file_lock(path: Path, *, timeout: float = 30.0) -> Iterator[None]:
    """Hold the lock of this file for the length of the block.

    The file is opened anew each time: so the lock also parts threads, and a forked child does
    not inherit it. The file stays, and is empty.

    Args:
        path: the lock file; made, readable by its owner only, where it is not there.
        timeout: seconds to wait for who holds it.

    Raises:
        StoreAway: it was not free in time.
        OSError: the file cannot be made.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(handle, path, timeout)
        try:
            yield
        finally:
            _release(handle)
    finally:
        os.close(handle)


def try_file_lock(path: Path) -> Callable[[], None] | None:
    """Take the lock of this file where it is free.

    Args:
        path: as for `file_lock`.

    Returns:
        what gives it up again; None where somebody holds it.

    Raises:
        OSError: the file cannot be made.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if _try(handle):
        return partial(os.close, handle)  # which gives up the lock as well
    os.close(handle)
    return None


def _wait_for(handle: int, path: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    pause = 0.0005
    while not _try(handle):
        if time.monotonic() > deadline:
            raise StoreAway(
                f"Another process has held {path} for {timeout:g} s: end the kernel that hangs"
            )
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


if sys.platform == "win32":
    import msvcrt

    def _try(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _release(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
