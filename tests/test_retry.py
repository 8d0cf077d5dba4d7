"""How long a server asks to wait, what is transient, and the policy that follows from both."""

from __future__ import annotations

import asyncio
import email.utils
import pickle
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat_magics import errors
from chat_magics.errors import ChatError, RateLimited, ServerUnavailable
from chat_magics.retry import RetryPolicy, duration, server_wait, stream_error, translate
from tests.chat_server import ChatServer, Status

KEY = "sk-canary-0123456789"
NOW = 1_800_000_000.0
SPENT = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "0"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": email.utils.formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({**SPENT, "x-ratelimit-reset-requests": "1m30s"}, 90.0),
        ({**SPENT, "x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({**SPENT, "x-ratelimit-reset-tokens": "88ms"}, 0.088),
        ({**SPENT, "x-ratelimit-reset-tokens": "20"}, 20.0),
        ({**SPENT, "x-ratelimit-reset-tokens": "tomorrow"}, None),
        ({"x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-reset-tokens": "6m", "x-ratelimit-remaining-tokens": "9"}, None),
        ({**SPENT, "x-ratelimit-reset-tokens": "6m0s", "retry-after": "2"}, 2.0),
    ],
)
def test_the_wait_is_read_from_whichever_header_holds_it(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert server_wait(headers, now=NOW) == seconds


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_every_duration_that_go_writes_is_read(h: int, m: int, s: int, ms: int) -> None:
    written = f"{h}h{m}m{s}.{ms:03d}s"
    assert duration(written) == pytest.approx(h * 3600 + m * 60 + s + ms / 1000)
    assert duration(f"{m}m{s}s") == m * 60 + s
    assert duration(f"{ms}ms") == pytest.approx(ms / 1000)


@given(st.text(alphabet="0123456789.hmsuµn -+e", max_size=30))
@example("9" * 400 + "s")
@example("1h 2m")
def test_no_duration_however_odd_does_harm(text: str) -> None:
    seconds = duration(text)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.text(max_size=40), st.text(max_size=40))
@example("Mon, 01 Jan 0000 00:00:00 +9999", "")
@example("31 31 31 31:31:31 31", "")
def test_no_header_however_odd_does_harm(after: str, reset: str) -> None:
    wait = server_wait({**SPENT, "retry-after": after, "x-ratelimit-reset-tokens": reset}, now=0.0)
    assert wait is None or 0 <= wait < float("inf")


def refused(
    server: ChatServer, status: int, body: Any = None, headers: dict[str, str] | None = None
) -> ChatError:
    """Ours for what the openai package raises where a server answers so."""
    error = {"error": body} if isinstance(body, dict) else body
    server.models_answer = Status(status, error, headers or {})
    with openai.OpenAI(api_key=KEY, base_url=server.url, max_retries=0) as client:
        with pytest.raises(openai.OpenAIError) as caught:
            client.models.list()
        return translate(caught.value, "host")


@pytest.mark.parametrize(
    ("status", "error", "kind", "transient"),
    [
        (400, {"message": "no"}, "InvalidRequest", False),
        (400, {"code": "context_length_exceeded"}, "InvalidRequest", False),
        (401, {"code": "invalid_api_key"}, "AuthenticationFailed", False),
        (402, {"message": "Insufficient Balance"}, "QuotaExhausted", False),
        (403, {"message": "no"}, "PermissionRefused", False),
        (404, {"message": "Unknown URL"}, "NotFound", False),
        (404, {"code": "model_not_found"}, "ModelNotFound", False),
        (404, {"message": "model 'x' not found, try pulling it first"}, "ModelNotFound", False),
        (405, {"message": "no"}, "BadResponse", False),
        (408, {"message": "no"}, "RequestTimeout", True),
        (409, {"message": "no"}, "BadResponse", True),
        (413, {"message": "no"}, "PromptTooLong", False),
        (422, {"message": "no"}, "InvalidOption", False),
        (425, {"message": "no"}, "BadResponse", True),
        (429, {"code": "rate_limit_exceeded"}, "RateLimited", True),
        (429, {"code": "insufficient_quota"}, "QuotaExhausted", False),
        (429, {"type": "insufficient_quota"}, "QuotaExhausted", False),
        (429, {"code": "billing_hard_limit_reached"}, "QuotaExhausted", False),
        (429, {"code": "account_deactivated"}, "RateLimited", False),
        (500, {"message": "no"}, "ServerUnavailable", True),
        (500, {"type": "invalid_request_error"}, "ServerUnavailable", False),
        (502, {"message": "no"}, "ServerUnavailable", True),
        (503, {"message": "no"}, "ServerUnavailable", True),
        (529, {"message": "no"}, "ServerUnavailable", True),
    ],
)
def test_every_status_has_its_error_and_is_transient_or_not(
    server: ChatServer, status: int, error: dict[str, Any], kind: str, transient: bool
) -> None:
    ours = refused(server, status, error)
    assert (type(ours).__name__, ours.transient) == (kind, transient)
    assert pickle.loads(pickle.dumps(ours)).message == ours.message


@pytest.mark.parametrize(
    ("status", "code", "asked", "transient"),
    [
        (400, None, "true", True),
        (500, None, "false", False),
        (429, "insufficient_quota", "true", False),
        (429, None, "perhaps", True),
    ],
)
def test_the_server_may_say_itself_whether_to_retry(
    server: ChatServer, status: int, code: str | None, asked: str, transient: bool
) -> None:
    error = refused(server, status, {"code": code, "message": "m"}, {"x-should-retry": asked})
    assert error.transient is transient


def test_an_error_keeps_what_helps_and_no_more(server: ChatServer) -> None:
    headers = {"x-request-id": "req_1", "Retry-After": "3"}
    body = {"message": "two\n  lines", "code": "c", "param": "p"}
    error = refused(server, 429, body, headers)
    assert error.message == "host (429): two lines"
    assert (error.code, error.param, error.request_id) == ("c", "p", "req_1")
    assert (error.retry_after, error.__cause__, KEY in repr(vars(error))) == (3.0, None, False)


@pytest.mark.parametrize("param", [5, ["a"], {"a": 1}])
def test_a_parameter_that_is_no_name_is_left_out(server: ChatServer, param: Any) -> None:
    assert refused(server, 400, {"message": "m", "param": param}).param is None


def test_the_key_of_a_401_is_not_repeated(server: ChatServer) -> None:
    error = refused(server, 401, {"message": f"Incorrect API key provided: {KEY}"})
    assert error.message == "host does not accept the key: set another"


def test_a_web_page_is_named_and_not_quoted(server: ChatServer) -> None:
    assert refused(server, 502, " <html>…</html>").message == (
        "host (502): a web page instead of an answer"
    )
    assert refused(server, 502, "").message == "host (502): Bad Gateway"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx2.ConnectError, "ConnectionFailed"),
        (httpx2.ReadError, "ConnectionFailed"),
        (httpx2.RemoteProtocolError, "ConnectionFailed"),
        (httpx2.ConnectTimeout, "RequestTimeout"),
        (httpx2.ReadTimeout, "RequestTimeout"),
        (httpx2.PoolTimeout, "RequestTimeout"),
    ],
)
def test_a_connection_that_fails_is_transient(failure: type[Exception], kind: str) -> None:
    error = translate(failure("why"), "host")
    assert (type(error).__name__, error.transient) == (kind, True)


@pytest.mark.parametrize(
    ("told", "kind", "transient"),
    [
        ({"message": "m", "code": "server_error"}, "ServerUnavailable", True),
        ({"message": "m", "code": "rate_limit_exceeded"}, "RateLimited", True),
        ({"message": "m", "code": 429}, "RateLimited", True),
        ({"message": "m", "code": "500"}, "ServerUnavailable", True),
        ({"message": "m", "code": 401}, "AuthenticationFailed", False),
        ({"message": "m", "code": 400}, "InvalidRequest", False),
        ({"message": "m", "code": "insufficient_quota"}, "QuotaExhausted", False),
        ({"message": "m", "type": "insufficient_quota"}, "QuotaExhausted", False),
        ({"message": "m", "type": "invalid_request_error"}, "BadResponse", False),
        ({"message": "m", "code": "context_length_exceeded"}, "BadResponse", False),
        ({}, "ServerUnavailable", True),
        ("overloaded", "ServerUnavailable", True),
        (True, "ServerUnavailable", True),
    ],
)
def test_an_error_inside_a_stream_has_its_kind(told: Any, kind: str, transient: bool) -> None:
    error = stream_error(told)
    assert (type(error).__name__, error.transient) == (kind, transient)
    assert error.message.startswith("the server broke off: ")


class Trial:
    """Runs a policy over failing attempts; its waits are noted and not waited for."""

    def __init__(self, policy: RetryPolicy, *failures: Exception) -> None:
        self.waits: list[float] = []
        self.attempts = 0
        self._policy, self._failures = policy, list(failures)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def _run(self) -> str:
        async for attempt in self._policy.retrying(lambda state: None, self._sleep):
            with attempt:
                self.attempts += 1
                if self._failures:
                    raise self._failures.pop(0)
                return "answer"
        raise AssertionError

    def result(self) -> str:
        return asyncio.run(self._run())


def down(**more: Any) -> ServerUnavailable:
    return ServerUnavailable("down", transient=True, **more)


def test_a_transient_failure_is_asked_again_until_it_is_well() -> None:
    trial = Trial(RetryPolicy(), down(), down(), down())
    assert trial.result() == "answer"
    assert trial.attempts == 4
    assert all(0 <= wait <= 0.5 * 2**n for n, wait in enumerate(trial.waits))


def test_the_last_failure_is_raised_when_the_attempts_are_used_up() -> None:
    trial = Trial(RetryPolicy(attempts=2), down(), down(code="second"), down())
    with pytest.raises(ServerUnavailable) as caught:
        trial.result()
    assert (trial.attempts, caught.value.code) == (2, "second")


@pytest.mark.parametrize("failure", [errors.QuotaExhausted("no"), ValueError("a bug")])
def test_what_is_not_transient_is_asked_once(failure: Exception) -> None:
    trial = Trial(RetryPolicy(), failure)
    with pytest.raises(type(failure)):
        trial.result()
    assert (trial.attempts, trial.waits) == (1, [])


@given(st.floats(0, 60))
def test_a_server_is_never_asked_earlier_than_it_said(seconds: float) -> None:
    trial = Trial(RetryPolicy(), RateLimited("later", retry_after=seconds, transient=True))
    assert trial.result() == "answer"
    assert seconds <= trial.waits[0] <= seconds + 0.25


@pytest.mark.parametrize(
    ("policy", "asked"),
    [(RetryPolicy(longest_wait=5), 5.1), (RetryPolicy(seconds=5), 6), (RetryPolicy(seconds=0), 0)],
)
def test_a_wait_beyond_the_settings_is_not_begun(policy: RetryPolicy, asked: float) -> None:
    trial = Trial(policy, RateLimited("later", retry_after=asked, transient=True))
    with pytest.raises(RateLimited):
        trial.result()
    assert (trial.attempts, trial.waits) == (1, [])
