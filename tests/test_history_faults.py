"""What history does when its file fails: full, read-only, damaged, of another version."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from chat_magics.errors import InvalidRequest, StoreError
from chat_magics.history import History
from chat_magics.history.faults import FileUnusable
from chat_magics.history.layout import LAYOUT, Layout
from chat_magics.history.store import open_file
from tests.history_samples import ask, begun, intact, make, start_python


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.db"


def filled(path, count=3, text="Hi!"):
    """A cleanly closed file with one conversation; its exchanges."""
    history = History(path, on_warning=pytest.fail)
    talk = history.create_conversation("kept")
    done = []
    for _ in range(count):
        exchange, talk = ask(history, talk, text=text)
        done.append(exchange)
    history.close()
    return done


def scribble(path, skip=1, pages=None):
    """Overwrite pages of a file, its first `skip` pages left alone."""
    size = 4096
    with path.open("r+b") as file:
        file.seek(skip * size)
        file.write(b"\xa5" * size * (pages or path.stat().st_size // size - skip))


def test_a_file_that_is_no_database_is_set_aside_and_the_chat_goes_on(path):
    path.write_bytes(b"no database" * 1000)
    warnings: list[str] = []
    history = History(path, on_warning=warnings.append)
    done, _ = ask(history, history.create_conversation("new"))
    assert history.exchange(done.id) == done
    assert not history.durable
    assert len(warnings) == 1
    assert "in memory" in warnings[0]
    (aside,) = path.parent.glob("history.db.damaged-*")
    assert aside.name in warnings[0]
    assert aside.read_bytes() == b"no database" * 1000
    assert "\n" not in warnings[0]
    history.close()


def test_after_a_damaged_file_the_next_start_makes_a_new_one(path):
    path.write_bytes(b"no database" * 1000)
    History(path, on_warning=lambda line: None).close()
    History(path, on_warning=pytest.fail).close()


def test_a_scribbled_file_is_found_at_open_and_what_can_be_read_is_saved(path):
    done = filled(path, count=200, text="x" * 2000)
    pages = path.stat().st_size // 4096
    scribble(path, skip=pages // 2, pages=8)
    warnings: list[str] = []
    history = History(path, on_warning=warnings.append)
    assert not history.durable
    saved = history.load_exchanges()
    assert "is damaged" in warnings[0]
    assert f"with {len(saved)} earlier exchanges" in warnings[0]
    assert 150 < len(saved) < 200
    assert all(exchange in done for exchange in saved)
    assert history.conversation("kept").path == tuple(exchange.id for exchange in saved)
    history.close()


def test_a_file_that_is_damaged_while_it_is_open_fails_over_once(path):
    filled(path, count=150, text="x" * 60_000)
    warnings: list[str] = []
    history = History(path, on_warning=warnings.append)
    exchange, _ = begun(history, history.new_conversation())
    scribble(path, skip=8)
    assert len(history.load_exchanges()) < 150
    history.append_partial(exchange.id, "ye")
    history.finish(exchange.model_copy(update={"status": "complete", "text": "yes"}))
    assert history.exchange(exchange.id).text == "yes"
    assert len(warnings) == 1
    assert len(list(path.parent.glob("history.db.damaged-*"))) >= 1
    history.close()


def test_a_reply_that_streams_survives_the_loss_of_its_whole_file(path):
    warnings: list[str] = []
    history = History(path, on_warning=warnings.append)
    exchange, talk = begun(history, history.new_conversation())
    history.close()
    history = History(path, on_warning=warnings.append)
    exchange, talk = begun(history, talk, "second")
    for part in path.parent.glob("history.db*"):
        part.write_bytes(b"\xa5" * max(part.stat().st_size, 8192))
    history.append_partial(exchange.id, "so far")
    history.finish(exchange.model_copy(update={"status": "complete", "text": "all"}))
    assert history.exchange(exchange.id).text == "all"
    assert history.conversation(talk.id).path == talk.path
    assert len(warnings) == 1
    history.close()


def test_a_folder_that_cannot_be_made_means_memory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    warnings: list[str] = []
    history = History(tmp_path / "file" / "history.db", on_warning=warnings.append)
    ask(history, history.new_conversation())
    assert "cannot be written" in warnings[0]
    assert not history.durable
    history.close()


def test_a_refusal_is_not_a_fault_of_the_file(path):
    history = History(path, on_warning=pytest.fail)
    history.create_conversation("one")
    with pytest.raises(InvalidRequest):
        history.create_conversation("one")
    assert history.durable
    history.close()


READ_ONLY = """
import psutil, chat_magics.history.salvage
warnings = []
History("sqlite://", on_warning=print).close()
if os.geteuid() == 0:
    os.setuid(65534)
history = History(place, on_warning=warnings.append)
old = history.conversation("kept")
done, talk = ask(history, old)
assert len(talk.path) == 4 and len(history.load_exchanges(old.id)) == 4 and not history.durable
print(len(warnings), old.title, warnings[0])
"""


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "left open by a crash"])
def test_in_a_read_only_folder_the_old_chats_can_be_read_and_new_ones_held(closed):
    folder = Path(tempfile.mkdtemp())  # tmp_path lies in a folder that only its owner may enter
    try:
        filled(folder / "history.db")
        if not closed:
            leave_open(folder)
        for part in folder.iterdir():
            part.chmod(0o444)
        folder.chmod(0o555)
        told = start_python(READ_ONLY, folder / "history.db").communicate()[0]
        assert told.startswith(f"1 {'Hello' if closed else 'in the log'} The chat history")
        assert "with 3 earlier exchanges" in told
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def leave_open(folder):
    """Make it as if all of the last chats were still in the write-ahead log."""
    history = History(folder / "history.db", on_warning=pytest.fail)
    history.set_title(history.conversation("kept").id, "in the log")
    for part in [*folder.glob("history.db*")]:
        shutil.copyfile(part, folder / ("copy" + part.name))
    history.close()
    for part in folder.glob("copy*"):
        os.replace(part, folder / part.name.removeprefix("copy"))


DISK_FULL = """
import resource
warnings = []
history = History(place, on_warning=warnings.append)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
talk = history.new_conversation()
for turn in range(60):
    done, talk = ask(history, talk, text="x" * 3000)
assert len(talk.path) == 60 and len(history.load_exchanges(talk.id)) == 60 and not history.durable
history.close()
print(len(warnings), warnings[0])
"""


def test_when_the_disk_is_full_the_chat_goes_on_in_memory_and_the_file_stays_good(path):
    told = start_python(DISK_FULL, path).communicate()[0]
    assert told.startswith("1 The chat history")
    assert "full" in told
    history = History(path, on_warning=pytest.fail)
    kept = history.load_exchanges()
    assert 3 < len(kept) < 60
    ask(history, history.load_conversations()[0])
    history.close()
    assert intact(path)


OLD = """
create table talks (id text primary key, title text);
insert into talks values ('a', 'one'), ('b', 'two');
create table chat_magics_layout (version integer not null, needs text not null);
insert into chat_magics_layout values (1, '0.0.1');
pragma user_version = 1;
"""


def rename_titles(connection):
    connection.exec_driver_sql("alter table talks add column label text")
    connection.exec_driver_sql("update talks set label = upper(title)")


def count_labels(connection):
    connection.exec_driver_sql("create table counts as select count(label) as n from talks")


def fail(connection):
    rename_titles(connection)
    raise RuntimeError("killed here")


def made_by_sql(path):
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD)
    connection.close()


def test_an_older_file_is_led_through_every_step(path):
    made_by_sql(path)
    store = open_file(path, Layout(3, "0.3.0", {1: rename_titles, 2: count_labels}))
    rows = store.read(lambda c: c.exec_driver_sql("select label, n from talks, counts").all())
    assert [tuple(row) for row in rows] == [("ONE", 2), ("TWO", 2)]
    version = store.read(lambda c: c.exec_driver_sql("pragma user_version").scalar())
    assert version == 3
    store.close()


def test_a_migration_that_breaks_leaves_the_old_file(path):
    made_by_sql(path)
    with pytest.raises(RuntimeError):
        open_file(path, Layout(2, "0.2.0", {1: fail}))
    store = open_file(path, Layout(2, "0.2.0", {1: rename_titles}))
    assert store.read(lambda c: c.exec_driver_sql("select count(*) from talks").scalar()) == 2
    store.close()


def test_a_newer_file_is_refused_with_the_version_it_needs_and_stays(path):
    filled(path)
    newer = Layout(LAYOUT.version + 1, "9.8.7", {LAYOUT.version: lambda connection: None})
    open_file(path, newer).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"needs chat_magics 9\.8\.7 or newer") as told:
        History(path, on_warning=pytest.fail)
    assert not isinstance(told.value, FileUnusable)
    assert path.read_bytes() == before


def test_an_error_of_the_store_does_not_show_the_prompt(path):
    history = History(path, on_warning=pytest.fail)
    talk = history.new_conversation()
    secret = make(talk, "my secret prompt")
    history.begin(secret, talk, [])
    with pytest.raises(StoreError) as told:
        history.begin(secret, talk, [])
    assert "secret" not in str(told.value) + str(told.value.__cause__)
    history.close()
