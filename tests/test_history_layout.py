"""A history of an older layout is brought up to date, and nothing of it is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from chat_magics.errors import StoreError
from chat_magics.history import History, conversations, search, search_index
from chat_magics.history.filters import Filter
from chat_magics.history.layout import LAYOUT, version_of
from chat_magics.history.salvage import rescue
from chat_magics.history.search_query import read_query
from chat_magics.history.store import open_file, open_memory, open_server
from tests.history_samples import ask, begun, intact, start_python
from tests.postgres import INSTALL, PostgresServer, programs

LAYOUTS = Path(__file__).parent / "layouts"


def of_layout(version):
    return (LAYOUTS / f"{version}.sql").read_text(encoding="utf-8")


@pytest.fixture(params=[1, 2])
def version(request):
    """Of an older layout, whose file a release of that time has made."""
    return request.param


@pytest.fixture
def old_file(tmp_path, version):
    path = tmp_path / "history.db"
    head = f"PRAGMA journal_mode = WAL; PRAGMA user_version = {version};"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(head + of_layout(version))
    return path


def test_there_is_a_file_of_each_older_layout():
    made = sorted(int(file.stem) for file in LAYOUTS.glob("*.sql"))
    assert made == list(range(1, LAYOUT.version))


def indexes(path):
    """Names of all indexes."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        return sorted(name for (name,) in found)


def columns(path):
    """Names and types of all columns, by table."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted(row[1:4] for row in connection.execute(f"PRAGMA table_info({name})"))
            for (name,) in names
        }


def check_all_is_there(history):
    talk = history.conversation("old")
    first, second = (history.exchange(id) for id in talk.path)
    assert (talk.tags, len(history.load_conversations())) == ((), 1)
    assert (first.text, first.usage.total_tokens, first.cost) == ("On the savanna.", 9, 0.25)
    assert (second.status, second.text) == ("interrupted", "Also on the")
    assert list(history.search("zebras savanna")["exchange"]) == [first.id]
    assert list(history.search("lions")["exchange"]) == [second.id]
    assert history.spent(second.created).cost == 0.25
    _, talk = ask(history, talk, "zebras again")
    assert len(history.search("zebras")) == 2
    assert history.tag(talk.id, "old").tags == ("old",)
    assert history.delete(talk.id) == 3
    assert history.search("zebras").empty
    assert history.spent(second.created).cost == 0.25


def test_all_of_an_old_file_is_there_and_can_be_searched_tagged_and_deleted(old_file):
    history = History(old_file, on_warning=pytest.fail)
    check_all_is_there(history)
    history.close()
    assert intact(old_file)


@pytest.mark.postgres
@pytest.mark.skipif(programs() is None, reason=INSTALL)
def test_all_of_an_old_database_is_there_and_can_be_searched_tagged_and_deleted():
    types = (("DATETIME", "TIMESTAMP WITH TIME ZONE"), ("DOUBLE", "DOUBLE PRECISION"))
    statements = of_layout(1)  # by layout 2
    for ours, theirs in types:
        statements = statements.replace(ours, theirs)
    with PostgresServer() as server:
        url = server.database("old")
        store = open_server(url)
        store.write(lambda c: c.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        store.write(lambda connection: connection.exec_driver_sql(statements))
        store.close()
        history = History(url, on_warning=pytest.fail)
        check_all_is_there(history)
        history.close()


def test_an_old_file_and_a_new_one_get_the_same_tables(old_file, tmp_path):
    for path in (old_file, tmp_path / "new.db"):
        store = open_file(path)
        assert store.read(version_of) == LAYOUT.version
        store.close()
    assert columns(old_file) == columns(tmp_path / "new.db")
    assert indexes(old_file) == indexes(tmp_path / "new.db")


def test_an_old_file_that_cannot_be_changed_is_read_as_it_is(old_file, version):
    memory = open_memory()
    assert rescue(old_file, memory) == 2
    kept = memory.read(lambda connection: conversations.get(connection, "", "c" * 32))
    assert (kept.name, kept.tags, len(kept.path)) == ("old", (), 2)
    memory.close()
    with closing(sqlite3.connect(old_file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


def test_what_is_saved_into_memory_can_be_searched(tmp_path):
    path = tmp_path / "history.db"
    history = History(path, on_warning=pytest.fail)
    done, _ = ask(history, history.new_conversation(), "zebra")
    begun(history, history.new_conversation(), "zebra")
    memory = open_memory()
    assert rescue(path, memory) == 2
    memory.write(search_index.catch_up)
    found = memory.read(lambda c: search.find(c, "", read_query("zebra"), Filter(), 5))
    assert found.columns["exchange"] == [done.id]
    memory.close()
    history.close()


def test_what_a_dead_kernel_left_can_be_searched(tmp_path):
    place = tmp_path / "history.db"
    kernel = start_python(
        "history = History(place, on_warning=print)\n"
        "exchange, talk = begun(history, history.new_conversation(), 'zebra')\n"
        "history.append_partial(exchange.id, 'half a lion')\n"
        "print(exchange.id, flush=True); sys.stdin.read()",
        place,
    )
    exchange = kernel.stdout.readline().strip()
    kernel.kill()
    kernel.communicate()
    history = History(place, on_warning=pytest.fail)
    assert list(history.search("zebra lion")["exchange"]) == [exchange]
    history.close()


def test_without_full_text_search_the_chat_goes_on_and_search_says_what_is_missing(
    tmp_path, monkeypatch
):
    history = History(tmp_path / "history.db", on_warning=pytest.fail)
    with monkeypatch.context() as without:
        # There is no such SQLite here; of all, only this answer would be another there.
        without.setattr(search_index, "_usable", lambda connection: False)
        for _ in range(70):
            exchange, talk = begun(history, history.new_conversation(), "zebra")
            history.finish(exchange.model_copy(update={"status": "complete"}))
        history.delete(talk.id)
        with pytest.raises(
            StoreError, match=r"^This Python's SQLite was built without FTS5[^\n]*$"
        ):
            history.search("zebra")
    assert len(history.search("zebra", limit=100)) == 69
    history.close()


def test_a_file_loads_nothing_of_other_databases(tmp_path):
    code = (
        "import sys; from chat_magics.history import History; "
        "History(sys.argv[1], on_warning=print).close(); "
        "print([name for name in sys.modules if 'postgresql' in name])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "history.db")]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "[]\n"
