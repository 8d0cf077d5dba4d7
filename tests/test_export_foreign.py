"""Conversations of other tools, read from samples made by hand: exactly, and whatever is in them.

The samples hold what the documentation of their tools describes; `export/*.py` names it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from chat_magics.export import jupyter_chat, llm_logs, openai_archive
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.history.exchange import Exchange
from chat_magics.messages import Usage

SAMPLES = Path(__file__).parent / "exports"
ARCHIVE = SAMPLES / "conversations.json"
ROOM = SAMPLES / "room.chat"
HEAD = 65_536

Reader = Callable[[Path], Iterator[Transcript | Unread]]


def database(folder: Path, name: str) -> Path:
    """The log that a sample in SQL describes."""
    path = folder / "logs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((SAMPLES / f"{name}.sql").read_text(encoding="utf-8"))
    return path


def told(read: Reader, path: Path) -> tuple[list[Transcript], list[tuple[str, str]]]:
    parts = list(read(path))
    talks = [part for part in parts if isinstance(part, Transcript)]
    return talks, [(part.where, part.why) for part in parts if isinstance(part, Unread)]


def turns(talk: Transcript) -> list[tuple[str, str]]:
    return [(each.prompt, each.text) for each in talk.exchanges]


def in_path(talk: Transcript) -> list[tuple[str, str]]:
    by_id = {each.id: each for each in talk.exchanges}
    return [(by_id[id].prompt, by_id[id].text) for id in talk.conversation.path]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def same(exchange: Exchange, **expected: Any) -> bool:
    """True where the exchange is exactly this, its ids apart."""
    ids = {"id": exchange.id, "conversation": exchange.conversation}
    assert exchange == Exchange.model_validate({**ids, **expected})
    return True


def test_a_prompt_and_its_reply_of_chatgpt_are_an_exchange_with_all_that_is_told() -> None:
    (talk,), _ = told(openai_archive.read, ARCHIVE)
    assert same(
        talk.exchanges[0],
        prompt="Name this pelican 🐦",
        sent="Name this pelican 🐦",
        system="I keep birds.\n\nBe brief.",
        status="complete",
        created=utc("2023-11-14 22:13:30.250"),
        ended=utc("2023-11-14 22:13:33.500"),
        base_url="chatgpt",
        model_asked="auto",
        model="o3",
        text="Percy.",
        reasoning="Choosing\nIt looks dignified.",
        finish_reason="stop",
        attempts=1,
        notes=("imported from ChatGPT", "left out: image, attached file"),
    )


def test_the_branches_of_chatgpt_are_versions_and_the_shown_one_is_the_path() -> None:
    (talk,), _ = told(openai_archive.read, ARCHIVE)
    first, stopped, mistyped, why = talk.exchanges
    assert [each.text for each in talk.exchanges] == ["Percy.", "Pau", "", "Because of"]
    assert (stopped.supersedes, why.supersedes) == (first.id, mistyped.id)
    assert talk.conversation.path == (first.id, why.id)
    assert why.context == mistyped.context == (first.id,)
    assert (stopped.created, mistyped.created) == (
        utc("2023-11-14 22:13:40"),
        utc("2023-11-14 22:15"),
    )


def test_how_a_reply_of_chatgpt_ended_is_told() -> None:
    (talk,), _ = told(openai_archive.read, ARCHIVE)
    assert [(each.status, each.finish_reason) for each in talk.exchanges] == [
        ("complete", "stop"),
        ("stopped", None),
        ("interrupted", None),
        ("complete", "length"),
    ]


def test_what_chatgpt_held_beside_text_is_listed() -> None:
    (talk,), unread = told(openai_archive.read, ARCHIVE)
    first = "conversation 1 «Naming a pelican»"
    assert talk.conversation.title == "Naming a pelican"
    assert talk.conversation.created == utc("2023-11-14 22:13:20")
    assert unread == [
        (first, "left out: image"),
        (first, "left out: attached file"),
        (first, "left out: call of the tool python"),
        (first, "left out: content of the type execution_output"),
        ("conversation 2 «Nothing here»", "nobody says anything in it"),
        ("conversation 3", "it has no messages (no `mapping`)"),
        ("conversation 4", "it has no messages (no `mapping`)"),
    ]


@pytest.mark.parametrize("wrap", [lambda talks: {"conversations": talks}, lambda talks: talks[0]])
def test_an_archive_in_another_wrapping_is_the_same(
    wrap: Callable[[list[Any]], Any], tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(wrap(json.loads(ARCHIVE.read_text(encoding="utf-8"))[:1])))
    assert openai_archive.recognises(path, path.read_bytes())
    assert told(openai_archive.read, path)[0] == told(openai_archive.read, ARCHIVE)[0]


def test_a_reply_of_llm_has_its_fragments_tokens_and_times(tmp_path: Path) -> None:
    (_, talk), _ = told(llm_logs.read, database(tmp_path, "llm_0_31"))
    assert same(
        talk.exchanges[0],
        prompt="What is this?",
        sent="Roses are red\nWhat is this?",
        system="You like poems.\n\nBe brief.",
        status="complete",
        created=utc("2025-03-01 10:00:00.250"),
        ended=utc("2025-03-01 10:00:01.750"),
        base_url="llm",
        model_asked="mini",
        model="gpt-5-mini-2025",
        options={"temperature": 0.5},
        text="A poem.",
        finish_reason="stop",
        usage=Usage(prompt_tokens=20, completion_tokens=5, cached_tokens=8, reasoning_tokens=2),
        latency=1.5,
        attempts=1,
        notes=("imported from llm", "left out: attachment"),
    )


def test_a_call_of_llm_that_answers_to_a_tool_is_a_part_of_the_reply(tmp_path: Path) -> None:
    (alone, talk), unread = told(llm_logs.read, database(tmp_path, "llm_0_31"))
    asked = talk.exchanges[1]
    assert turns(talk)[1] == ("What time is it?", "Ten.")
    assert (asked.usage, asked.latency) == (Usage(prompt_tokens=70, completion_tokens=12), 0.75)
    assert asked.context == (talk.exchanges[0].id,)
    assert turns(alone) == [("Alone", "Yes")]
    assert alone.exchanges[0].usage == Usage(prompt_tokens=3, completion_tokens=1)
    assert [why for _, why in unread] == [
        "left out: attachment",
        "left out: call of a tool",
        "left out: schema of the reply",
        "left out: result of a tool",
    ]


def test_a_thread_of_llm_is_read_with_fragments_thoughts_and_tools(tmp_path: Path) -> None:
    talks, _ = told(llm_logs.read, database(tmp_path, "llm_0_32"))
    thread = talks[1]
    assert turns(thread) == [("Who wrote it?", "Ada."), ("Thanks", "Welcome")]
    assert same(
        thread.exchanges[0],
        prompt="Who wrote it?",
        sent="A long novel.\nWho wrote it?",
        system="Be brief.",
        status="complete",
        created=utc("2026-08-10 10:00:00"),
        ended=utc("2026-08-10 10:00:02.500"),
        base_url="llm",
        model_asked="mini",
        model="mini-2026",
        options={"seed": 1},
        text="Ada.",
        reasoning="I look it up.",
        finish_reason="stop",
        usage=Usage(prompt_tokens=30, completion_tokens=3, cached_tokens=4),
        latency=1.5,
        attempts=1,
        notes=(
            "imported from llm",
            "left out: attachment, call of the tool look_up, result of the tool look_up",
        ),
    )


def test_a_fork_of_llm_has_what_it_shares_and_counts_no_token_twice(tmp_path: Path) -> None:
    talks, _ = told(llm_logs.read, database(tmp_path, "llm_0_32"))
    thread, fork = talks[1:]
    assert turns(fork) == in_path(fork) == [("Who wrote it?", "Ada."), ("When?", "1843")]
    assert fork.exchanges[0].usage is None
    assert fork.exchanges[1].usage == Usage(prompt_tokens=5, completion_tokens=5)
    assert not {each.id for each in thread.exchanges} & {each.id for each in fork.exchanges}


def test_a_conversation_over_two_generations_of_llm_is_one(tmp_path: Path) -> None:
    both = told(llm_logs.read, database(tmp_path, "llm_0_32"))[0][0]
    assert turns(both) == in_path(both) == [("Zero", "Nought"), ("One", "Uno"), ("Two", "Due")]
    assert [each.usage.prompt_tokens for each in both.exchanges if each.usage] == [1, 2, 6]
    assert both.exchanges[1].created == utc("2026-07-01 10:01")


def test_the_oldest_logs_of_llm_are_grouped_by_chat(tmp_path: Path) -> None:
    talks, unread = told(llm_logs.read, database(tmp_path, "llm_0_5"))
    assert [turns(talk) for talk in talks] == [
        [("First", "One"), ("More", "Three")],
        [("Other", "Two")],
    ]
    assert talks[0].exchanges[0].created == utc("2023-07-01 10:00:00.500")
    assert (talks[0].exchanges[1].system, unread) == ("Be brief.", [])


def test_a_log_of_llm_is_not_changed_by_reading(tmp_path: Path) -> None:
    path = database(tmp_path, "llm_0_32")
    before = path.read_bytes()
    told(llm_logs.read, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.glob("logs*")] == ["logs.db"]


def test_a_chat_room_has_replies_of_bots_and_prompts_of_all_others() -> None:
    (talk,), _ = told(jupyter_chat.read, ROOM)
    assert turns(talk) == in_path(talk)
    assert turns(talk) == [
        ("", "Welcome!"),
        ("Hello all", ""),
        ("@Jupyternaut what is 1 + 1?", "It is\n\n2"),
    ]
    assert [each.status for each in talk.exchanges] == ["complete", "interrupted", "complete"]
    assert talk.exchanges[1].notes == (
        "imported from jupyter-chat",
        "asked by Ada L.",
        "the prompt was edited",
    )


def test_a_turn_of_a_chat_room_is_exact() -> None:
    (talk,), _ = told(jupyter_chat.read, ROOM)
    assert same(
        talk.exchanges[2],
        prompt="@Jupyternaut what is 1 + 1?",
        sent="@Jupyternaut what is 1 + 1?",
        context=(talk.exchanges[0].id,),
        status="complete",
        created=utc("2025-06-15 15:07:00"),
        ended=utc("2025-06-15 15:07:02"),
        base_url="jupyter-chat",
        model_asked="unknown",
        text="It is\n\n2",
        finish_reason="unknown",
        attempts=1,
        notes=(
            "imported from jupyter-chat",
            "asked by Bob",
            "answered by Jupyternaut",
            "left out: attachment, output of the type image/png",
        ),
    )


def test_what_a_chat_room_held_beside_text_is_listed() -> None:
    _, unread = told(jupyter_chat.read, ROOM)
    assert unread == [
        ("message 6", "it was deleted"),
        ("message 7", "its type is 'notice' and not 'msg'"),
        ("the chat", "left out: attachment"),
        ("the chat", "left out: output of the type image/png"),
    ]


def test_a_chat_without_bots_is_prompts_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "two.chat"
    path.write_text(
        json.dumps({"messages": [{"body": "Hi", "id": "1", "time": 1.0, "sender": "a"}]})
    )
    (talk,), unread = told(jupyter_chat.read, path)
    assert turns(talk) == [("Hi", "")]
    assert unread == [
        ("the chat", "nobody in it is marked as a bot: all messages are taken as prompts")
    ]
