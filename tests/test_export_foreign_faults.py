"""Other tools' files that are damaged, huge or full of nonsense: one line, never a traceback."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat_magics.errors import InvalidRequest
from chat_magics.export import jupyter_chat, llm_logs, load, openai_archive
from chat_magics.export.foreign import CHUNK, json_items
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.history import History

SAMPLES = Path(__file__).parent / "exports"
CONVERSATIONS = 5_000

Reader = Callable[[Path], Iterator[Transcript | Unread]]

SHARED = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
IDS = st.sampled_from(["a", "b", "c", "d", "e"])
TIMES = st.none() | st.floats() | st.integers() | st.text(max_size=5)
CONTENTS = VALUES | st.fixed_dictionaries(
    {
        "content_type": st.sampled_from(["text", "code", "thoughts", "x", "multimodal_text"]),
        "parts": st.lists(st.text(max_size=5) | VALUES, max_size=3),
        "text": st.text(max_size=5),
        "thoughts": VALUES,
    }
)
MESSAGES = VALUES | st.fixed_dictionaries(
    {
        "author": st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "tool", "system", "x"])}
        ),
        "create_time": TIMES,
        "update_time": TIMES,
        "content": CONTENTS,
        "metadata": VALUES | st.fixed_dictionaries({"model_slug": st.text(max_size=3)}),
    }
)
NODES = st.fixed_dictionaries({"parent": IDS | VALUES, "message": MESSAGES})
TALKS = st.fixed_dictionaries(
    {
        "title": VALUES,
        "create_time": TIMES,
        "mapping": st.dictionaries(IDS, NODES),
        "current_node": IDS | VALUES,
        "id": VALUES,
    }
)
ROOMS = st.fixed_dictionaries(
    {
        "messages": st.lists(
            VALUES
            | st.fixed_dictionaries(
                {
                    "body": st.text(max_size=5) | VALUES,
                    "id": IDS | VALUES,
                    "time": TIMES,
                    "sender": IDS | VALUES,
                }
            ),
            max_size=6,
        ),
        "users": VALUES | st.dictionaries(IDS, st.fixed_dictionaries({"bot": st.booleans()})),
        "metadata": VALUES,
    }
)


def database(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.sql").read_text(encoding="utf-8")


def parts_of(read: Reader, path: Path) -> list[Transcript | Unread]:
    """What is read; every exchange can be written, and each id of a path is there."""
    parts = list(read(path))
    for part in parts:
        if isinstance(part, Transcript):
            part.conversation.model_dump_json().encode()
            ids = [each.id for each in part.exchanges]
            assert len(ids) == len(set(ids))
            assert set(part.conversation.path) <= set(ids)
            for each in part.exchanges:
                each.model_dump_json().encode()
                assert each.supersedes is None or each.supersedes in ids
                assert set(each.context) <= set(ids)
    return parts


@given(value=VALUES | st.lists(TALKS, max_size=3))
@SHARED
def test_any_json_is_read_as_an_archive_without_a_fault(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps(value))
    parts_of(openai_archive.read, path)


@given(value=VALUES | ROOMS)
@SHARED
def test_any_json_is_read_as_a_chat_without_a_fault(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "room.chat"
    path.write_text(json.dumps(value))
    parts_of(jupyter_chat.read, path)


CELLS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()
WORDS = st.sampled_from(["u1", "a1", "01a", "01conv", "both"])


@given(data=st.data())
@SHARED
@pytest.mark.parametrize("name", ["llm_0_5", "llm_0_31", "llm_0_32"])
def test_any_value_in_a_log_of_llm_is_read_without_a_fault(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    path = tmp_path / "logs.db"
    path.unlink(missing_ok=True)
    script = sample(name).replace(" PRIMARY KEY,", ",")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA synchronous = OFF; BEGIN; {script}; COMMIT")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE sql > ''").fetchall()
        table = data.draw(st.sampled_from(sorted(tables)))[0]
        columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        column = data.draw(st.sampled_from(columns))[1]
        value = data.draw(CELLS | VALUES.map(json.dumps) | WORDS)
        usable = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        with connection:
            connection.execute(f'UPDATE OR IGNORE "{table}" SET "{column}" = ?', (usable,))
    parts_of(llm_logs.read, path)


@pytest.mark.parametrize(
    "text",
    ["{", "[", "[1,", "[1,]", "[1 2]", "[1] 2", "nonsense", "\ufeff[", "[" * 100_000, "\x00"],
)
@pytest.mark.parametrize("read", [openai_archive.read, jupyter_chat.read])
def test_a_damaged_file_is_told_in_one_line(read: Reader, text: str, tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"^the file is damaged: [^\n]+$"):
        list(read(path))


def test_a_chat_that_nobody_wrote_in_is_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "new.chat"
    path.touch()
    assert jupyter_chat.recognises(path, b"")
    assert parts_of(jupyter_chat.read, path) == [Unread("the chat", "nobody says anything in it")]


@pytest.mark.parametrize("read", [openai_archive.read, jupyter_chat.read, llm_logs.read])
def test_a_file_that_is_not_there_or_not_text_is_told_in_one_line(
    read: Reader, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequest, match="read"):
        list(read(tmp_path / "none"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00\xd8" * 40)
    with pytest.raises(InvalidRequest, match="damaged"):
        list(read(tmp_path / "bytes"))


def test_a_log_of_llm_that_is_cut_off_is_told_in_one_line(tmp_path: Path) -> None:
    path = database(tmp_path / "logs.db", sample("llm_0_31"))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InvalidRequest, match=r"^the file is damaged or no log of llm: .*malformed"):
        list(llm_logs.read(path))


def test_another_database_is_no_log_of_llm(tmp_path: Path) -> None:
    tables = "CREATE TABLE conversations (id); CREATE TABLE exchanges (id)"
    path = database(tmp_path / "history.db", tables)
    assert not llm_logs.recognises(path, path.read_bytes()[:100])
    with pytest.raises(InvalidRequest, match="no log of llm"):
        list(llm_logs.read(path))


def test_messages_in_a_circle_or_without_their_parent_are_kept(tmp_path: Path) -> None:
    def node(id: str, parent: str, role: str) -> dict[str, Any]:
        message = {"author": {"role": role}, "content": {"parts": [f"I am {id}"]}}
        return {"id": id, "parent": parent, "message": message}

    nodes = [node("a", "b", "user"), node("b", "a", "assistant"), node("c", "gone", "user")]
    talk = {"mapping": {each["id"]: each for each in nodes}, "current_node": "b", "id": "1"}
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([talk]))
    (part,) = parts_of(openai_archive.read, path)
    assert isinstance(part, Transcript)
    assert {each.prompt: each.text for each in part.exchanges} == {"I am a": "I am b", "I am c": ""}


def test_text_that_no_database_can_hold_is_mended(tmp_path: Path) -> None:
    message = {"author": {"role": "user"}, "content": {"parts": ["a\0b\ud800c"]}}
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([{"id": "1\ud800", "mapping": {"a": {"message": message}}}]))
    (part,) = parts_of(openai_archive.read, path)
    assert isinstance(part, Transcript)
    assert part.exchanges[0].prompt == "a\ufffdb\ufffdc"


def test_options_that_are_no_json_of_a_database_are_mended(tmp_path: Path) -> None:
    deep = "[" * 500 + "]" * 500
    odd = f'{{"a": NaN, "b": 1e999, "c\\u0000": "\\ud800", "deep": {deep}}}'
    change = f"UPDATE responses SET options_json = '{odd}' WHERE id = '01a'"
    path = database(tmp_path / "logs.db", f"{sample('llm_0_31')};{change}")
    talk = [part for part in parts_of(llm_logs.read, path) if isinstance(part, Transcript)][1]
    options = talk.exchanges[0].options
    assert {**options, "deep": ...} == {"a": "nan", "b": "inf", "c\ufffd": "\ufffd", "deep": ...}
    assert "nested too deep" in str(options["deep"])


def test_reading_twice_gives_the_same_ids(tmp_path: Path) -> None:
    path = SAMPLES / "conversations.json"
    assert list(openai_archive.read(path)) == list(openai_archive.read(path))


def test_an_array_is_read_item_by_item_over_the_ends_of_chunks(tmp_path: Path) -> None:
    items = ["x" * size for size in (10, CHUNK - 20, CHUNK, 3 * CHUNK, 0)] + [{"a": [1, "]"]}]
    path = tmp_path / "items.json"
    path.write_text(json.dumps(items, indent=1) + "\n\n")
    assert list(json_items(path)) == items
    path.write_text(json.dumps(items)[:-1])
    items_read = json_items(path)
    assert [next(items_read) for _ in items[:-1]] == items[:-1]
    with pytest.raises(InvalidRequest, match="damaged"):
        next(items_read)


def test_five_thousand_conversations_of_chatgpt_are_read(tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    talk = json.dumps(json.loads((SAMPLES / "conversations.json").read_text(encoding="utf-8"))[0])
    with path.open("w", encoding="utf-8") as file:
        file.write("[" + ",".join([talk] * CONVERSATIONS) + "]")
    read = [part for part in openai_archive.read(path) if isinstance(part, Transcript)]
    assert len(read) == CONVERSATIONS


def test_five_thousand_conversations_of_llm_are_read(tmp_path: Path) -> None:
    path = database(tmp_path / "logs.db", sample("llm_0_31"))
    insert = "INSERT INTO responses (id, prompt, response, conversation_id) VALUES (?, ?, ?, ?)"
    rows = ((f"r{n}", "Hello", "Hi", f"c{n // 2}") for n in range(2 * CONVERSATIONS))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(insert, rows)
    read = [part for part in llm_logs.read(path) if isinstance(part, Transcript)]
    assert len(read) == CONVERSATIONS + 2


@pytest.mark.parametrize("name", ["conversations.json", "room.chat", "llm_0_5", "llm_0_32"])
def test_what_was_imported_twice_is_there_once(name: str, tmp_path: Path) -> None:
    path = SAMPLES / name
    if not path.exists():
        path = database(tmp_path / "logs.db", sample(name))
    history = History("sqlite://", on_warning=pytest.fail)
    first = [history.put(*talk).outcome for talk in load(path)]
    again = [history.put(*talk).outcome for talk in load(path)]
    assert set(first) == {"added"}
    assert set(again) == {"present"}
    history.close()
