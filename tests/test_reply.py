"""A reply from nothing sent to its end: in pieces, whole, broken, restarted, stopped, in async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from chat_magics import Conversation
from chat_magics.client import Restarted, Text, Waiting
from chat_magics.errors import (
    AuthenticationFailed,
    BadResponse,
    RateLimited,
    ServerUnavailable,
    StreamRestarted,
)
from tests.chat_server import ChatServer, Hang, Reply, Status
from tests.talks import conversation_on, until

SOON = Status(429, headers={"retry-after-ms": "1"})


@pytest.fixture
def chat(server: ChatServer) -> Iterator[Conversation]:
    """A new conversation on the tests' server."""
    with conversation_on(server) as chat:
        yield chat


def test_nothing_is_sent_before_it_is_looked_at(chat: Conversation, server: ChatServer):
    reply = chat.ask("Hello there")
    assert repr(reply) == "<Reply, not sent yet: 'Hello there'>"
    assert (reply.status, reply.done, reply.text_so_far) == ("new", False, "")
    assert server.requests == []


def test_it_is_sent_once_however_often_it_is_looked_at(chat: Conversation, server: ChatServer):
    reply = chat.ask("Hello")
    assert str(reply) == reply.text == "".join(reply) == "Hello from the test server."
    assert (reply.cached, reply.status, len(server.posts)) == (False, "complete", 1)


def test_pieces_come_while_the_server_still_writes(chat: Conversation, server: ChatServer):
    server.script(Reply(["one ", "two"], stall_after=1))
    pieces = iter(chat.ask("Count"))
    assert next(pieces) == "one "
    server.until(lambda: server.held == 1)
    server.release()
    assert list(pieces) == ["two"]


def test_it_tells_what_it_took(chat: Conversation, server: ChatServer):
    server.script(Reply("Four words are here", model="test-model-1"))
    reply = chat.ask("Hello", system="Be brief", temperature=0.2, max_tokens=9)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 4)
    assert (reply.model, reply.cost) == ("test-model-1", None)
    assert 0 < reply.seconds <= reply.elapsed < 30
    assert [(m.role, m.content) for m in reply.context] == [
        ("system", "Be brief"),
        ("user", "Hello"),
    ]
    assert server.bodies[0]["messages"] == [m.model_dump() for m in reply.context]
    assert (server.bodies[0]["temperature"], server.bodies[0]["max_tokens"]) == (0.2, 9)


def test_its_repr_is_one_quiet_line(chat: Conversation):
    reply = chat.ask("Hello\nthere " + 40 * "x")
    assert reply.text in str(reply)
    assert repr(reply).startswith("<Reply, test-model · 10 → 5 tokens · 0.")
    assert repr(reply).endswith("'Hello there xxxxxxxxxxxxxxxxxxxxxxxxxxx…'>")


def test_code_blocks_come_with_their_language(chat: Conversation, server: ChatServer):
    server.script(Reply("Try:\n\n```python\n1 + 1\n```\n\nor\n\n```sql\nselect 1\n```\n"))
    code = chat.ask("Code").code
    assert [(b.language, b.code) for b in code] == [("python", "1 + 1"), ("sql", "select 1")]


@pytest.mark.parametrize("text", ['{"a": [1]}', 'Here:\n\n```json\n{"a": [1]}\n```\n'])
def test_json_is_read_with_and_without_a_fence(chat: Conversation, server: ChatServer, text: str):
    server.script(Reply(text))
    assert chat.ask("JSON").json() == {"a": [1]}


def test_what_is_no_json_is_told_in_one_line(chat: Conversation):
    with pytest.raises(BadResponse, match=r"^the reply is not JSON \(.*\); its text is in "):
        chat.ask("JSON").json()


def test_leaving_the_loop_early_leaves_the_reply_to_go_on(chat: Conversation, server: ChatServer):
    server.script(Reply(["one ", "two"], stall_after=1))
    reply = chat.ask("Count")
    for piece in reply:
        assert piece == "one "
        break
    server.release()
    assert (reply.text, reply.status) == ("one two", "complete")


def test_reasoning_is_kept_where_the_reply_is_stopped_before_its_text(
    chat: Conversation, server: ChatServer
):
    server.script(Reply(["never"], reasoning="Let me think", stall_after=0))
    reply = chat.ask("Hello").send()
    until(lambda: reply.exchange and _stored(reply) == "Let me think")
    reply.stop()
    assert reply.wait(10)
    assert (_stored(reply), reply.text_so_far, reply.status) == ("Let me think", "", "stopped")
    assert reply.usage.completion_tokens == 3


def _stored(reply) -> str:
    """The reasoning that history has of a reply now."""
    return reply.conversation.session.history.exchange(reply.exchange.id).reasoning


def test_events_tell_waits_and_restarts(chat: Conversation, server: ChatServer):
    server.script(SOON, Reply(["one ", "two"], cut_after=1), Reply("another"))
    first, *events = chat.ask("Hello").events()
    assert isinstance(first, Waiting)
    assert (first.attempt, first.attempts) == (2, 4)
    assert [type(e) for e in events] == [Text, Waiting, Restarted, Text]
    assert [e.text for e in events if isinstance(e, Text)] == ["one ", "another"]
    assert events[2].discarded == "one "


def test_iterating_raises_where_the_new_text_departs(chat: Conversation, server: ChatServer):
    server.script(Reply(["one ", "two"], stall_after=1, cut_after=1), Reply("another"))
    reply = chat.ask("Hello")
    pieces = iter(reply)
    assert next(pieces) == "one "  # else nothing was given that the new text could depart from
    server.release()
    with pytest.raises(StreamRestarted, match=r"str\(reply\) is whole"):
        list(pieces)
    assert str(reply) == "another" == "".join(reply)
    assert reply.exchange.attempts == 2
    assert reply.exchange.wasted.completion_tokens == 1
    assert "asked again" in repr(reply)


def test_iterating_goes_on_silently_where_it_does_not(chat: Conversation, server: ChatServer):
    server.script(Reply(["one ", "two ", "three"], cut_after=2), Reply(["one ", "two ", "three"]))
    assert "".join(chat.ask("Count")) == "one two three"


def test_iterating_raises_where_the_new_text_is_shorter(chat: Conversation, server: ChatServer):
    server.script(Reply(["one two ", "three"], stall_after=1, cut_after=1), Reply(["one "]))
    reply = chat.ask("Count")
    pieces = iter(reply)
    assert next(pieces) == "one two "
    server.release()
    with pytest.raises(StreamRestarted):
        list(pieces)
    assert str(reply) == "one "


def test_a_failure_is_raised_by_looking_and_kept(chat: Conversation, server: ChatServer):
    server.script(Status(401))
    reply = chat.ask("Hello")
    with pytest.raises(AuthenticationFailed):
        _ = reply.text
    with pytest.raises(AuthenticationFailed):
        list(reply)
    assert (reply.status, reply.cost, reply.usage) == ("error", None, None)
    assert list(reply.events()) == []


def test_text_that_came_before_a_failure_is_given(chat: Conversation, server: ChatServer):
    server.default = Reply(["one ", "two"], cut_after=1)
    reply = chat.ask("Hello", use_cache=False)
    with pytest.raises(ServerUnavailable, match="in mid-reply"):
        list(reply)
    assert (reply.text, reply.status, reply.exchange.text) == ("one ", "error", "one ")


def test_stopped_before_the_first_token(chat: Conversation, server: ChatServer):
    server.script(Hang())
    reply = chat.ask("Hello").send()
    server.until(lambda: server.held == 1)
    reply.stop()
    server.until(lambda: server.disconnects == 1)
    assert (reply.text, reply.status, chat.exchanges()[0].status) == ("", "stopped", "stopped")


def test_stopped_after_the_first_token_the_partial_is_kept_and_not_cached(
    chat: Conversation, server: ChatServer
):
    server.script(Reply(["one ", "two"], stall_after=1))
    reply = chat.ask("Count")
    assert next(iter(reply)) == "one "
    reply.stop()
    server.until(lambda: server.disconnects == 1)
    kept = chat.session.history.exchange(reply.exchange.id) if reply.wait() else None
    assert (kept.text, kept.status, kept.usage.estimated) == ("one ", "stopped", True)
    assert Conversation(session=chat.session).ask("Count").cached is False
    assert len(server.posts) == 2


def test_stopped_while_it_waits_for_a_retry_no_request_follows(
    chat: Conversation, server: ChatServer
):
    server.script(Status(429, headers={"retry-after": "50"}))
    reply = chat.ask("Hello")
    assert isinstance(next(reply.events()), Waiting)
    reply.stop()
    assert reply.wait(10)
    assert (reply.status, len(server.posts)) == ("stopped", 1)


def test_stopped_before_it_is_sent_it_never_is(chat: Conversation, server: ChatServer):
    reply = chat.ask("Hello")
    reply.stop()
    assert (reply.text, reply.status, server.requests) == ("", "stopped", [])
    assert chat.path == ()


def test_ask_async_gives_the_whole_reply(chat: Conversation):
    reply = asyncio.run(chat.ask_async("Hello"))
    assert reply.text == "Hello from the test server."


def test_ask_async_raises_what_went_wrong(chat: Conversation, server: ChatServer):
    server.script(Status(429, headers={"retry-after": "1000"}))
    with pytest.raises(RateLimited):
        asyncio.run(chat.ask_async("Hello"))


def test_async_iteration_gives_pieces_while_the_server_writes(
    chat: Conversation, server: ChatServer
):
    async def pieces() -> list[str]:
        came = []
        async for piece in chat.ask("Count"):
            came.append(piece)
            server.release()
        return came

    server.script(Reply(["one ", "two"], stall_after=1))
    assert asyncio.run(pieces()) == ["one ", "two"]


@pytest.mark.parametrize("answer", [Hang(), Reply(["one ", "two"], stall_after=1)])
def test_cancelling_the_callers_task_stops_it(chat: Conversation, server: ChatServer, answer):
    reply = chat.ask("Hello")

    async def cancelled() -> None:
        task = asyncio.ensure_future(reply.wait_async())
        await asyncio.to_thread(server.until, lambda: server.held == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    server.script(answer)
    asyncio.run(cancelled())
    server.until(lambda: server.disconnects == 1)
    assert reply.wait(10)
    assert reply.status == "interrupted"


def test_a_callers_loop_that_is_gone_does_not_harm_the_reply(
    chat: Conversation, server: ChatServer
):
    server.script(Reply(["one ", "two"], stall_after=1))
    reply = chat.ask("Count")
    pieces, loop = reply.__aiter__(), asyncio.new_event_loop()
    assert loop.run_until_complete(pieces.__anext__()) == "one "
    loop.close()
    server.release()
    assert (reply.text, reply.error) == ("one two", None)


def test_many_threads_see_the_same_text(chat: Conversation, server: ChatServer):
    server.script(Reply("a b c d e f", delay_between=0.001))
    reply, texts = chat.ask("Hello"), []
    threads = [threading.Thread(target=lambda: texts.append("".join(reply))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert texts == ["a b c d e f"] * 4
    assert len(server.posts) == 1
