"""The rate limiter over processes, time and faults."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chat_magics.errors import ConfigError
from chat_magics.limits import RateLimiter


def let_time_pass(store: Path, seconds: float) -> None:
    connection = sqlite3.connect(store)
    with connection:
        connection.execute("UPDATE window SET start = start - ?", (seconds,))
    connection.close()


def admitted(limiter: RateLimiter, tries: int = 50, identity: str = "me") -> int:
    return sum(limiter.acquire(identity) == 0.0 for _ in range(tries))


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns at almost every step, which shows a missing lock."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("per_minute", [20, 400])
def test_the_limit_is_exact_over_three_processes(tmp_path: Path, per_minute: int) -> None:
    code = f"""if True:
        from chat_magics.limits import RateLimiter
        def fail(text, error): raise error
        limiter = RateLimiter({str(tmp_path / "limits.db")!r}, per_minute={per_minute},
                              on_fault=fail)
        limiter.acquire("somebody else")
        print("ready", flush=True)
        input()
        print(sum(limiter.acquire("me") == 0.0 for _ in range(200)))
    """
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    assert {process.stdout.readline() for process in processes if process.stdout} == {"ready\n"}
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sum(int(process.communicate()[0]) for process in processes) == per_minute


@pytest.mark.usefixtures("restless_threads")
def test_threads_of_one_process_share_the_limit(tmp_path: Path) -> None:
    told: list[str] = []
    limiter = RateLimiter(
        tmp_path / "limits.db", per_minute=20, on_fault=lambda text, _: told.append(text)
    )
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(admitted(limiter))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(counts), told) == (20, [])


def test_identities_are_counted_apart(tmp_path: Path) -> None:
    limiter = RateLimiter(tmp_path / "limits.db", per_minute=3)
    assert admitted(limiter, identity="ann") == 3
    assert admitted(limiter, identity="bob") == 3


def test_no_limit_admits_all_and_makes_no_file(tmp_path: Path) -> None:
    limiter = RateLimiter(tmp_path / "limits.db", per_minute=None)
    assert admitted(limiter, 100) == 100
    assert not (tmp_path / "limits.db").exists()


@pytest.mark.parametrize("passed", [0.0, 10.0, 40.0, 61.0, 75.0, 100.0, 110.0])
def test_after_the_wait_one_request_is_admitted_and_before_it_none(
    tmp_path: Path, passed: float
) -> None:
    limiter = RateLimiter(tmp_path / "limits.db", per_minute=7)
    assert admitted(limiter) == 7
    let_time_pass(tmp_path / "limits.db", passed)
    admitted(limiter)
    wait = limiter.acquire("me")
    let_time_pass(tmp_path / "limits.db", wait / 2)
    assert limiter.acquire("me") > 0
    let_time_pass(tmp_path / "limits.db", wait / 2)
    assert limiter.acquire("me") == 0.0


def test_the_turn_of_the_minute_admits_nobody_twice(tmp_path: Path) -> None:
    limiter = RateLimiter(tmp_path / "limits.db", per_minute=20)
    assert admitted(limiter) == 20
    let_time_pass(tmp_path / "limits.db", 60.5)
    assert admitted(limiter) == 1
    let_time_pass(tmp_path / "limits.db", 120)
    assert admitted(limiter) == 20


def test_a_clock_set_back_makes_nobody_wait_for_it(tmp_path: Path) -> None:
    limiter = RateLimiter(tmp_path / "limits.db", per_minute=5)
    assert admitted(limiter) == 5
    let_time_pass(tmp_path / "limits.db", -3600)
    assert 0 < limiter.acquire("me") <= 120


def folder_that_is_a_file(store: Path) -> None:
    store.parent.touch()


def corrupt_file(store: Path) -> None:
    store.parent.mkdir()
    store.write_bytes(os.urandom(8192))


def locked_file(store: Path) -> sqlite3.Connection:
    store.parent.mkdir()
    holder = sqlite3.connect(store)
    holder.execute("BEGIN EXCLUSIVE")
    return holder


@pytest.mark.parametrize("fault", [folder_that_is_a_file, corrupt_file, locked_file])
def test_a_file_that_fails_leaves_a_limit_of_this_process(
    tmp_path: Path, fault: Callable[[Path], sqlite3.Connection | None]
) -> None:
    store = tmp_path / "folder" / "limits.db"
    held = fault(store)
    told: list[str] = []
    limiter = RateLimiter(store, per_minute=4, on_fault=lambda text, _: told.append(text))
    assert admitted(limiter) == 4
    assert len(told) == 1
    assert told[0].startswith("the rate limit is counted by this kernel alone for now: ")
    if held is not None:
        held.close()


def test_a_corrupt_file_is_set_aside_and_the_next_one_is_shared_again(tmp_path: Path) -> None:
    store = tmp_path / "limits.db"
    store.write_bytes(os.urandom(8192))
    limiter = RateLimiter(store, per_minute=4, rest=0.0)
    assert limiter.acquire("me") == 0.0
    assert (tmp_path / "limits.db.corrupt").exists()
    assert admitted(limiter) == 4
    assert admitted(RateLimiter(store, per_minute=4)) == 0


def test_a_count_that_could_not_be_stored_leaves_the_file_usable(tmp_path: Path) -> None:
    told: list[str] = []
    limiter = RateLimiter(
        tmp_path / "limits.db", per_minute=4, rest=0.0, on_fault=lambda text, _: told.append(text)
    )
    assert limiter.acquire("me") == 0.0
    reader = sqlite3.connect(tmp_path / "limits.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM window").fetchall()
    assert limiter.acquire("me") == 0.0
    reader.close()
    assert admitted(limiter) == 3
    assert len(told) == 1


def count_in_child(limiter: RateLimiter, answers: multiprocessing.Queue[int]) -> None:
    answers.put(admitted(limiter))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_shares_the_limit(tmp_path: Path) -> None:
    limiter = RateLimiter(tmp_path / "limits.db", per_minute=20)
    assert admitted(limiter, 12) == 12
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=count_in_child, args=(limiter, answers))
    with limiter._shared.use():  # the child must not wait for a lock that nobody there can free
        child.start()
    assert answers.get(timeout=240) == 8
    child.join(30)
    assert admitted(limiter) == 0


def test_the_file_is_private_and_closed_at_the_end(tmp_path: Path) -> None:
    store = tmp_path / "folder" / "limits.db"
    code = f"""if True:
        import sys
        from chat_magics.limits import RateLimiter
        limiter = RateLimiter({str(store)!r}, per_minute=1)
        assert "limits.storage" not in sys.modules
        assert limiter.acquire("me") == 0.0
    """
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700


def test_the_storage_serves_the_library_by_url_and_counts_fixed_windows_too(tmp_path: Path) -> None:
    from limits import RateLimitItemPerMinute
    from limits.storage import storage_from_string
    from limits.strategies import FixedWindowRateLimiter

    import chat_magics.limits_sqlite as registered

    storage = storage_from_string(f"sqlite:///{tmp_path}/a%20b.db")
    assert isinstance(storage, registered.SQLiteStorage)
    limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(3)
    assert sum(limiter.hit(item, "me") for _ in range(9)) == 3
    assert limiter.get_window_stats(item, "me").remaining == 0
    let_time_pass(tmp_path / "a b.db", 61)
    assert limiter.get_window_stats(item, "me").remaining == 3
    assert sum(limiter.hit(item, "me") for _ in range(9)) == 3
    limiter.clear(item, "me")
    assert limiter.get_window_stats(item, "me").remaining == 3
    assert (storage.check(), storage.reset()) == (True, 0)
    assert (tmp_path / "a b.db").exists()


@pytest.mark.parametrize("per_minute", [0, -1])
def test_a_limit_under_one_is_refused(tmp_path: Path, per_minute: int) -> None:
    with pytest.raises(ConfigError, match="give 1 or more, or None"):
        RateLimiter(tmp_path / "limits.db", per_minute=per_minute)


def test_a_url_is_refused_as_the_place_of_the_counts() -> None:
    with pytest.raises(ConfigError, match="give a path"):
        RateLimiter("redis://localhost", per_minute=1)
