"""A reply in one piece: the same request and the same answer as a stream, and the same errors."""

from __future__ import annotations

import pytest

from chat_magics.client import Sending
from chat_magics.errors import (
    AuthenticationFailed,
    BadResponse,
    ConnectionFailed,
    InvalidRequest,
    RateLimited,
    RequestTimeout,
)
from tests.asking import KEY, asking, request_to
from tests.chat_server import Html, Json, Reply, Reset, Status
from tests.chat_server_answers import Hang

WHOLE = Sending(whole=True)
AT_ONCE = Sending(whole=True, waits_for_limits=False)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_answer_is_that_of_a_stream(server, api):
    server.default = Reply("Hello, you.", reasoning="hm")
    with asking(server.url) as client:
        request = request_to(client, "Hi", api=api, options={"max_tokens": 5})
        streamed, whole = client.complete(request), client.complete(request, WHOLE)
    first, second = server.posts
    assert (first.body.pop("stream"), second.body.get("stream")) == (True, None)
    first.body.pop("stream_options", None)
    assert first.body == second.body
    told = {"text", "model", "finish_reason", "usage"}
    assert streamed.model_dump(include=told) == whole.model_dump(include=told)
    assert whole.request_id == "req_2"


@pytest.mark.parametrize("name", ["authorization", "user-agent", "accept", "content-type"])
def test_the_headers_are_those_of_a_stream(server, name):
    with asking(server.url) as client:
        for sending in (Sending(), WHOLE):
            client.complete(request_to(client), sending)
    first, second = (post.headers.get(name) for post in server.posts)
    assert first == second
    assert name != "authorization" or first == f"Bearer {KEY}"


def test_without_a_key_no_authorization_is_sent(server):
    with asking(server.url, api_key=None) as client:
        client.complete(request_to(client), WHOLE)
    assert "authorization" not in server.posts[0].headers


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(401), AuthenticationFailed),
        (Status(400), InvalidRequest),
        (Html(), BadResponse),
        (Json({"what": 1}), BadResponse),
        (Json({"error": {"message": "no", "code": "invalid_request_error"}}), BadResponse),
        (Reset(), ConnectionFailed),
        (Reply(cut_after=0), ConnectionFailed),
    ],
)
def test_what_goes_wrong_is_told_as_for_a_stream(server, answer, kind):
    server.default = answer
    with asking(server.url, max_attempts=1) as client, pytest.raises(kind) as caught:
        client.complete(request_to(client), WHOLE)
    assert KEY not in str(caught.value)


def test_a_server_that_nobody_runs_is_told(server):
    server.close()
    with (
        asking(server.url, max_attempts=1) as client,
        pytest.raises(ConnectionFailed, match="nothing listens there"),
    ):
        client.complete(request_to(client), WHOLE)


def test_a_failure_is_asked_again(server):
    server.script(Status(500), Reply("Here."))
    with asking(server.url) as client:
        answered = client.complete(request_to(client), WHOLE)
    assert (answered.text, answered.attempts) == ("Here.", 2)


def test_a_limit_of_the_server_is_handed_on_at_once_where_that_is_wanted(server):
    server.default = Status(429, headers={"retry-after": "30"})
    with asking(server.url) as client, pytest.raises(RateLimited) as caught:
        client.complete(request_to(client), AT_ONCE)
    assert (caught.value.retry_after, caught.value.transient, len(server.posts)) == (30, True, 1)


def test_the_deadline_holds(server):
    server.default = Hang()
    with asking(server.url, total_timeout=0.2) as client, pytest.raises(RequestTimeout):
        client.complete(request_to(client), WHOLE)


def test_the_headers_of_the_answer_are_told(server):
    server.default = Reply(headers={"x-ratelimit-remaining-requests": "7"})
    told = []
    with asking(server.url) as client:
        client.complete(request_to(client), Sending(whole=True, on_headers=told.append))
    assert told[0]["x-ratelimit-remaining-requests"] == "7"


def test_a_parameter_that_the_server_does_not_take_is_left_out(server):
    refused = {"message": "Unsupported parameter: 'temperature'", "param": "temperature"}
    server.script(Status(400, {"error": {**refused, "code": "unsupported_parameter"}}), Reply())
    with asking(server.url) as client:
        answered = client.complete(request_to(client, options={"temperature": 1}), WHOLE)
    assert "sent without it" in answered.notes[0]
    assert "temperature" not in server.bodies[1]


def test_without_aiohttp_it_comes_as_a_stream(server):
    with asking(server.url, transport="httpx") as client:
        assert client.complete(request_to(client), WHOLE).text == "Hello from the test server."
    assert server.bodies[0]["stream"]


def test_behind_a_proxy_the_openai_package_carries_it(server, monkeypatch):
    from chat_magics.client.direct import is_proxied

    monkeypatch.setenv("https_proxy", "http://proxy:1")
    monkeypatch.setenv("no_proxy", "inside.example.org")
    assert is_proxied("https://api.example.org/v1")
    assert not is_proxied("https://inside.example.org/v1")
    assert not is_proxied("http://api.example.org/v1")
