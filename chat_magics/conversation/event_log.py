"""EventLog: what happened to a reply, in order; written on one thread, read from any."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator

from ..client.events import Event, Restarted, Text
from ..loop import LONGEST_SLEEP

__all__ = ["EventLog"]


class EventLog:
    """Events appended by the private loop, and followed by whoever waits for them.

    Example:
        >>> log = EventLog()
        >>> log.append(Text("Hello"))
        >>> log.end()
        >>> list(log.batches()), log.text
        ([[Text(text='Hello')]], 'Hello')
    """

    def __init__(self) -> None:
        self.ended = False
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._pieces: list[str] = []
        self._watchers: list[Callable[[], None]] = []

    @property
    def text(self) -> str:
        """The text so far, without what a restart made void."""
        return "".join(self._pieces)

    def append(self, event: Event) -> None:
        """Takes in what happened."""
        if isinstance(event, Text):
            self._pieces.append(event.text)
        elif isinstance(event, Restarted):
            self._pieces.clear()
        with self._changed:
            self._events.append(event)
        self._tell()

    def end(self) -> None:
        """Nothing more will happen."""
        with self._changed:
            self.ended = True
        self._tell()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        for watch in tuple(self._watchers):
            watch()

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the end, or for `timeout` seconds; True where it has ended."""
        until = math.inf if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self.ended and (left := until - time.monotonic()) > 0:
                self._changed.wait(min(left, LONGEST_SLEEP))
        return self.ended

    def batches(self, timeout: float = LONGEST_SLEEP) -> Generator[list[Event], None, None]:
        """All events from the beginning, in lists as they come; an empty one after `timeout` s."""
        seen = 0
        while True:
            with self._changed:
                if len(self._events) == seen and not self.ended:
                    self._changed.wait(timeout)
                fresh, ended = self._events[seen:], self.ended
            seen += len(fresh)
            if fresh or not ended:
                yield fresh
            if ended and seen == len(self._events):
                return

    async def batches_async(self) -> AsyncGenerator[list[Event], None]:
        """The same on the caller's own event loop; never an empty list."""
        loop, came = asyncio.get_running_loop(), asyncio.Event()

        def watch() -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there
                loop.call_soon_threadsafe(came.set)

        seen = 0
        self._watchers.append(watch)
        try:
            while True:
                came.clear()
                ended, fresh = self.ended, self._events[seen:]
                seen += len(fresh)
                if fresh:
                    yield fresh
                elif ended:
                    return
                else:
                    await came.wait()
        finally:
            self._watchers.remove(watch)
