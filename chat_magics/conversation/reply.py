"""Reply: an answer while it comes, and afterwards. Nothing is sent before it is looked at."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import TYPE_CHECKING

from ..client.events import Event
from ..errors import ChatError
from ..history import new_id
from ..loop import LONGEST_SLEEP
from ..messages import Message
from .answer import Answer
from .event_log import EventLog
from .follow import Follow

if TYPE_CHECKING:
    from ..history import Exchange, Status
    from .ask import Ask
    from .conversation import Conversation

__all__ = ["Reply"]


class Reply(Answer):
    """The answer to one prompt: iterate it, `str()` it, `stop()` it.

    Iterating, `str`, `.text` and being a cell's result send it, once; `repr` does not. Made by
    `Conversation.ask`, not by hand.

    Attributes:
        id: of the exchange that it becomes.
        prompt: the prompt as typed.
        conversation: where it was asked.
        exchange: its record in history, once it was sent; the final one when it ended.
        error: the ChatError that ended it, or None.

    Example:
        >>> from chat_magics import Conversation
        >>> reply = Conversation(base_url="demo").ask("Hello")
        >>> reply
        <Reply, not sent yet: 'Hello'>
        >>> len(reply.text) > 0, reply.status
        (True, 'complete')
    """

    def __init__(
        self,
        conversation: Conversation,
        ask: Ask,
        start: Callable[[Reply], Callable[[Status], None]],
    ) -> None:
        self.id = new_id()
        self.conversation = conversation
        self.prompt = ask.prompt
        self.ask = ask
        self.exchange: Exchange | None = None
        self.error: ChatError | None = None
        self.sent_messages: tuple[Message, ...] = ()
        self._start = start
        self._stop: Callable[[Status], None] | None = None
        self._started_at = 0.0
        self._seconds: float | None = None
        self._log = EventLog()
        self._sending = threading.Lock()

    # Sending, stopping, waiting

    def send(self) -> Reply:
        """Sends it where it was not sent yet, without waiting; gives itself."""
        with self._sending:
            if self._stop is None:
                self._started_at = time.monotonic()
                self._stop = self._start(self)
        return self

    def stop(self, status: Status = "stopped") -> None:
        """Ends it at once, before the first token too; what came is kept and marked."""
        with self._sending:
            unsent = self._stop is None
            stop = self._stop = self._stop or _nothing
        if unsent:
            self.ended(None)
        elif not self.done:
            stop(status)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for its end; an interrupt stops it, keeps what came, and is raised on.

        Args:
            timeout: seconds; None waits as long as it takes.

        Returns:
            True where it has ended.
        """
        self.send()
        try:
            return self._log.wait(timeout)
        except KeyboardInterrupt:
            self.interrupt()
            raise

    def batches(self, timeout: float = LONGEST_SLEEP) -> Generator[list[Event], None, None]:
        """All events from the beginning, in lists as they come; an empty one after `timeout` s."""
        self.send()
        try:
            yield from self._log.batches(timeout)
        except KeyboardInterrupt:
            self.interrupt()
            raise

    def interrupt(self) -> None:
        """Stops it as the kernel's interrupt does, and waits until what came is kept."""
        self.stop("interrupted")
        self._log.wait(timeout=5)

    # What came

    def __iter__(self) -> Iterator[str]:
        """The text in pieces as they come.

        Who leaves the loop early, by `break` or by an error, leaves the reply to go on: `.text` is
        whole then too, and iterating anew begins at its beginning. `stop()` ends it.

        Raises:
            StreamRestarted: it was asked again, and the new text departs from what was yielded.
            ChatError: it failed.
        """
        follow = Follow()
        for events in self.batches():
            if text := follow.take(events):
                yield text
        self._raise()
        follow.end()

    async def __aiter__(self) -> AsyncIterator[str]:
        follow = Follow()
        async for events in self._batches_async():
            if text := follow.take(events):
                yield text
        self._raise()
        follow.end()

    async def _batches_async(self) -> AsyncGenerator[list[Event], None]:
        self.send()
        async with contextlib.aclosing(self._log.batches_async()) as batches:
            try:
                async for events in batches:
                    yield events
            except (asyncio.CancelledError, KeyboardInterrupt):
                self.stop("interrupted")
                raise

    async def wait_async(self) -> Reply:
        """Itself, when it has ended; cancelling the wait stops it.

        Raises:
            ChatError: it failed.
        """
        async for _ in self._batches_async():
            pass
        self._raise()
        return self

    def events(self) -> Iterator[Event]:
        """Text, waits and restarts from the beginning, as they come; raises nothing."""
        for events in self.batches():
            yield from events

    async def events_async(self) -> AsyncIterator[Event]:
        """The same where one is in async code; who leaves by being cancelled stops the reply.

        Raises:
            ChatError: it failed, once all events were given.
        """
        async with contextlib.aclosing(self._batches_async()) as batches:
            async for events in batches:
                for event in events:
                    yield event
        self._raise()

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The whole text; sends and waits.

        Raises:
            ChatError: it failed, and no text had come.
        """
        self.wait()
        text = self.text_so_far
        if not text:
            self._raise()
        return text

    @property
    def text_so_far(self) -> str:
        """What has come; neither sends nor waits."""
        return self._log.text

    @property
    def status(self) -> str:
        """`new`, `streaming`, `complete`, `stopped`, `interrupted` or `error`."""
        if self.error is not None:
            return "error"
        if self.exchange is not None:
            return self.exchange.status
        if self._log.ended:
            return "stopped"
        return "new" if self._stop is None else "streaming"

    @property
    def done(self) -> bool:
        """True where it has ended, in whatever way."""
        return self._log.ended

    @property
    def seconds(self) -> float:
        """From sending to the end, without the time it queued; waits."""
        final = self._final
        return (final and final.latency) or self._seconds or 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since it was sent, or that it took."""
        if self._seconds is not None:
            return self._seconds
        return time.monotonic() - self._started_at if self._started_at else 0.0

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error.with_traceback(None)  # not our frames of the loop's thread

    def __repr__(self) -> str:
        start = " ".join(self.prompt.split())
        start = start if len(start) <= 40 else start[:39] + "…"
        if self._stop is None:
            return f"<Reply, not sent yet: {start!r}>"
        if not self._log.ended or self.exchange is None:
            return f"<Reply, {self.status}, {len(self.text_so_far)} characters so far: {start!r}>"
        from ..caption import caption  # prices, at the first repr

        return f"<Reply, {caption(self.exchange)}: {start!r}>"

    def _ipython_display_(self) -> None:
        from ..display import show, show_error

        show(self)
        if self.error is not None:
            show_error(self.error.message)

    # For the turn, on the private loop

    def emit(self, event: Event) -> None:
        """Takes in what happened; called on the private loop only."""
        self._log.append(event)

    def ended(self, error: ChatError | None) -> None:
        """Marks the end; called once, by the turn."""
        self.error = error
        self._seconds = time.monotonic() - self._started_at if self._started_at else 0.0
        self._log.end()


def _nothing(status: Status) -> None:
    """What stopping a reply does that was never sent."""
