"""Every failure of a server, or on the way to it, has its error, and may pass or not."""

from __future__ import annotations

import pickle
from typing import Any

import httpx2
import openai
import pytest

from chat_magics.errors import ChatError
from chat_magics.failures import stream_error, translate
from tests.chat_server import ChatServer, Status

KEY = "sk-canary-0123456789"


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
