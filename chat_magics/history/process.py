"""Which process writes a row, and whether that process still lives."""

from __future__ import annotations

import os
import socket
import sys
from typing import NamedTuple

try:
    import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
except ModuleNotFoundError:  # it comes with ipykernel; where it is stripped, the pid must do
    psutil = None

__all__ = ["ProcessMark", "this_process"]

_SAME_START = 2.0
"""Seconds by which two readings of one process's start may differ when the clock is set."""


class ProcessMark(NamedTuple):
    """Names one process for good: a pid alone is given out again.

    Example:
        >>> this_process().alive
        True
    """

    host: str
    pid: int
    started: float | None

    @property
    def alive(self) -> bool | None:
        """True or False for a process of this machine; None where that cannot be told."""
        if self.host != socket.gethostname():
            return None
        if psutil is None:
            return _pid_in_use(self.pid)
        try:
            process = psutil.Process(self.pid)
            started: float = process.create_time()
            zombie = process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return None
        if zombie:
            return False
        return self.is_at(started)

    def is_at(self, started: float | None) -> bool:
        """True where the process of this pid that started then is this one, as far as known."""
        if self.started is None or started is None:
            return True
        return abs(started - self.started) < _SAME_START


def _pid_in_use(pid: int) -> bool | None:
    if sys.platform == "win32":  # there, signal 0 is not a question but an event
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def this_process() -> ProcessMark:
    """The mark of the process that calls."""
    started = None if psutil is None else psutil.Process().create_time()
    return ProcessMark(socket.gethostname(), os.getpid(), started)
