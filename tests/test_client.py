"""ChatClient where all goes well: connections, the wire, cache, limits, models, forks; both ways
of HTTP below the openai package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_magics.cache import CompletionCache, DiskStore
from chat_magics.client import ChatClient, Event, Sending, Waiting
from chat_magics.errors import (
    BudgetReached,
    InvalidRequest,
    ModelNotFound,
)
from chat_magics.messages import Completion, Message, Usage
from tests.asking import asking, request_to, start
from tests.chat_server import ChatServer, Hang, Html, Json, Reply, Status

SAID = Reply("Hello from the test server.").whole


@pytest.fixture(params=["aiohttp", "httpx"])
def client(server: ChatServer, request: pytest.FixtureRequest) -> Iterator[ChatClient]:
    with asking(server.url, transport=request.param) as client:
        yield client


@pytest.fixture
def cache(tmp_path: Path) -> CompletionCache:
    return CompletionCache(DiskStore(tmp_path / "cache"))


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_twenty_streamed_requests_in_a_row_open_one_connection(
    server: ChatServer, client: ChatClient, api: str
) -> None:
    answers = [client.complete(request_to(client, str(n), api=api)) for n in range(20)]
    assert [answer.text for answer in answers] == [SAID] * 20
    assert (len(server.posts), server.connections) == (20, 1)


def test_an_answer_knows_what_it_took(server: ChatServer, client: ChatClient) -> None:
    server.script(Reply("one two", model="m-2026", reasoning="hm", cached_tokens=4))
    answer = client.complete(request_to(client))
    assert (answer.text, answer.model, answer.reasoning) == ("one two", "m-2026", "hm")
    assert (answer.finish_reason, answer.request_id, answer.attempts) == ("stop", "req_1", 1)
    assert answer.usage == Usage(
        prompt_tokens=10, completion_tokens=3, cached_tokens=4, reasoning_tokens=1
    )
    assert answer.time_to_first_token is not None
    assert 0 < answer.time_to_first_token <= answer.latency
    assert (answer.cached, answer.wasted, answer.notes) == (False, None, ())


def test_text_is_handed_on_before_the_reply_is_whole(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(Reply("one two three", stall_after=2))
    asked = start(client)
    asked.until(lambda: asked.text == "one two")
    server.until(lambda: server.held == 1)
    assert not asked.future.done()
    server.release()
    assert asked.completion().text == asked.text == "one two three"


def test_sixty_four_requests_at_once_are_all_answered(
    server: ChatServer, client: ChatClient
) -> None:
    server.default = Hang()
    all_asked = [start(client, request_to(client, str(n))) for n in range(64)]
    server.until(lambda: server.held == 64)
    server.release()
    assert [asked.completion().text for asked in all_asked] == [SAID] * 64
    assert server.connections <= 64


@pytest.mark.parametrize("usage", ["own-chunk", "last-chunk", "finish-chunk"])
def test_the_usage_told_is_taken_wherever_it_stands(
    server: ChatServer, client: ChatClient, usage: Any
) -> None:
    server.script(Reply("one two", usage=usage))
    assert client.complete(request_to(client)).usage == Usage(prompt_tokens=10, completion_tokens=2)


def test_a_usage_that_is_not_told_is_estimated_and_marked(
    server: ChatServer, client: ChatClient
) -> None:
    choice = {"message": {"content": "one two"}, "finish_reason": "stop"}
    zeros = {"prompt_tokens": 0, "completion_tokens": 0}
    server.script(Reply("one two", usage="none"), Json({"choices": [choice], "usage": zeros}))
    for _ in range(2):
        usage = client.complete(request_to(client)).usage
        assert (usage.estimated, usage.completion_tokens) == (True, 2)
        assert usage.prompt_tokens > 0


def test_odd_chunks_and_comments_change_nothing(server: ChatServer, client: ChatClient) -> None:
    server.script(
        Reply("größer 🙂 end", null_choices=True, comments=True, crlf=True, split_bytes=3),
        Reply("one two", role_in_every_chunk=True, done_line=False),
    )
    assert client.complete(request_to(client)).text == "größer 🙂 end"
    assert client.complete(request_to(client)).notes == ()


def test_a_hit_sends_nothing_and_says_what_it_is(
    server: ChatServer, cache: CompletionCache
) -> None:
    with asking(server.url, cache=cache) as client:
        first = client.complete(request_to(client))
        asked = start(client)
        hit = asked.completion()
    assert (asked.text, hit.text, hit.cached, hit.attempts) == (SAID, first.text, True, 0)
    assert hit.time_to_first_token is None
    assert len(server.posts) == 1


def test_a_refresh_asks_and_stores_the_new_answer(
    server: ChatServer, cache: CompletionCache
) -> None:
    server.script(Reply("old"), Reply("new"))
    with asking(server.url, cache=cache) as client:
        said = [
            client.complete(request_to(client), sending).text
            for sending in (None, Sending(refresh=True), None)
        ]
    assert (said, len(server.posts)) == (["old", "new", "new"], 2)


def test_without_the_cache_nothing_is_read_from_it_or_written(
    server: ChatServer, cache: CompletionCache
) -> None:
    with asking(server.url, cache=cache) as client:
        client.complete(request_to(client), Sending(use_cache=False))
        assert cache.stats().entries == 0
        client.complete(request_to(client))
        assert not client.complete(request_to(client), Sending(use_cache=False)).cached
    assert len(server.posts) == 3


@pytest.mark.parametrize("reply", [Reply(finish_reason="length"), Reply(finish_reason=None)])
def test_a_truncated_answer_is_not_stored(
    server: ChatServer, cache: CompletionCache, reply: Reply
) -> None:
    server.default = reply
    with asking(server.url, cache=cache) as client:
        answers = [client.complete(request_to(client)) for _ in range(2)]
    assert [(a.truncated, a.cached) for a in answers] == [(True, False)] * 2


def test_a_budget_is_asked_before_the_request_and_after_the_cache(
    server: ChatServer, cache: CompletionCache
) -> None:
    async def spent() -> None:
        raise BudgetReached("spent")

    with asking(server.url, cache=cache) as client:
        with pytest.raises(BudgetReached):
            client.complete(request_to(client), Sending(within_budget=spent))
        assert server.requests == []
        client.complete(request_to(client))
        assert client.complete(request_to(client), Sending(within_budget=spent)).cached


def test_the_models_are_asked_once(server: ChatServer, client: ChatClient) -> None:
    assert client.known_models() == list(client.config.fallback_models)
    server.models = ["one", "two"]
    assert client.loop.run(client.models()) == ["one", "two"]
    server.models = ["three"]
    assert client.loop.run(client.models()) == client.known_models() == ["one", "two"]
    assert client.loop.run(client.models(fresh=True)) == ["three"]
    assert len(server.requests) == 2


def test_the_default_model_is_the_configured_one_or_the_first_listed(server: ChatServer) -> None:
    server.models = ["first", "second"]
    with asking(server.url, model="mine") as client:
        assert client.loop.run(client.default_model()) == "mine"
    with asking(server.url) as client:
        assert client.loop.run(client.default_model()) == "first"
    with asking("https://api.openai.com/v1") as client:
        assert client.loop.run(client.default_model()) == "gpt-5.6-luna"
    with asking("demo") as client:
        assert client.loop.run(client.default_model()) == "demo"


def test_a_server_without_models_is_told_and_asked_again(server: ChatServer) -> None:
    server.models = []
    with asking(server.url) as client:
        with pytest.raises(ModelNotFound, match="lists no model: set one"):
            client.loop.run(client.default_model())
        server.models = ["late"]
        assert client.loop.run(client.default_model()) == "late"


def test_a_model_that_is_not_there_is_told_with_those_that_are(
    server: ChatServer, client: ChatClient
) -> None:
    server.models = [f"m{n}" for n in range(20)]
    server.script(Status(404))
    with pytest.raises(ModelNotFound) as caught:
        client.complete(request_to(client, model="gone"))
    listed = ", ".join(f"m{n}" for n in range(12))
    assert caught.value.message == (
        f"127.0.0.1 has no model 'gone'; it has {listed}, … (20 in all)"
    )
    assert caught.value.request_id == "req_1"


def test_what_is_said_of_a_model_that_is_there_stands(
    server: ChatServer, client: ChatClient
) -> None:
    server.models = ["base"]
    server.script(Status(404, {"error": {"message": "This is not a chat model", "code": None}}))
    with pytest.raises(ModelNotFound, match="This is not a chat model"):
        client.complete(request_to(client, model="base"))


def test_a_list_of_models_that_fails_is_asked_again_and_the_wait_is_told(
    server: ChatServer,
) -> None:
    waits: list[Event] = []

    def mended(event: Event) -> None:
        waits.append(event)
        server.models_answer = None

    server.models_answer = Status(503, headers={"retry-after-ms": "1"})
    with asking(server.url) as client:
        assert client.loop.run(client.default_model(mended)) == server.models[0]
    assert [type(wait) for wait in waits] == [Waiting]


@pytest.mark.parametrize("listing", [Status(500), Html(), Json({"data": []})])
def test_a_missing_model_is_told_also_where_the_list_does_not_help(
    server: ChatServer, listing: Any
) -> None:
    server.models_answer = listing
    server.script(Status(404))
    with asking(server.url) as client, pytest.raises(ModelNotFound, match="answers 404"):
        client.complete(request_to(client, model="gone"))


def test_new_settings_hold_for_the_next_reply_and_not_for_one_under_way(
    server: ChatServer,
) -> None:
    server.script(Hang(then=Status(503, headers={"retry-after-ms": "1"})))
    server.default = Reply("by the first server")
    with ChatServer() as other, asking(server.url) as client:
        asked = start(client)
        server.until(lambda: server.held == 1)
        client.configure(client.config.model_copy(update={"base_url": other.url}), client.sources)
        server.release()
        assert asked.completion().text == "by the first server"
        assert other.requests == []
        assert client.complete(request_to(client)).text == SAID
        assert len(other.posts) == 1


def test_a_request_for_another_server_than_the_configured_one_is_refused(
    server: ChatServer, client: ChatClient
) -> None:
    request = request_to(client).model_copy(update={"base_url": "http://other.example/v1"})
    with pytest.raises(InvalidRequest, match=r"for http://other.example/v1, but base_url is now"):
        client.complete(request)
    assert server.requests == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_parent_and_forked_child_both_go_on(server: ChatServer, client: ChatClient) -> None:
    client.complete(request_to(client, "before"))
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, client.complete(request_to(client, "child")).text.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == SAID
    os.waitpid(pid, 0)
    assert client.complete(request_to(client, "after")).text == SAID
    assert {request.last: request.connection for request in server.posts} == {
        "before": 1,
        "child": 2,
        "after": 1,
    }


def test_a_closed_client_lets_its_connections_go_and_can_begin_anew(
    server: ChatServer, client: ChatClient
) -> None:
    client.prepare()
    assert isinstance(client.complete(request_to(client)), Completion)
    client.close()
    assert client.complete(request_to(client)).text == SAID
    assert server.connections == 2


def test_an_empty_list_of_messages_is_not_sent(server: ChatServer, client: ChatClient) -> None:
    with pytest.raises(InvalidRequest, match="nothing to send"):
        client.complete(request_to(client, messages=()))
    assert server.requests == []


def test_a_whole_conversation_travels_in_order(server: ChatServer, client: ChatClient) -> None:
    said = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye 🙂")]
    messages = tuple(Message(role=role, content=text) for role, text in said)  # type: ignore[arg-type]
    client.complete(request_to(client, messages=messages))
    assert [(m["role"], m["content"]) for m in server.bodies[0]["messages"]] == said
