"""Asking the tests' server through a ChatClient, and looking at what happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chat_magics.answering import Answering
from chat_magics.cache import CompletionCache
from chat_magics.client import Admission, ChatClient, Event, Restarted, Sending, Text, Waiting
from chat_magics.config import resolve_sourced
from chat_magics.limits import RateLimiter
from chat_magics.messages import ChatRequest, Completion, Message

__all__ = ["KEY", "Asked", "asking", "request_to", "start"]

KEY = "sk-canary-0123456789"


@contextmanager
def asking(
    url: str | None,
    *,
    cache: CompletionCache | None = None,
    limits: Path | None = None,
    **settings: Any,
) -> Iterator[ChatClient]:
    """A client of the server at this URL, or of the environment's, closed at the end.

    Its own limits are counted in the folder `limits`.
    """
    given = {"base_url": url, "api_key": KEY, "max_attempts": 2, **settings}
    client = ChatClient(*resolve_sourced(given), cache=cache)
    if limits is not None:
        limiter = RateLimiter(limits / "limits.db", per_minute=None)
        client.admission = Admission(limiter, Answering(limits / "answering"))
    try:
        yield client
    finally:
        client.close()


def request_to(client: ChatClient, prompt: str = "Hello", **more: Any) -> ChatRequest:
    """One user message to the client's server."""
    given: dict[str, Any] = {"messages": (Message(role="user", content=prompt),), **more}
    return ChatRequest(base_url=client.config.base_url, model=given.pop("model", "m"), **given)


class Asked:
    """A request under way: its events as they come, and how it ends."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.future: Future[Completion]
        self._changed = threading.Condition()

    def emit(self, event: Event) -> None:
        """Takes an event; called on the client's loop."""
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits until the events are such."""
        with self._changed:
            assert self._changed.wait_for(condition, 10), self.events

    def of(self, kind: type[Event]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self) -> str:
        """What was emitted since the last restart."""
        text = ""
        for event in self.events:
            if isinstance(event, Restarted):
                assert event.discarded == text
                text = ""
            elif isinstance(event, Text):
                text += event.text
        return text

    @property
    def waits(self) -> list[Waiting]:
        """The waits that were announced."""
        return self.of(Waiting)

    @property
    def restarts(self) -> list[Restarted]:
        """The restarts that were announced."""
        return self.of(Restarted)

    def completion(self) -> Completion:
        """The answer; raises what the request raised."""
        return self.future.result(timeout=240)


def start(
    client: ChatClient, request: ChatRequest | None = None, sending: Sending | None = None
) -> Asked:
    """Sends a request and comes back at once."""
    asked = Asked()
    sent = client.send(request or request_to(client), asked.emit, sending or Sending())
    asked.future = client.loop.submit(sent)
    return asked
