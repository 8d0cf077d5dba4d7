"""History with other processes about: killed ones, racing ones, forked ones."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import update

from chat_magics.errors import StoreAway
from chat_magics.file_lock import file_lock
from chat_magics.history import History, process
from chat_magics.history.exchange import now
from chat_magics.history.process import this_process
from chat_magics.history.schema import exchanges
from chat_magics.history.store import CHECKPOINT_EVERY, lock_of
from tests.history_samples import begun, intact, start_python


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.db"


def test_a_kernel_killed_in_mid_reply_leaves_prompt_and_partial_as_interrupted(path):
    kernel = start_python(
        "history = History(place, on_warning=print)\n"
        "exchange, talk = begun(history, history.create_conversation('lost'), 'my prompt')\n"
        "history.append_partial(exchange.id, 'half a rep', 'a thought')\n"
        "print(exchange.id, flush=True); sys.stdin.read()",
        path,
    )
    exchange_id = kernel.stdout.readline().strip()
    live = History(path, on_warning=pytest.fail)
    assert live.exchange(exchange_id).status == "streaming"
    live.close()
    kernel.kill()
    kernel.communicate()
    history = History(path, on_warning=pytest.fail)
    kept = history.exchange(exchange_id)
    assert (kept.status, kept.prompt, kept.text) == ("interrupted", "my prompt", "half a rep")
    assert kept.created <= kept.ended <= now()
    assert history.conversation("lost").path == (exchange_id,)
    history.close()


def marked(path, **mark):
    """The status, after reopening, of a streaming exchange with this process mark."""
    history = History(path, on_warning=pytest.fail)
    exchange, _ = begun(history, history.new_conversation())
    history._store.write(lambda c: c.execute(update(exchanges).values(**mark)))
    history.close()
    history = History(path, on_warning=pytest.fail)
    status = history.exchange(exchange.id).status
    history.close()
    return status


def test_a_pid_that_was_given_out_again_is_another_process(path):
    assert marked(path, process_started=this_process().started - 60) == "interrupted"


def test_a_living_process_without_a_known_start_is_believed(path):
    assert marked(path, process_started=None) == "streaming"


def test_a_reply_of_another_machine_is_interrupted_after_an_hour_of_silence(path, tmp_path):
    assert marked(path, host="elsewhere") == "streaming"
    silent = now() - timedelta(minutes=61)
    assert marked(tmp_path / "other.db", host="elsewhere", touched=silent) == "interrupted"


ROUNDS = 8

RACE = f"""
import time
History("sqlite://", on_warning=print).close()
for round in range({ROUNDS}):
    print("ready", flush=True); start = float(sys.stdin.readline())
    while time.monotonic() < start: pass
    history = History(f"{{place}}-{{round}}.db", on_warning=print)
    history.create_conversation(origin="race")
    history.close()
print("done", flush=True)
"""


def test_eight_processes_may_open_one_new_file_at_once(path):
    racers = [start_python(RACE, path) for _ in range(8)]
    for _ in range(ROUNDS):
        assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 8
        start = time.monotonic() + 0.01
        for racer in racers:
            racer.stdin.write(f"{start}\n")
            racer.stdin.flush()
    assert [racer.communicate()[0] for racer in racers] == ["done\n"] * 8
    for number in range(ROUNDS):
        history = History(f"{path}-{number}.db", on_warning=pytest.fail)
        assert len(history.load_conversations()) == 8
        history.close()


def test_who_opens_a_file_waits_until_its_lock_is_free(path):
    opener = threading.Thread(target=lambda: History(path, on_warning=pytest.fail).close())
    with file_lock(lock_of(path)):
        opener.start()
        opener.join(0.3)  # far longer than opening takes
        assert not path.exists()
    opener.join()
    assert path.exists()


def test_a_lock_that_stays_taken_is_a_history_that_is_away(path):
    again = file_lock(lock_of(path), timeout=0.01)
    with file_lock(lock_of(path)), pytest.raises(StoreAway, match="end the kernel that hangs"):
        again.__enter__()


WRITE = """
import chat_magics.history.store as store
store.WAL_RESET_FIXED = GUARD_BEFORE
history = History(place, on_warning=print)
print("ready", flush=True); sys.stdin.readline()
talk = history.new_conversation()
for turn in range(100):
    history.create_conversation(f"{talk.id} {turn}")
    exchange, talk = begun(history, talk, f"prompt {turn}")
    history.append_partial(exchange.id, "so far")
    history.finish(exchange.model_copy(update={"status": "complete", "text": "x" * 2000}))
history.close()
print(talk.id, flush=True)
"""


@pytest.mark.parametrize("guard_before", [(0,), (99,)], ids=["SQLite mended", "SQLite guarded"])
def test_two_processes_that_write_at_once_lose_nothing(path, guard_before):
    code = WRITE.replace("GUARD_BEFORE", str(guard_before))
    writers = [start_python(code, path) for _ in range(2)]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 2
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    talks = [writer.communicate()[0].strip() for writer in writers]
    history = History(path, on_warning=pytest.fail)
    for talk in talks:
        kept = history.load_exchanges(talk)
        assert [exchange.prompt for exchange in kept] == [f"prompt {n}" for n in range(100)]
        assert history.conversation(talk).path == tuple(exchange.id for exchange in kept)
        assert {exchange.status for exchange in kept} == {"complete"}
    history.close()
    assert intact(path)


def test_the_write_ahead_log_is_merged_now_and_then_while_the_file_stays_open(path):
    history = History(path, on_warning=pytest.fail)
    exchange, _ = begun(history, history.new_conversation())
    for _ in range(CHECKPOINT_EVERY + 1):
        history.append_partial(exchange.id, "so far" * 4000)
    assert b"so far" in path.read_bytes()
    history.close()


def test_a_process_that_died_but_was_not_reaped_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""])
    mark = this_process()._replace(pid=child.pid, started=None)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert mark.alive is False
    child.wait()
    assert mark.alive is False


def test_without_psutil_the_pid_must_do(monkeypatch):
    monkeypatch.setattr(process, "psutil", None)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert this_process().started is None
    assert this_process().alive is True
    assert this_process()._replace(pid=child.pid).alive is False


FORK = """
history = History(place, on_warning=print)
done, talk = ask(history, history.create_conversation("both"), "before")
child = os.fork()
done, talk = ask(history, talk, "child" if child == 0 else "parent")
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
ask(history, talk, "after")
history.close()
"""


def test_a_forked_child_writes_on_a_connection_of_its_own(path):
    parent = start_python(FORK, path)
    assert parent.communicate()[0] == ""
    assert parent.returncode == 0
    history = History(path, on_warning=pytest.fail)
    prompts = [exchange.prompt for exchange in history.load_exchanges()]
    assert sorted(prompts) == ["after", "before", "child", "parent"]
    history.close()
    assert intact(path)
