"""Sending: how one request is to be sent, and who is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

__all__ = ["Sending"]


@dataclass(frozen=True)
class Sending:
    """How one request is to be sent.

    Args:
        use_cache: False neither reads nor writes the cache.
        refresh: True asks the server even where the cache has an answer, and stores the new one.
        on_request: called for each HTTP request that goes out.
        on_reasoning: called with the thoughts that the server shows apart from the reply, as they
            come; they are those of the HTTP request that went out last.
        within_budget: raises where a budget would be passed; called after the cache, before a
            request.
        whole: take the reply in one piece, which costs a sixth of a stream.
        waits_for_limits: False hands on at once that the server asks to wait, for who waits for
            many requests together.
        on_headers: called with the headers of the answer, once it is whole.
    """

    use_cache: bool = True
    refresh: bool = False
    within_budget: Callable[[], Awaitable[None]] | None = None
    on_request: Callable[[], None] | None = None
    on_reasoning: Callable[[str], None] | None = None
    whole: bool = False
    waits_for_limits: bool = True
    on_headers: Callable[[Mapping[str, str]], None] | None = None
