"""How long to wait, and how often to ask again: a tenacity policy as a value."""

from __future__ import annotations

import asyncio
import email.utils
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .errors import ChatError

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

__all__ = ["Announce", "RetryPolicy", "duration", "server_wait"]

T = TypeVar("T")

Announce = Callable[[ChatError, float, int], None]
"""Told before a wait: what failed, the wait in seconds, the number of the attempt that follows."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a failed request is asked again.

    Args:
        attempts: requests in all.
        seconds: for all attempts and waits together; no further attempt starts after them.
        longest_wait: a server that asks for a longer wait (seconds) is not waited for.
        first_wait: seconds before the second attempt where the server names no time; it doubles
            with each attempt, with jitter.

    Example:
        >>> RetryPolicy(attempts=3).attempts
        3
    """

    attempts: int = 4
    seconds: float = 120.0
    longest_wait: float = 60.0
    first_wait: float = 0.5

    async def asked(
        self,
        once: Callable[[], Awaitable[T]],
        announce: Announce,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        but: tuple[type[ChatError], ...] = (),
    ) -> T:
        """What `once` gives, asked again after a failure that may pass.

        Cancelling its task ends a wait at once. tenacity comes in with the first failure: its part
        in requests that do not fail was a sixth of what a thousand rows cost.

        Args:
            once: makes one attempt.
            announce: told before each wait.
            sleep: waits.
            but: errors that are not waited for, transient or not.

        Raises:
            ChatError: the last failure, when the policy allows no further attempt.
        """
        began = time.monotonic()
        try:
            return await once()
        except ChatError as error:
            if not error.transient or isinstance(error, but):
                raise
            failures = [error]
        async for attempt in self._retrying(announce, sleep, but):
            attempt.retry_state.start_time = began
            with attempt:
                if failures:
                    raise failures.pop()
                return await once()
        raise AssertionError("tenacity either returns or raises")

    def _retrying(
        self,
        announce: Announce,
        sleep: Callable[[float], Awaitable[None]],
        but: tuple[type[ChatError], ...],
    ) -> AsyncRetrying:
        import tenacity

        backoff = tenacity.wait_random_exponential(self.first_wait, max=max(self.first_wait, 8.0))
        jitter = tenacity.wait_random(0, 0.25)

        def wait(state: RetryCallState) -> float:
            asked = _asked_wait(state)
            return backoff(state) if asked is None else asked + jitter(state)

        enough = tenacity.stop_after_attempt(self.attempts)
        too_late = tenacity.stop_before_delay(self.seconds)

        def stop(state: RetryCallState) -> bool:
            too_long = (_asked_wait(state) or 0.0) > self.longest_wait
            return too_long or enough(state) or too_late(state)

        def before_sleep(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            assert isinstance(error, ChatError)
            announce(error, state.upcoming_sleep, state.attempt_number + 1)

        return tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(
                lambda e: isinstance(e, ChatError) and e.transient and not isinstance(e, but)
            ),
            wait=wait,
            stop=stop,
            sleep=sleep,
            before_sleep=before_sleep,
            reraise=True,
        )


def _asked_wait(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after if isinstance(error, ChatError) else None


def server_wait(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that a server asks to wait, from whichever header it uses.

    Retry-After in seconds or as an HTTP date, retry-after-ms, and x-ratelimit-reset-* (Go
    durations), which count only where the matching x-ratelimit-remaining-* is 0.

    Args:
        headers: of the answer, names in lower case.
        now: seconds since the epoch; the clock's by default.

    Example:
        >>> server_wait({"retry-after-ms": "1500"})
        1.5
    """
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _number(headers.get(name))
        if seconds is not None:
            return seconds / per_second
    date = _seconds_of_date(headers.get("retry-after"))
    if date is not None:
        return max(0.0, date - (time.time() if now is None else now))
    waits = [
        duration(headers.get(f"x-ratelimit-reset-{what}"))
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def duration(text: str | None) -> float | None:
    """Seconds of a Go duration such as `6m0s` or `88ms`, or of a bare number.

    Example:
        >>> duration("1m30s")
        90.0
    """
    seconds = _number(text)
    if seconds is not None or not text:
        return seconds
    parts = list(_DURATION.finditer(text.strip()))
    if "".join(part[0] for part in parts) != text.strip():
        return None
    seconds = sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
    return seconds if math.isfinite(seconds) else None


def _seconds_of_date(text: str | None) -> float | None:
    date = email.utils.parsedate_tz(text or "")
    try:
        return email.utils.mktime_tz(date) if date else None
    except (ValueError, OverflowError):  # a year that no calendar has
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
