"""Pace: how many requests are under way at a time, and when the next may go out.

On a refusal (429) the window is halved, and all wait as long as the server asks; answers widen it
again by one for each window of them. What the server tells of its limits is heeded before it has
to refuse.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from ..retry import duration

__all__ = ["Pace"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
"""Seconds of the pauses after refusals that name no time; each is twice the one before."""

_BURST_SECONDS = 6.0
"""So many seconds' worth of the tokens per minute may go out at once."""


class Pace:
    """Lets rows out one by one; belongs to one event loop.

    Args:
        most: requests under way at a time.
        tokens_per_minute: of prompts and replies together; None for no limit.

    Example:
        >>> async def four_at_once():
        ...     pace = Pace(4)
        ...     for _ in range(4):
        ...         await pace.enter(100)
        ...     pace.refused(0.0)
        ...     return pace.window
        >>> asyncio.run(four_at_once())
        2
    """

    def __init__(self, most: int, tokens_per_minute: int | None = None) -> None:
        self.running = 0
        self.refusals = 0
        self._most = most
        self._width = float(most)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._pause = _FIRST_PAUSE
        self._halved = 0.0
        self._rate = (tokens_per_minute or 0) / 60
        self._tokens = self._rate * _BURST_SECONDS
        self._refilled: float | None = None

    def widen(self, times: int) -> None:
        """Lets so many times as many out, before the first."""
        self._most *= times
        self._width *= times

    @property
    def window(self) -> int:
        """Requests that may be under way at a time now."""
        return max(1, int(self._width))

    async def enter(self, tokens: float) -> float:
        """Waits until a request may go out, and counts it as under way; gives when that was.

        Args:
            tokens: that it is thought to take.
        """
        loop = asyncio.get_running_loop()
        while self._waiting or not self._free(loop.time(), tokens):
            turn = loop.create_future()
            self._waiting.append(turn)
            self._wake_later(loop, tokens)
            try:
                await turn
            except asyncio.CancelledError:
                self._gone(turn)
                raise
            if self._free(loop.time(), tokens):
                break
        self.running += 1
        self._tokens -= tokens if self._rate else 0
        self._wake()  # the next may be free to go as well
        return loop.time()

    def _free(self, now: float, tokens: float) -> bool:
        if self.running >= self.window or now < self._paused_until:
            return False
        return self._tokens_wait(now, tokens) <= 0

    def _tokens_wait(self, now: float, tokens: float) -> float:
        """Seconds until so many tokens may go; a full allowance lets any request out."""
        if not self._rate:
            return 0.0
        full = self._rate * _BURST_SECONDS
        since = now - (now if self._refilled is None else self._refilled)
        self._refilled, self._tokens = now, min(full, self._tokens + since * self._rate)
        return (min(tokens, full) - self._tokens) / self._rate

    def _wake_later(self, loop: asyncio.AbstractEventLoop, tokens: float) -> None:
        """Has whoever waits looked at again when time alone lets it go."""
        if self.running >= self.window:
            return  # who leaves wakes the next
        now = loop.time()
        wait = max(self._paused_until - now, self._tokens_wait(now, tokens), 0.001)
        if self._timer is None or self._timer.when() > now + wait or self._timer.cancelled():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        self._wake()

    def _gone(self, turn: asyncio.Future[None]) -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
        else:
            self._wake()  # it had the turn

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def left(self, tokens: float = 0.0) -> None:
        """A request has ended, however it did.

        Args:
            tokens: that it took beyond what was thought.
        """
        self.running -= 1
        self._tokens -= tokens if self._rate else 0
        if self._waiting:
            self._wake()

    def answered(self) -> None:
        """A request was answered: the window widens by one for each window of answers."""
        self._pause = _FIRST_PAUSE
        if self._width < self._most:
            self._width = min(float(self._most), self._width + 1 / self._width)
            if self._waiting:
                self._wake()

    def refused(self, entered: float, retry_after: float | None = None) -> None:
        """The server, or a limit of our own, has asked to wait.

        Args:
            entered: what `enter` gave for this request: of those that were out together when the
                first was refused, only that one halves the window.
            retry_after: seconds that were asked for; by default ever longer pauses.
        """
        now = asyncio.get_running_loop().time()
        self.refusals += 1
        if entered >= self._halved:
            self._halved = now
            self._width = max(1.0, min(self._width, max(self.running, 1)) / 2)
            wait = self._pause if retry_after is None else retry_after
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        else:
            wait = retry_after or 0.0
        self.wait(wait)

    def wait(self, seconds: float) -> None:
        """Nothing goes out for so long, or longer where that was asked before."""
        now = asyncio.get_running_loop().time()
        self._paused_until = max(self._paused_until, now + seconds)

    def told(self, headers: Mapping[str, str]) -> None:
        """Heeds what an answer tells of the server's limits: with nothing left, all wait.

        Args:
            headers: names in lower case.
        """
        if "x-ratelimit-remaining-requests" in headers:
            self._heed(headers, "requests", 1)
        if "x-ratelimit-remaining-tokens" in headers:
            self._heed(headers, "tokens", 1)

    def _heed(self, headers: Mapping[str, str], what: str, least: int) -> None:
        try:
            remaining = float(headers[f"x-ratelimit-remaining-{what}"])
        except ValueError:
            return
        wait = duration(headers.get(f"x-ratelimit-reset-{what}"))
        if remaining < least and wait:
            self.wait(wait)
