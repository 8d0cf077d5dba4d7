"""A connection to PostgreSQL that gives up on a server that says nothing more.

The driver waits for ever where a server hangs: the machine still answers for it, so that neither
the network's time-outs nor the server's own, which hang as well, end that.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

__all__ = ["PatientConnection"]

T = TypeVar("T")

PING_SECONDS = 5.0
"""For the question whether a connection still lives, which is asked before each use of it."""


class PatientConnection(psycopg.Connection[Any]):
    """The driver's connection, closed once the server was silent for too long."""

    silent_seconds = 30.0

    def wait(self, gen: PQGen[T], *arguments: Any, **given: Any) -> T:
        """What the server answers.

        Raises:
            OperationalError: it says nothing; what it was asked may have been done or not.
        """
        try:
            # SQLAlchemy asks whether a connection lives outside of a transaction, and nothing else.
            seconds = PING_SECONDS if self.autocommit else self.silent_seconds
            return super().wait(_patient(gen, seconds), *arguments, **given)
        except _Silent as silent:
            self._give_up()
            raise psycopg.OperationalError(str(silent)) from None

    def _give_up(self) -> None:
        # What is asked may hold a lock there until it is cancelled. The older way to do that may
        # wait for ever itself, and all threads with it.
        if not self.autocommit and psycopg.capabilities.has_cancel_safe():
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=PING_SECONDS)
        self.close()


class _Silent(Exception):
    """The server said nothing for too long."""


def _patient(gen: PQGen[T], seconds: float) -> PQGen[T]:
    """The driver's steps, each told what has come; at each look at a silent server, nothing."""
    try:
        wanted = next(gen)
        until = time.monotonic() + seconds
        while True:
            ready = yield wanted
            if ready:
                until = time.monotonic() + seconds
            elif time.monotonic() > until:
                raise _Silent(f"the server said nothing for {seconds:g} s")
            wanted = gen.send(ready)
    except StopIteration as ended:
        result: T = ended.value
        return result
