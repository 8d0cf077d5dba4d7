"""People: a session for each person who asks by the API, all on one client."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from ..client import ChatClient
from ..conversation import Session

__all__ = ["People"]

MOST_OPEN = 64
IDLE_SECONDS = 600.0


class People:
    """Sessions by owner, opened when somebody asks and closed when nobody did for a while.

    Any thread may ask. Each has its own view of the history, and its own budget; client, cache,
    limits and connections are common.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[str, tuple[Session, float]] = OrderedDict()
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

    def session(self, owner: str) -> Session:
        """The session of a person."""
        with self._lock:
            client = self._first().client
            found = self._open.pop(owner, None)
            session = (
                found[0] if found else Session({"max_limit_wait": 0, "owner": owner}, client=client)
            )
            self._open[owner] = (session, time.monotonic())
            over = self._over()
        for old in over:
            old.close()
        return session

    def _over(self) -> list[Session]:
        """Takes out who asked least lately, as far as nothing of theirs is under way."""
        before = time.monotonic() - IDLE_SECONDS
        over = []
        for owner, (session, used) in list(self._open.items())[:-1]:
            if session.idle and (used < before or len(self._open) > MOST_OPEN):
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
