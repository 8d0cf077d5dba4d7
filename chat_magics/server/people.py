"""People: a session for each person who asks by the API, all on one client."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from ..client import ChatClient
from ..conversation import Session

__all__ = ["People"]

MOST_IN_FILES = 64
"""Sessions that are kept open where each has the history's file open."""

MOST_ON_SERVER = 1_000
"""The same where all share a few connections to a database server."""

IDLE_SECONDS = 600.0


class People:
    """Sessions by owner, opened when somebody asks and closed when nobody did for a while.

    Any thread may ask. Each has its own view of the history, and its own budget; client, cache,
    limits and connections are common.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[str, tuple[Session, float]] = OrderedDict()
        self._lent: Counter[str] = Counter()
        self._common: Session | None = None

    @property
    def common(self) -> Session:
        """The session of the server itself, which belongs to nobody and has the client."""
        with self._lock:
            return self._first()

    def _first(self) -> Session:
        if self._common is None:
            # The API answers at once with 429 and Retry-After: a program knows how to wait.
            self._common = Session({"max_limit_wait": 0})
        return self._common

    @property
    def client(self) -> ChatClient:
        """The one client of the server."""
        return self.common.client

    @contextmanager
    def session(self, owner: str) -> Iterator[Session]:
        """The session of a person, which is not closed meanwhile; blocks while it is opened."""
        session = self._lend(owner)
        try:
            yield session
        finally:
            with self._lock:
                self._lent[owner] -= 1
                self._lent += Counter()  # without those that are not lent

    def _lend(self, owner: str) -> Session:
        with self._lock:
            client = self._first().client
            found = self._open.pop(owner, None)
            session = (
                found[0] if found else Session({"max_limit_wait": 0, "owner": owner}, client=client)
            )
            self._open[owner] = (session, time.monotonic())
            self._lent[owner] += 1
            over = self._over()
        for old in over:
            old.close()
        return session

    def _over(self) -> list[Session]:
        """Takes out who asked least lately, as far as nothing of theirs is under way."""
        before = time.monotonic() - IDLE_SECONDS
        place = self._first().config.history or ""
        most = MOST_ON_SERVER if place.startswith("postgresql") else MOST_IN_FILES
        over = []
        for owner, (session, used) in list(self._open.items()):
            if used >= before and len(self._open) <= most:
                break  # those after it were used later
            if session.idle and not self._lent[owner]:
                del self._open[owner]
                over.append(session)
        return over

    def close(self) -> None:
        """Closes all of them, and the client."""
        with self._lock:
            sessions = [session for session, _ in self._open.values()]
            self._open.clear()
            common, self._common = self._common, None
        for session in (*sessions, *([common] if common else [])):
            session.close()
