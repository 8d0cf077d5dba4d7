"""What an answer from the cache costs."""

from __future__ import annotations

import time
from statistics import median

from chat_magics import ChatRequest, Message, Session

from .pairs import Row
from .place import Place

__all__ = ["cache_hit"]

_HITS = 2_000
_LIMIT_MS = 0.2


def cache_hit(place: Place) -> list[Row]:
    """A hit of the client, and the requests that reach the server meanwhile."""
    session = Session(place.settings())
    try:
        config = session.config
        asked = Message(role="user", content="tokens=200, and always the same")
        request = ChatRequest(base_url=config.base_url, model=config.model, messages=(asked,))
        session.client.complete(request)
        before = place.asked()
        took = median(_timed(session, request) for _ in range(_HITS)) * 1000
        requests = place.asked() - before
    finally:
        session.close()
    ours = f"{took:.3f} ms, {requests} requests"
    ok = took <= _LIMIT_MS and requests == 0
    return [
        Row(
            "cache hit of the client, median",
            "–",
            ours,
            took,
            _LIMIT_MS,
            ok,
            unit="ms",
        )
    ]


def _timed(session: Session, request: ChatRequest) -> float:
    started = time.perf_counter()
    found = session.client.complete(request)
    took = time.perf_counter() - started
    assert found.cached
    return took
