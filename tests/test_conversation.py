"""A conversation: its context, its queue, its history; regenerate, edit, versions, open."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat_magics import Conversation
from chat_magics.client import Waiting
from chat_magics.errors import ChatError, InvalidRequest, NotFound
from tests.chat_server import ChatServer, Reply, Request, Status
from tests.talks import conversation_on, session_on, until, user_texts


@pytest.fixture
def chat(server: ChatServer) -> Iterator[Conversation]:
    """A new conversation on the tests' server."""
    with conversation_on(server) as chat:
        yield chat


def say(chat: Conversation, *prompts: str) -> list[str]:
    """Asks them one after the other; the ids of the exchanges."""
    replies = [chat.ask(prompt) for prompt in prompts]
    return [reply.exchange.id for reply in replies if reply.text and reply.exchange]


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    """What another process would read in the history file."""
    with closing(sqlite3.connect(home / "history.db")) as connection:
        return connection.execute(query).fetchall()


def test_each_ask_is_sent_with_all_before(chat: Conversation, server: ChatServer):
    server.script(Reply("A1"), Reply("A2"), Reply("A3"))
    say(chat, "Q1", "Q2", "Q3")
    sent = [(m["role"], m["content"]) for m in server.bodies[2]["messages"]]
    turns = [("user", "Q1"), ("assistant", "A1"), ("user", "Q2"), ("assistant", "A2")]
    assert sent == [*turns, ("user", "Q3")]


def test_alone_is_sent_without_context_and_is_none(chat: Conversation, server: ChatServer):
    say(chat, "Q1")
    assert chat.ask("aside", alone=True).text
    say(chat, "Q2")
    assert [user_texts(body) for body in server.bodies] == [["Q1"], ["aside"], ["Q1", "Q2"]]
    assert len(chat.session.history.load_exchanges(chat.id)) == 3


def test_a_later_ask_waits_visibly_and_sees_the_first_ones_answer(
    chat: Conversation, server: ChatServer
):
    server.script(Reply(["one ", "two"], stall_after=1))
    first = chat.ask("first").send()
    server.until(lambda: server.held == 1)
    second = chat.ask("second").send()
    assert next(second.events()) == Waiting("the reply before this one")
    assert len(server.posts) == 1
    server.release()
    assert second.wait(10)
    assert [m.content for m in second.context] == ["first", "one two", "second"]
    assert first.status == second.status == "complete"


def test_a_queued_ask_that_is_stopped_leaves_no_trace(chat: Conversation, server: ChatServer):
    server.script(Reply(["one ", "two"], stall_after=1))
    first, second = chat.ask("first").send(), chat.ask("second")
    server.until(lambda: server.held == 1)
    second.send().stop()
    assert second.wait(10)
    server.release()
    assert (first.text, second.status, len(server.posts)) == ("one two", "stopped", 1)
    assert [e.prompt for e in chat.session.history.load_exchanges()] == ["first"]


def test_two_conversations_of_a_session_do_not_wait_for_each_other(
    chat: Conversation, server: ChatServer
):
    server.script(Reply(["one ", "two"], stall_after=1))
    first = chat.ask("first").send()
    server.until(lambda: server.held == 1)
    assert Conversation(session=chat.session).ask("second").text
    assert not first.done


def test_the_prompt_is_stored_before_it_is_sent(chat: Conversation, server: ChatServer, home: Path):
    stored: list[Any] = []

    def look(request: Request) -> Reply:
        stored.extend(rows(home, "select prompt, status from exchanges"))
        return Reply("seen")

    server.script(look)
    say(chat, "Is it stored?")
    assert stored == [("Is it stored?", "streaming")]


def test_the_partial_reply_is_stored_while_it_comes(
    chat: Conversation, server: ChatServer, home: Path
):
    server.script(Reply(["x" * 3000, "y"], stall_after=1))
    reply = chat.ask("Long")
    assert next(iter(reply))
    until(lambda: rows(home, "select length(text) from exchanges") == [(3000,)])
    reply.stop()


def test_regenerate_takes_the_place_and_asks_past_the_cache(chat: Conversation, server: ChatServer):
    server.script(Reply("A1"), Reply("A2"), Reply("B1"))
    first, second = say(chat, "Q1", "Q2")
    again = chat.regenerate(first)
    assert (again.text, again.exchange.supersedes, again.exchange.context) == ("B1", first, ())
    assert chat.path == (again.exchange.id, second)
    assert chat.stale() == {second}
    assert [version.text for version in chat.versions(first)] == ["A1", "B1"]
    assert server.bodies[2] == server.bodies[0]


def test_regenerate_by_default_takes_the_last_with_other_options(
    chat: Conversation, server: ChatServer
):
    say(chat, "Q1", "Q2")
    assert chat.regenerate(model="other", options={"temperature": 1.0}).text
    assert user_texts(server.bodies[2]) == ["Q1", "Q2"]
    assert (server.bodies[2]["model"], server.bodies[2]["temperature"]) == ("other", 1.0)


def test_a_failed_regenerate_leaves_the_old_one(chat: Conversation, server: ChatServer):
    (first,) = say(chat, "Q1")
    server.script(Status(400))
    with pytest.raises(InvalidRequest):
        _ = chat.regenerate().text
    assert chat.path == (first,)
    assert [version.status for version in chat.versions(first)] == ["complete", "error"]


def test_regenerating_several_times_at_once_leaves_the_last_one(chat: Conversation):
    say(chat, "Q1")
    replies = [chat.regenerate().send() for _ in range(3)]
    assert all(reply.wait(10) for reply in replies)
    assert chat.path == (replies[2].exchange.id,)
    assert len(chat.versions(replies[0].exchange.id)) == 4


def test_regenerate_of_nothing_says_so(chat: Conversation):
    with pytest.raises(NotFound, match="nothing to ask again"):
        chat.regenerate()


def test_edit_cuts_what_follows(chat: Conversation, server: ChatServer):
    first, second, _ = say(chat, "Q1", "Q2", "Q3")
    edited = chat.edit(second, "Q2, better")
    assert edited.text
    assert chat.path == (first, edited.exchange.id)
    assert user_texts(server.bodies[3]) == ["Q1", "Q2, better"]


def test_a_failed_edit_cuts_nothing(chat: Conversation, server: ChatServer):
    ids = say(chat, "Q1", "Q2", "Q3")
    server.script(Status(400))
    assert chat.edit(ids[0], "worse").wait(10)
    assert chat.path == tuple(ids)


def test_an_older_version_is_brought_back(chat: Conversation, server: ChatServer):
    server.script(Reply("old"), Reply("new"))
    (first,) = say(chat, "Q1")
    assert chat.regenerate().text == "new"
    chat.bring_back(first)
    say(chat, "Q2")
    assert server.bodies[2]["messages"][1]["content"] == "old"


def test_what_stands_nowhere_cannot_be_brought_back(chat: Conversation):
    first, second = say(chat, "Q1", "Q2")
    assert chat.edit(first, "other").text
    with pytest.raises(NotFound, match="no version"):
        chat.bring_back(second)


@pytest.mark.parametrize("ref", ["name", "prefix"])
def test_it_is_opened_in_a_new_session_and_goes_on(server: ChatServer, ref: str):
    with session_on(server) as session:
        left = Conversation("left join", session=session)
        say(left, "Q1", "Q2")
    with session_on(server) as session:
        found = Conversation.open(left.name if ref == "name" else left.id[:8], session=session)
        assert (found.id, [e.prompt for e in found.exchanges()]) == (left.id, ["Q1", "Q2"])
        say(found, "Q3")
    assert user_texts(server.bodies[2]) == ["Q1", "Q2", "Q3"]
    assert server.bodies[2]["messages"][:3] == [*server.bodies[1]["messages"][:3]]


def test_a_name_that_is_not_there_gets_the_nearest(chat: Conversation):
    Conversation("left join", session=chat.session)
    with pytest.raises(NotFound, match="left join"):
        Conversation.open("left joint", session=chat.session)


def test_a_taken_name_is_refused(chat: Conversation):
    Conversation("mine", session=chat.session)
    with pytest.raises(InvalidRequest, match="mine"):
        Conversation("mine", session=chat.session)


@pytest.mark.parametrize("time", range(20))
def test_a_conversation_has_one_id_whoever_asks_first(chat: Conversation, time: int):
    seen: set[str] = set()
    threads = [threading.Thread(target=lambda: seen.add(chat.id)) for _ in range(3)]
    reply = chat.ask(f"Hello {time}").send()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert reply.wait(10)
    assert seen == {chat.id} == {reply.exchange.conversation}


def test_closing_the_session_keeps_the_partial_as_interrupted(server: ChatServer):
    server.script(Reply(["one ", "two"], stall_after=1))
    with session_on(server) as session:
        reply = Conversation(session=session).ask("Count")
        assert next(iter(reply)) == "one "
        session.close()
        assert reply.wait(10)
    with session_on(server) as session:
        kept = session.history.exchange(reply.exchange.id)
        assert (kept.text, kept.status) == ("one ", "interrupted")


def test_closing_at_once_after_a_send_keeps_the_prompt(server: ChatServer):
    with session_on(server) as session:
        replies = [Conversation(session=session).ask(f"Q{n}").send() for n in range(5)]
        session.close()
        assert all(reply.wait(10) for reply in replies)
    with session_on(server) as session:
        assert {e.status for e in session.history.load_exchanges()} <= {"interrupted", "complete"}


def test_a_closed_session_says_so(server: ChatServer):
    with session_on(server) as session:
        chat = Conversation(session=session)
        session.close()
        with pytest.raises(ChatError, match="closed"):
            _ = chat.ask("Hello").text
    assert server.posts == []


def test_closing_twice_does_nothing(chat: Conversation):
    say(chat, "Hello")
    chat.session.close()
    chat.session.close()


def test_a_forked_child_goes_on_with_what_it_inherited(chat: Conversation, server: ChatServer):
    say(chat, "Q1")
    child = multiprocessing.get_context("fork").Process(target=say, args=(chat, "from the child"))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    say(chat, "from the parent")
    asked = {e.prompt for e in chat.session.history.load_exchanges()}
    assert asked == {"Q1", "from the child", "from the parent"}
