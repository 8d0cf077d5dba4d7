"""`chat-magics move`: a whole history in another place, whatever cuts the copying off."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from chat_magics.errors import ChatError, ConfigError, InvalidRequest, NotFound, StoreError
from chat_magics.history import AttachmentInfo, History, move
from tests.history_samples import ask, begun, intact, start_python
from tests.postgres import INSTALL, PostgresServer, programs
from tests.test_history_layout import of_layout

TALKS = 12


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with something in every table, of two people."""
    path = tmp_path / "old" / "history.db"
    for owner in ("ada", "eve"):
        history = History(path, owner=owner, on_warning=pytest.fail)
        for number in range(TALKS):
            talk = history.new_conversation(f"talk {number}")
            for turn in range(3):
                text = f"about {owner} and {number} \x00 \x10 🦀 "
                _, talk = ask(history, talk, f"prompt {turn}", text=text, cost=0.1 + 0.2)
        file = AttachmentInfo(name="a.csv", mime="text/csv", kind="text", size=3, content=b"x,y")
        begun(history, talk, "with a file", attachments=(file,))
        gone = history.create_conversation("gone")
        ask(history, gone)
        history.delete(gone.id)
        history.close()
    return path


def contents(place: object) -> list[object]:
    found: list[object] = []
    for owner in ("ada", "eve"):
        history = History(str(place), owner=owner, on_warning=pytest.fail)
        talks = history.load_conversations(None)
        asked = history.load_exchanges()
        since = asked[0].created
        found += [sorted(talks, key=str), asked, history.spent(since)]
        found.append(len(history.search(f"about {owner}", limit=100)))
        history.close()
    return found


def files(path: Path) -> dict[str, str]:
    """The bytes of a history's files."""
    return {
        part.name: hashlib.sha256(part.read_bytes()).hexdigest()
        for part in path.parent.iterdir()
        if not part.name.endswith("-shm") and part.stat().st_size
    }


ROWS = {"conversations": 2 * TALKS, "exchanges": 6 * TALKS + 2, "attachments": 2, "removed": 2}


def test_all_of_it_is_there_and_the_source_is_as_it_was(source: Path, place: str) -> None:
    before, held = files(source), contents(source)
    held_after_a_look = files(source)
    assert move(str(source), place).rows == ROWS
    assert files(source) == held_after_a_look != before
    assert contents(place) == held


@pytest.mark.postgres
@pytest.mark.skipif(programs() is None, reason=INSTALL)
def test_from_a_server_into_a_file_and_back_it_is_the_same(
    source: Path, postgres: PostgresServer, tmp_path: Path
) -> None:
    first, second = postgres.database("there"), postgres.database("back")
    between = tmp_path / "between.db"
    move(f"sqlite:///{source}", first)
    move(first, f"sqlite:///{between}")
    moved = move(str(between), second)
    assert moved.rows == ROWS
    assert "hidden" not in str(moved)
    assert contents(second) == contents(source)
    assert intact(between)
    assert between.stat().st_mode & 0o077 == 0


KILLED = """
from chat_magics.history import copying, move
import signal
source, calls = sys.argv[2], int(sys.argv[3])
copying.ROWS_AT_ONCE = 10
def told(what, done, of):
    global calls
    calls -= 1
    if calls < 0:
        os.kill(os.getpid(), signal.SIGKILL)
print(move(source, place, told).rows, flush=True)
"""


def test_killed_again_and_again_it_is_taken_up_each_time(source: Path, place: str) -> None:
    expected, killed = contents(source), 0
    for calls in range(1, 200, 9):
        mover = start_python(KILLED, place, str(source), str(calls))
        output = mover.communicate()[0]
        if mover.returncode == 0:
            break
        assert (output, mover.returncode) == ("", -signal.SIGKILL)
        killed += 1
        with pytest.raises(StoreError, match="not whole yet"):
            History(place, on_warning=pytest.fail)
    assert killed > 3
    assert output == f"{ROWS}\n"
    assert contents(place) == expected


def test_what_changed_between_two_runs_is_taken_in(source: Path, place: str) -> None:
    cut_off(source, place)
    history = History(source, owner="ada", on_warning=pytest.fail)
    newest, *_, oldest = history.load_conversations(None)
    history.delete(oldest.id)
    history.rename(newest.id, "renamed")
    ask(history, history.new_conversation("new"))
    history.close()
    move(str(source), place)
    assert contents(place) == contents(source)


def cut_off(source: Path, place: str) -> None:
    """Leaves half of it there."""

    class Cut(Exception):
        pass

    def told(what: str, done: int, of: int) -> None:
        if what == "verifying attachments":
            raise Cut

    with pytest.raises(Cut):
        move(str(source), place, told)


def test_what_is_written_while_it_is_copied_is_copied_too(source: Path, place: str) -> None:
    history = History(source, owner="ada", on_warning=pytest.fail)
    left = [2]

    def told(what: str, done: int, of: int) -> None:
        if what == "copying removed" and left[0]:
            left[0] -= 1
            ask(history, history.new_conversation(), f"meanwhile {left[0]}")

    move(str(source), place, told)
    history.close()
    assert contents(place) == contents(source)


def test_a_source_that_never_rests_is_told(source: Path, place: str) -> None:
    history = History(source, owner="ada", on_warning=pytest.fail)

    def told(what: str, done: int, of: int) -> None:
        if what == "copying removed":
            ask(history, history.new_conversation())

    with pytest.raises(InvalidRequest, match="written to all the time: end what uses it"):
        move(str(source), place, told)
    history.close()
    move(str(source), place)
    assert contents(place) == contents(source)


def test_what_was_changed_in_the_target_does_not_pass(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.db"

    def told(what: str, done: int, of: int) -> None:
        if what == "verifying exchanges":
            with closing(sqlite3.connect(target)) as other:
                other.execute("UPDATE exchanges SET text = 'forged' WHERE prompt = 'prompt 1'")
                other.commit()

    with pytest.raises(StoreError, match=r"exchanges at .* are not those of"):
        move(str(source), str(target), told)
    move(str(source), str(target))
    assert contents(target) == contents(source)


def test_a_target_that_holds_something_is_refused_and_left_as_it_is(
    source: Path, tmp_path: Path
) -> None:
    history = tmp_path / "history.db"
    History(history, on_warning=pytest.fail).close()
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE accounts (id)")
    part = tmp_path / "part.db"
    cut_off(source, str(part))
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and long enough to be read as the head of one" * 9)
    for target, said in (
        (history, "holds a history already"),
        (other, r"holds other things \(accounts\)"),
        (text, "is not a history file"),
        (source, "source and target are both"),
    ):
        before = target.read_bytes()
        refused(source, target, said)
        assert target.read_bytes() == before
    refused(history, part, f"holds a part of {source}")
    refused(part, tmp_path / "new.db", "not whole yet")


def refused(source: object, target: object, said: str) -> None:
    with pytest.raises(ChatError, match=said) as told:
        move(str(source), str(target))
    assert "\n" not in str(told.value)


def test_a_second_one_at_the_same_time_is_refused(source: Path, tmp_path: Path) -> None:
    other = start_python(
        "from chat_magics.history import move\n"
        "def told(*_):\n    print('on its way', flush=True); sys.stdin.read()\n"
        "move(sys.argv[2], place, told)",
        tmp_path / "new.db",
        str(source),
    )
    assert other.stdout.readline() == "on its way\n"
    refused(source, tmp_path / "new.db", f"process {other.pid} is moving")
    other.kill()
    other.communicate()
    move(str(source), str(tmp_path / "new.db"))


def test_one_of_an_older_layout_arrives_in_that_of_today(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as database:
        database.executescript("PRAGMA user_version = 1;" + of_layout(1))
    place = tmp_path / "new.db"
    rows = move(str(old), str(place)).rows
    assert rows["exchanges"] > 0
    with closing(sqlite3.connect(old)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    assert contents_of(place) == contents_of(old)


def contents_of(place: Path) -> list[object]:
    history = History(place, on_warning=pytest.fail)
    found = [history.load_conversations(None), history.load_exchanges()]
    history.close()
    return found


def test_places_that_are_none_are_told_in_one_line(source: Path, tmp_path: Path) -> None:
    new = str(tmp_path / "new.db")
    for place in ("mysql://me:hidden@host/x", "sqlite://", "sqlite:/x", "://"):
        for pair in ((place, new), (str(source), place)):
            with pytest.raises(ConfigError) as told:
                move(*pair)
            assert "hidden" not in str(told.value)
    with pytest.raises(NotFound, match="no history"):
        move(str(tmp_path / "none.db"), new)
    assert not Path(new).exists()


@pytest.mark.postgres
@pytest.mark.skipif(programs() is None, reason=INSTALL)
def test_the_command_says_what_it_moved_and_is_taken_up_after_a_kill(
    source: Path, postgres: PostgresServer
) -> None:
    target = postgres.database("command").replace("postgresql:", "postgresql+psycopg:")
    command = [sys.executable, "-m", "chat_magics", "move", f"sqlite:///{source}", target]
    cut_off(source, target)
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.startswith(f"Moved {ROWS['conversations']} conversations, ")
    assert "verified by count and hash" in done.stdout
    assert "hidden" not in done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(target) == contents(source)
    again = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "holds a history already" in again.stderr
    assert "hidden" not in again.stderr
