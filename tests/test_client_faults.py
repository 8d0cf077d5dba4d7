"""ChatClient where something goes wrong: each failure is noticed, told and, where it helps, asked
again; both ways of HTTP below the openai package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_magics.cache import CompletionCache, DiskStore
from chat_magics.client import ChatClient, Restarted, Text, Waiting
from chat_magics.errors import (
    AuthenticationFailed,
    BadResponse,
    ChatError,
    ConnectionFailed,
    QuotaExhausted,
    RateLimited,
    RequestTimeout,
    ServerUnavailable,
)
from tests.asking import KEY, Asked, asking, request_to, start
from tests.chat_server import Answer, ChatServer, Hang, Html, Json, Reply, Reset, Status

SOON = {"retry-after-ms": "1"}
TEXT = "one two three four"


@pytest.fixture(params=["aiohttp", "httpx"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def cache(tmp_path: Path) -> CompletionCache:
    return CompletionCache(DiskStore(tmp_path / "cache"))


@pytest.fixture
def client(server: ChatServer, transport: str, cache: CompletionCache) -> Iterator[ChatClient]:
    with asking(server.url, transport=transport, cache=cache) as client:
        yield client


def behind(error: BaseException) -> list[BaseException]:
    """What an error carries along, for whoever looks."""
    carried = [each for each in (error.__cause__, error.__context__) if each is not None]
    return [*carried, *(further for each in carried for further in behind(each))]


def failed(asked: Asked) -> ChatError:
    """Its error, behind which none of the SDK's stands: they hold the request with its key."""
    with pytest.raises(ChatError) as caught:
        asked.completion()
    rooms = {type(each).__module__.split(".")[0] for each in behind(caught.value)}
    assert rooms <= {"chat_magics", "asyncio", "builtins"}
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Html(), BadResponse, "web page: check base_url"),
        (Json({"error": {"message": "no", "code": "invalid_api_key"}}), BadResponse, "off: no"),
        (Json({"detail": "Not Found"}), BadResponse, "no chat completion"),
        (Json([]), BadResponse, "not a chunk"),
        (Json(None), BadResponse, "empty answer"),
        (Status(200, "words"), BadResponse, "empty answer"),
        (Status(200, ""), BadResponse, "empty answer"),
        (Status(418), BadResponse, r"\(418\)"),
        (Html(502), ServerUnavailable, "web page instead of an answer"),
        (Status(401), AuthenticationFailed, "does not accept the key"),
    ],
)
def test_an_answer_that_is_no_reply_is_an_error_and_is_not_stored(
    server: ChatServer, client: ChatClient, answer: Answer, kind: type[ChatError], said: str
) -> None:
    server.default = answer
    for _ in range(2):
        error = failed(start(client))
        assert isinstance(error, kind)
        assert re.search(said, str(error))
    assert client.cache is not None
    assert client.cache.stats().entries == 0


def test_a_clean_end_without_finish_reason_is_kept_noted_and_not_stored(
    server: ChatServer, client: ChatClient
) -> None:
    server.default = Reply(TEXT, end_after=2)
    answers = [client.complete(request_to(client)) for _ in range(2)]
    assert [(a.text, a.truncated, a.cached) for a in answers] == [("one two", True, False)] * 2
    note = "the stream ended without finish_reason: the reply may be cut"
    assert (answers[0].notes, len(server.posts)) == ((note,), 2)


BREAKS = [
    Reply(TEXT, cut_after=2),
    Reply(TEXT, error_after=2),
    Reply(TEXT, malformed_after=2),
]


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_reply_that_breaks_is_asked_again_and_replaced(
    server: ChatServer, client: ChatClient, broken: Reply, api: str
) -> None:
    server.script(broken, Reply("all anew"))
    asked = start(client, request_to(client, api=api))
    answer = asked.completion()
    kinds = [type(event) for event in asked.events]
    assert [k for n, k in enumerate(kinds) if kinds[n - 1 : n] != [k]] == [
        Text,
        Waiting,
        Restarted,
        Text,
    ]
    assert (asked.restarts[0].discarded, asked.text, answer.text) == ("one two",) + (
        "all anew",
    ) * 2
    assert (answer.attempts, answer.notes) == (2, ("asked again: the stream broke in the middle",))
    assert (asked.waits[0].attempt, asked.waits[0].attempts) == (2, 2)
    assert answer.wasted is not None
    assert answer.wasted.estimated
    assert answer.wasted.completion_tokens > 0 < answer.wasted.prompt_tokens
    assert not answer.usage.estimated


def test_a_broken_reply_is_replaced_also_by_an_empty_one(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(Reply(TEXT, cut_after=2), Reply([]))
    asked = start(client)
    answer = asked.completion()
    assert (answer.text, asked.text, answer.finish_reason) == ("", "", "stop")
    assert asked.restarts[0].discarded == "one two"


def test_text_stays_until_there_is_new_text(server: ChatServer, client: ChatClient) -> None:
    server.script(Reply(TEXT, cut_after=2), Hang(then=Reply("new")))
    asked = start(client)
    server.until(lambda: server.held == 1)
    assert (asked.text, asked.restarts) == ("one two", [])
    server.release()
    assert asked.completion().text == asked.text == "new"


@pytest.mark.parametrize("broken", BREAKS)
def test_where_every_attempt_breaks_the_last_partial_was_given_and_the_error_is_raised(
    server: ChatServer, client: ChatClient, broken: Reply
) -> None:
    server.script(Reply("first try", cut_after=1))
    server.default = broken
    asked = start(client)
    assert failed(asked).transient
    assert (asked.text, [r.discarded for r in asked.restarts]) == ("one two", ["first"])
    assert len(server.posts) == 2


def test_a_connection_that_breaks_in_mid_reply_is_told_so(
    server: ChatServer, transport: str
) -> None:
    server.default = Reply(TEXT, cut_after=2)
    with asking(server.url, transport=transport, max_attempts=1) as client:
        error = failed(start(client))
    assert isinstance(error, ConnectionFailed)
    assert str(error) == "127.0.0.1 broke the connection in mid-reply"


@pytest.mark.parametrize("answer", [Reset(), Status(500, headers=SOON), Status(408, headers=SOON)])
def test_a_failure_before_the_first_byte_is_asked_again_without_a_restart(
    server: ChatServer, client: ChatClient, answer: Answer
) -> None:
    server.script(answer)
    asked = start(client)
    assert asked.completion().text == asked.text == Reply().whole
    assert (len(asked.waits), asked.restarts, asked.completion().attempts) == (1, [], 2)
    assert asked.completion().wasted is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "1"}, 1.0),
        ({"retry-after-ms": "400"}, 0.4),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}, 0.3),
    ],
)
def test_the_wait_that_the_server_asks_for_is_kept(
    server: ChatServer, client: ChatClient, headers: dict[str, str], seconds: float
) -> None:
    server.script(Status(429, headers=headers))
    asked = start(client)
    assert asked.completion().attempts == 2
    first, second = (request.time for request in server.posts)
    assert second - first >= seconds
    assert asked.waits[0].seconds is not None
    assert seconds <= asked.waits[0].seconds <= seconds + 0.25


def test_a_wait_longer_than_the_settings_allow_is_told_at_once(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(Status(429, headers={"retry-after": "3600"}))
    error = failed(start(client))
    assert isinstance(error, RateLimited)
    assert (error.retry_after, len(server.posts)) == (3600.0, 1)


@pytest.mark.parametrize("status", [429, 402])
def test_an_account_without_credit_is_asked_once(
    server: ChatServer, client: ChatClient, status: int
) -> None:
    body = {"error": {"message": "see your plan", "code": "insufficient_quota", "type": "t"}}
    server.script(Status(status, body, {"retry-after": "1"}))
    assert isinstance(failed(start(client)), QuotaExhausted)
    assert len(server.posts) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"total_timeout": 1}, "took longer than 1 s (total_timeout): raise it"),
        ({"stall_timeout": 1, "max_attempts": 1}, "did not answer in time (connect_timeout, sta"),
    ],
)
@pytest.mark.parametrize("answer", [Hang(), Reply(TEXT, stall_after=2)])
def test_a_reply_that_does_not_come_ends_by_its_limit(
    server: ChatServer, transport: str, settings: dict[str, Any], said: str, answer: Answer
) -> None:
    server.default = answer
    with asking(server.url, transport=transport, **settings) as client:
        client.prepare()  # imports are not to take the time that the text needs
        asked = start(client)
        error = failed(asked)
        assert isinstance(error, RequestTimeout)
        assert said in str(error)
        assert asked.text == ("one two" if isinstance(answer, Reply) else "")
        server.until(lambda: server.disconnects == 1)


def test_the_total_deadline_counts_over_all_attempts(server: ChatServer, transport: str) -> None:
    server.default = Status(503, headers={"retry-after": "30"})
    with asking(server.url, transport=transport, total_timeout=1) as client:
        client.prepare()
        assert isinstance(failed(start(client)), RequestTimeout)
    assert len(server.posts) == 1


@pytest.mark.parametrize("answer", [Hang(), Reply(TEXT, stall_after=2)])
def test_a_stop_ends_the_request_at_once_and_the_server_sees_it(
    server: ChatServer, client: ChatClient, answer: Answer
) -> None:
    server.script(answer)
    asked = start(client)
    server.until(lambda: server.held == 1)
    asked.future.cancel()
    server.until(lambda: server.disconnects == 1)
    assert client.complete(request_to(client)).text == Reply().whole


def test_a_stop_during_a_wait_ends_it_with_no_further_request(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(Status(429, headers={"retry-after": "1"}))
    asked = start(client)
    asked.until(lambda: len(asked.waits) == 1)
    asked.future.cancel()
    client.complete(request_to(client, "another"))
    client.close()
    assert [request.last for request in server.posts] == ["Hello", "another"]


@pytest.mark.parametrize("padding", [0, 380, 395])
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_a_key_that_the_server_repeats_does_not_come_out(
    server: ChatServer, transport: str, status: int, padding: int
) -> None:
    told = {"message": "x" * padding + KEY, "code": KEY, "type": KEY, "param": KEY}
    server.default = Status(status, {"error": told}, {"x-request-id": KEY})
    with asking(server.url, transport=transport, max_attempts=1) as client:
        error = failed(start(client))
    assert KEY[:8] not in repr([vars(each) for each in (error, *behind(error))]) + str(error)
    assert len(str(error)) < 500
