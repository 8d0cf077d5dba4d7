"""A conversation as frames, and a frame as its context; who watches is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat_magics import Conversation, Session
from chat_magics.errors import InvalidRequest, NotFound
from chat_magics.frames import SCHEMA
from tests.chat_server import ChatServer, Reply
from tests.talks import user_texts


@pytest.fixture
def chat(server: ChatServer) -> Iterator[Conversation]:
    """Three turns on the tests' server."""
    session = Session({"base_url": server.url, "model": "test-model", "cache": False})
    chat = Conversation(session=session)
    for number in (1, 2, 3):
        server.script(Reply(f"A{number}"))
        chat.ask(f"Q{number}").wait()
    yield chat
    session.close()


def test_the_frame_is_what_the_model_sees(chat: Conversation):
    assert list(chat.frame["content"]) == ["Q1", "A1", "Q2", "A2", "Q3", "A3"]
    assert list(chat.frame.columns) == [column.name for column in SCHEMA["messages"]]
    assert chat.context.equals(chat.frame)
    assert Conversation(session=chat.session).frame.empty


def test_a_frame_with_other_rows_or_another_order_sets_the_context(
    chat: Conversation, server: ChatServer
):
    first, second, third = chat.path
    frame = chat.frame
    chat.context = frame[frame["exchange"] != second]
    assert chat.path == (first, third)
    chat.context = frame.set_index("exchange").loc[[third, first]].reset_index()
    assert chat.path == (third, first)
    chat.ask("Q4").wait()
    assert user_texts(server.bodies[-1]) == ["Q3", "Q1", "Q4"]
    chat.context = frame.iloc[:0]
    assert chat.path == ()


def test_an_exchange_of_another_conversation_can_be_pinned(chat: Conversation, server: ChatServer):
    other = Conversation(session=chat.session)
    everything = chat.history.messages()
    other.context = everything[everything["exchange"] == chat.path[0]]
    other.ask("Q4").wait()
    assert user_texts(server.bodies[-1]) == ["Q1", "Q4"]


def refused(chat: Conversation, frame: object) -> str:
    path = chat.path
    with pytest.raises((InvalidRequest, NotFound)) as error:
        chat.context = frame  # type: ignore[assignment]
    assert chat.path == path
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_frame_that_is_no_context_is_refused_with_the_reason(chat: Conversation):
    frame = chat.frame
    assert "no 'role' column" in refused(chat, frame.drop(columns="role"))
    assert "as chat.frame is" in refused(chat, [1, 2])
    assert "no assistant message" in refused(chat, frame[frame["role"] == "user"])
    assert "no user message" in refused(chat, frame[frame["role"] == "assistant"])
    assert "are not together" in refused(chat, frame.iloc[[0, 2, 1, 3]])
    assert "its reply stands before the prompt" in refused(chat, frame.iloc[::-1])
    assert "stands twice" in refused(chat, frame.iloc[[0, 0, 1]])
    assert "was changed" in refused(chat, frame.assign(content=frame["content"] + "!"))
    assert "must be text" in refused(chat, frame.assign(exchange=None))
    assert "neither 'user' nor" in refused(chat, frame.assign(role="system"))
    assert "is not in history" in refused(chat, frame.assign(exchange="f" * 32).iloc[:2])


def test_a_refusal_names_the_row_and_how_its_prompt_begins(chat: Conversation):
    frame = chat.frame
    frame.loc[3, "content"] = "better"
    assert refused(chat, frame).startswith("row 2 («Q2»): the assistant message was changed")
    assert refused(chat, chat.frame.iloc[[0, 1, 2]]).startswith("row 2 («Q2») has no assistant")
    assert "row 2 («Q1»): its prompt and" in refused(chat, chat.frame.iloc[[0, 2, 1, 3]])
    strange = chat.frame.assign(exchange="f" * 32).iloc[:2]
    assert refused(chat, strange).startswith("row 0 («Q1») is not in history")


def test_statistics_are_of_this_conversation(chat: Conversation):
    Conversation(session=chat.session).ask("elsewhere").wait()
    assert chat.stats()["messages"].item() == 6
    assert chat.stats(by="model")["exchanges"].item() == 3
    assert chat.history.stats()["messages"].item() == 8


def test_exactly_what_was_sent_is_told_from_history(chat: Conversation, server: ChatServer):
    asked = chat.ask("Q4", system="Be brief")
    asked.wait()
    reopened = Conversation.open(chat.id, session=Session({"base_url": server.url}))
    sent = reopened.sent(reopened.exchanges()[-1])
    assert [message.model_dump() for message in sent] == server.bodies[-1]["messages"]
    reopened.session.close()


def test_an_older_branch_comes_back_with_what_was_said_in_it(
    chat: Conversation, server: ChatServer
):
    first, second, third = chat.path
    edited = chat.edit(second, "Q2, better")
    edited.wait()
    assert chat.path == (first, edited.id)
    chat.bring_back(second)
    assert chat.path == (first, second, third)
    chat.bring_back(edited.id)
    assert chat.path == (first, edited.id)


def test_asking_the_same_again_keeps_what_follows(chat: Conversation):
    first, second, third = chat.path
    again = chat.regenerate(second)
    again.wait()
    assert chat.path == (first, again.id, third)
    chat.bring_back(second)
    assert chat.path == (first, second, third)
    chat.bring_back(again.id)
    assert chat.path == (first, again.id, third)


def test_who_watches_is_told_of_each_prompt_and_each_path(chat: Conversation):
    seen: list[object] = []
    leave = chat.watch(seen.append)
    reply = chat.ask("Q4")
    reply.wait()
    assert [type(change).__name__ for change in seen] == ["Asked", "PathChanged"]
    assert seen[0].reply is reply  # type: ignore[attr-defined]
    assert seen[1].path == chat.path  # type: ignore[attr-defined]
    assert chat.path[-1] == reply.id
    leave()
    chat.ask("Q5").wait()
    assert len(seen) == 2


def test_a_watcher_that_fails_does_no_harm(chat: Conversation):
    chat.watch(lambda change: 1 / 0)
    assert chat.ask("Q4").text


def test_the_session_tells_which_conversation_is_the_current_one(chat: Conversation):
    seen: list[Conversation] = []
    leave = chat.session.watch(seen.append)
    chat.session.conversation = chat
    leave()
    chat.session.conversation = Conversation(session=chat.session)
    assert seen == [chat]


def test_replies_under_way_are_known(chat: Conversation, server: ChatServer):
    server.script(Reply(["One "], stall_after=1))
    reply = chat.ask("Q4").send()
    server.until(lambda: len(server.bodies) == 4)
    assert chat.replies == (reply,)
    reply.stop()
    reply.wait()
    assert chat.replies == ()
