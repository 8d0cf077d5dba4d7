"""Frames: the columns and dtypes that SCHEMA names, the same by every way they can be made."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import select

from chat_magics.frames import GROUPS, SCHEMA, empty, to_frame
from chat_magics.history import History, bulk, exchanges, reading, rows
from chat_magics.history.filters import Filter
from tests.frame_samples import START, awkward, checked, filled, sound

DOCS = Path(__file__).parent.parent / "docs" / "frames.md"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.db"


@pytest.fixture
def history(path):
    opened = History(path, on_warning=pytest.fail)
    yield opened
    opened.close()


@pytest.fixture
def by_arrow(monkeypatch):
    """Any number of rows is worth the fast way, which must be there."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("adbc_driver_sqlite")
    monkeypatch.setattr(reading, "BULK", 0)


@pytest.mark.parametrize("full", [False, True])
def test_every_frame_has_the_columns_of_the_schema(history, full):
    if full:
        filled(history, awkward())
    for kind in ("messages", "exchanges", "conversations", "stats"):
        frame = checked(getattr(history, kind)(), kind)
        assert full or kind == "stats" or frame.empty
    for by, column in GROUPS.items():
        assert sound(history.stats(by), (column, *SCHEMA["stats"]))


@pytest.mark.parametrize("kind", SCHEMA)
def test_a_frame_without_rows_has_the_columns_of_the_schema(kind):
    assert checked(empty(kind), kind).empty


def test_columns_that_are_missing_or_unknown_are_named():
    with pytest.raises(ValueError, match="columns of search missing or unknown: nonsense, rank"):
        to_frame("search", {c.name: [] for c in SCHEMA["search"][1:]} | {"nonsense": []})


def test_a_message_has_its_text_and_a_reply_its_figures(history):
    asked, failed = filled(
        history, [{"text": "Hi!", "cost": 0.5, "latency": 2.0}, {"status": "error"}]
    )
    frame = history.messages()
    assert list(frame["exchange"]) == [asked.id, asked.id, failed.id]
    assert list(frame["role"]) == ["user", "assistant", "user"]
    assert list(frame["content"]) == ["Hello", "Hi!", "Hello"]
    assert frame["cost"].isna().tolist() == [True, False, True]
    assert frame["latency"].sum() == 2.0


def test_a_frame_of_exchanges_holds_what_the_exchanges_hold(history):
    done = filled(history, awkward())
    frame = history.exchanges().set_index("id")
    for exchange in done:
        row = frame.loc[exchange.id]
        assert (row["prompt"], row["text"]) == (exchange.prompt, exchange.text)
        assert row["created"].to_pydatetime() == exchange.created
        assert row["usage_prompt_tokens"] is pd.NA or (
            row["usage_prompt_tokens"] == exchange.usage.prompt_tokens
        )


def test_both_ways_to_a_frame_give_the_same(history, path, by_arrow):
    filled(history, awkward())
    assert bulk.read_table(path, select(*rows.exchange_columns())).num_rows == len(awkward())
    ids = [exchange.id for exchange in history.walk()]
    for kind in ("messages", "exchanges"):
        fast, plain = getattr(history, kind)(), getattr(history, kind)(exchanges=ids)
        assert_frame_equal(checked(fast, kind), checked(plain, kind))


def test_many_batches_give_what_one_gives(history, by_arrow, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH_ROWS", 500)
    samples = filled(history, awkward())
    # Lengths differ, so that a batch that is read over another one would show.
    copies = [
        each.model_copy(
            update={"id": f"{number:05}{each.id}", "text": f"{each.text} {number:0{number % 99}}"}
        )
        for number in range(2_000 // len(samples))
        for each in samples
    ]
    history._store.write(lambda connection: exchanges.add_ended(connection, copies))
    ids = [exchange.id for exchange in history.walk()]
    for kind in ("messages", "exchanges"):
        assert_frame_equal(getattr(history, kind)(), getattr(history, kind)(exchanges=ids))


def test_a_filter_narrows_both_ways_alike(history, by_arrow):
    filled(history, [*awkward(), {"prompt": "it's 100% \\ÄRGER"}])
    for narrow in ({"text": "IT'S 100%"}, {"text": "ärger"}, {"model": "demo"}, {"since": "2026"}):
        ids = [exchange.id for exchange in history.walk(**narrow)]
        assert ids
        assert_frame_equal(history.messages(**narrow), history.messages(exchanges=ids))


def test_the_fast_way_shows_nobody_elses(path, history, by_arrow):
    other = History(path, owner="other", on_warning=pytest.fail)
    filled(history, [{"prompt": "ours", "created": START.replace(day=9)}])
    assert other.messages().empty
    filled(other, [{"prompt": "theirs"}])
    assert list(history.messages()["content"]) == ["ours"]
    assert list(other.messages()["content"]) == ["theirs"]
    assert list(history.messages(owner="*")["content"]) == ["theirs", "ours"]
    other.close()


def test_who_begins_to_write_while_the_fast_way_reads_is_not_shown(path, history):
    filled(history, [{}])
    clauses = history._store.read(lambda connection: rows.bulk_clauses(connection, Filter(), ""))
    other = History(path, owner="other", on_warning=pytest.fail)
    filled(other, [{}])
    query = select(*rows.asked_columns()).where(*clauses)
    assert len(history._store.read(lambda connection: connection.execute(query).all())) == 1
    other.close()


def test_the_fast_way_is_taken_and_sees_what_is_only_in_the_log(history, path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("adbc_driver_sqlite")
    filled(history, [{"prompt": "\x00"}])
    assert path.with_name("history.db-wal").stat().st_size > 0
    table = bulk.read_table(path, select(*rows.exchange_columns()))
    assert table.select(["prompt", "status"]).to_pylist() == [
        {"prompt": "\x00", "status": "complete"}
    ]


CLOSED_BY_ANOTHER = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2])"


def test_the_fast_way_leaves_the_locks_on_the_file(history, path, by_arrow):
    filled(history, [{}])
    assert len(history.messages()) == 1
    query = "SELECT * FROM exchanges"
    subprocess.run([sys.executable, "-c", CLOSED_BY_ANOTHER, str(path), query], check=True)
    # Without its locks we would not be noticed, and the log that we write into would be deleted.
    assert path.with_name("history.db-wal").exists()


def test_what_the_fast_way_cannot_read_is_left_to_the_other(history, path, tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("adbc_driver_sqlite")
    query = select(*rows.asked_columns())
    assert bulk.read_table(tmp_path / "none.db", query) is None
    filled(history, [{"text": "sound"}])
    assert bulk.read_table(path, query).num_rows == 1
    with closing(sqlite3.connect(path)) as scribbler:
        scribbler.execute("UPDATE exchanges SET text = CAST(x'ff' AS TEXT)")
        scribbler.commit()
    assert bulk.read_table(path, query) is None


def test_the_process_of_the_fast_way_is_given_no_key(history, path, monkeypatch, tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("adbc_driver_sqlite")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with bulk._child(path, "SELECT 1 AS one") as child:
        names = {line.partition(b"=")[0] for line in _environment(child)}
    assert b"PATH" in names
    assert b"OPENAI_API_KEY" not in names


def _environment(process):
    place = Path("/proc", str(process.pid), "environ")
    if not place.exists():
        pytest.skip("this system shows no environment of a process")
    shown = b""
    while not shown and process.poll() is None:  # it is empty while the program is loaded
        shown = place.read_bytes()
    return shown.split(b"\0")


def test_others_write_while_a_long_read_goes_on(history):
    asked, *_ = filled(history, [{}])
    assert history._aside(lambda connection: history.exchange(asked.id)) == asked


def test_a_history_in_memory_has_frames_too():
    history = History("sqlite://", on_warning=pytest.fail)
    filled(history, awkward())
    assert len(checked(history.exchanges(), "exchanges")) == len(awkward())
    assert history.stats()["exchanges"].item() == len(awkward())
    history.close()


def test_conversations_are_summed_up_newest_first(history):
    filled(history, [{"talk": 0, "cost": 0.5, "model": "b"}, {"talk": 0, "model": "a"}])
    filled(history, [{"talk": 1, "created": START.replace(year=2027)}])
    frame = checked(history.conversations(), "conversations")
    assert list(frame["name"]) == ["talk 1", "talk 0"]
    assert list(frame["queries"]) == [1, 2]
    assert list(frame["models"]) == ["demo", "a, b"]
    assert list(frame["in_path"]) == [1, 2]
    assert_frame_equal(history.conversations(limit=1), frame.head(1))
    assert list(history.conversations(model="a")["queries"]) == [1]


def test_a_conversation_that_was_never_asked_is_listed_where_nothing_narrows(history):
    talk = history.create_conversation("silent")
    frame = history.conversations()
    assert frame.loc[0, ["queries", "cost", "in_path", "models"]].tolist() == [0, 0.0, 0, ""]
    assert len(history.conversations(conversation=talk.id)) == 1
    assert history.conversations(status="complete").empty


def _table(columns):
    return [f"| `{c.name}` | `{c.dtype}` | {c.unit} | {c.meaning} |" for c in columns]


@pytest.mark.parametrize("kind", SCHEMA)
def test_the_docs_have_the_columns_of_the_schema(kind):
    sections = re.split(r"^## ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = next(each for each in sections if f"history.{kind}" in each.partition("\n")[0])
    shown = [line for line in section.splitlines() if line.startswith("| `")]
    assert shown == _table(SCHEMA[kind]), "docs/frames.md should have:\n" + "\n".join(
        _table(SCHEMA[kind])
    )
