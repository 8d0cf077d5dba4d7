"""What went wrong at a server or on the way to it, as an error of ours; and whether it may pass."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

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
from .retry import server_wait

__all__ = ["stream_error", "translate"]

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
