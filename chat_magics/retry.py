"""What is transient, how long to wait, how often to ask again: a tenacity policy as a value."""

from __future__ import annotations

import asyncio
import email.utils
import math
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import (
    AuthenticationFailed,
    BadResponse,
    ChatError,
    ConnectionFailed,
    InvalidOption,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    PermissionRefused,
    PromptTooLong,
    QuotaExhausted,
    RateLimited,
    RequestTimeout,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

__all__ = ["RetryPolicy", "duration", "server_wait", "stream_error", "translate"]

NEVER_TRANSIENT = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "invalid_api_key",
        "account_deactivated",
        "context_length_exceeded",
        "model_not_found",
        "invalid_request_error",
        "content_policy_violation",
    }
)
"""Error codes for which asking again cannot help, whatever the status says."""

_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


_BY_STATUS: Mapping[int, type[ChatError]] = {
    400: InvalidRequest,
    401: AuthenticationFailed,
    402: QuotaExhausted,
    403: PermissionRefused,
    404: NotFound,
    408: RequestTimeout,
    413: PromptTooLong,
    422: InvalidOption,
    429: RateLimited,
}
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

    def retrying(
        self,
        before_sleep: Callable[[RetryCallState], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        but: tuple[type[ChatError], ...] = (),
    ) -> AsyncRetrying:
        """The policy at work on one request; cancelling its task ends a wait at once.

        Args:
            before_sleep: called before each wait.
            sleep: waits.
            but: errors that are not waited for, transient or not.
        """
        import tenacity  # at the first request, not at import

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


def translate(error: Exception, host: str) -> ChatError:
    """An error of the openai package, or of the HTTP below it, as one of ours.

    Ours carry no request, so no key, and can be pickled; raise them `from None`.
    """
    import openai  # loaded already where one of its errors is at hand

    if isinstance(error, openai.APIStatusError):
        return _from_status(error, host)
    if _timed_out(error):
        return RequestTimeout(
            f"{host} did not answer in time (connect_timeout, stall_timeout)", transient=True
        )
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        return stream_error({"message": error.message, "code": error.code, "type": error.type})
    return ConnectionFailed(f"no connection to {host}: {_why(error)}", transient=True)


def _why(error: BaseException) -> str:
    """Why there is no connection, in a person's words where it is one of the usual reasons."""
    for cause in _causes(error):
        inner = getattr(cause, "os_error", cause)  # as aiohttp keeps it
        if isinstance(inner, socket.gaierror):
            return "this name is not known; check base_url and the network"
        if isinstance(inner, ConnectionRefusedError) or "refused" in str(inner):
            return "nothing listens there; start the server, or check base_url"
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({inner.verify_message})"
    return _one_line(str(error.__cause__ or error) or type(error).__name__)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__  # httpx tells some causes by context only


def _timed_out(error: BaseException) -> bool:
    """Whether time ran out; openai's aiohttp transport says so of every failed connection."""
    for cause in _causes(error):
        if type(cause).__module__.startswith("aiohttp."):
            return isinstance(cause, asyncio.TimeoutError)
    return "Timeout" in type(error).__name__


def _from_status(error: Any, host: str) -> ChatError:
    headers = {name.lower(): value for name, value in error.response.headers.items()}
    status, code = error.status_code, str(error.code or "") or None
    param = error.param if isinstance(error.param, str) else None
    told: dict[str, Any] = {"code": code, "param": param}
    told["request_id"] = headers.get("x-request-id")
    never = {str(error.code), str(error.type)} & NEVER_TRANSIENT
    asked = {"true": True, "false": False}.get(headers.get("x-should-retry", ""))
    transient = not never and _is_transient(status)
    told["transient"] = transient if asked is None or never else asked
    told["retry_after"] = server_wait(headers)
    said = _said(error)
    if code == "model_not_found" or (status == 404 and "model" in said.lower()):
        return ModelNotFound(f"{host}: {said}", **told)
    if status == 429 and never & _NO_CREDIT:
        return QuotaExhausted(f"{host}: no credit left ({said}): see the account's billing", **told)
    if status == 401:
        return AuthenticationFailed(
            f"{host} does not accept the key: set another",
            command="%chat_config api_key",
            **told,
        )
    if status == 404:
        said += " (does base_url end as it should, mostly in /v1?)"
    kind = _BY_STATUS.get(status, ServerUnavailable if status >= 500 else BadResponse)
    return kind(f"{host} ({status}): {said}", **told)


def _said(error: Any) -> str:
    """What the server said, in one line; a page of HTML only by name."""
    body = error.body
    message = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    text = str(message or error.response.reason_phrase or "no reason given")
    return "a web page instead of an answer" if text.lstrip().startswith("<") else _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _is_transient(status: int) -> bool:
    return status in (408, 409, 425, 429) or status >= 500


def stream_error(error: Any) -> ChatError:
    """The error object that a server sent inside a 200 answer, as one of ours."""
    told = error if isinstance(error, dict) else {"message": str(error)}
    code = str(told.get("code") or told.get("type") or "")
    said = _one_line(str(told.get("message") or code or "no reason given"))
    message = f"the server broke off: {said}"
    named = {code, str(told.get("type") or "")}
    if named & _NO_CREDIT:
        return QuotaExhausted(message, code=code)
    if code == "rate_limit_exceeded":
        return RateLimited(message, code=code, transient=True)
    if re.fullmatch("[45][0-9][0-9]", code):  # gateways pass on the status of the model behind them
        kind = _BY_STATUS.get(int(code), ServerUnavailable if code[0] == "5" else BadResponse)
        return kind(message, code=code, transient=_is_transient(int(code)))
    if named & NEVER_TRANSIENT:
        return BadResponse(message, code=code)
    return ServerUnavailable(message, code=code or None, transient=True)
