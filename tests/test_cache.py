"""The answer cache: hits, what is kept, and that no fault or planted row does any harm."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_magics.cache import CompletionCache, DiskStore
from chat_magics.messages import ChatRequest, Completion, Message, Usage

REQUEST = ChatRequest(
    base_url="demo", model="demo", messages=(Message(role="user", content="Hello"),)
)
ANSWER = Completion(
    text="Hi.", model="demo", finish_reason="stop", usage=Usage(prompt_tokens=5), latency=1.5
)


@pytest.fixture
def cache(tmp_path: Path) -> CompletionCache:
    return CompletionCache(DiskStore(tmp_path / "cache"))


def database(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "cache.db"


def run_sql(tmp_path: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(database(tmp_path))
    with connection:
        connection.execute(sql, values)
    connection.close()


class Bomb:
    """Unpickling it makes a folder, which shows that a planted pickle was run."""

    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.crater),)


def test_a_hit_is_the_answer_marked_as_cached(cache: CompletionCache) -> None:
    assert cache.get(REQUEST) is None
    assert cache.put(REQUEST, ANSWER)
    hit = cache.get(REQUEST)
    assert hit is not None
    assert hit.stored_at is not None
    assert (hit.cached, hit.attempts, hit.wasted) == (True, 0, None)
    back = {"cached": False, "attempts": 1, "stored_at": None}
    assert hit.model_copy(update=back) == ANSWER
    assert (cache.hits, cache.misses, cache.faults) == (1, 1, 0)


def test_a_hit_does_not_bill_again_what_the_first_answer_wasted(cache: CompletionCache) -> None:
    cache.put(REQUEST, ANSWER.model_copy(update={"wasted": Usage(completion_tokens=9)}))
    hit = cache.get(REQUEST)
    assert hit is not None
    assert hit.wasted is None


@pytest.mark.parametrize("reason", [None, "length", "content_filter"])
def test_only_a_whole_answer_is_kept(cache: CompletionCache, reason: str | None) -> None:
    assert not cache.put(REQUEST, ANSWER.model_copy(update={"finish_reason": reason}))
    assert cache.get(REQUEST) is None


def test_a_hit_put_back_does_not_become_younger(cache: CompletionCache) -> None:
    cache.put(REQUEST, ANSWER)
    hit = cache.get(REQUEST)
    assert hit is not None
    assert not cache.put(REQUEST, hit)


def test_another_owner_gets_no_hit(cache: CompletionCache) -> None:
    cache.put(REQUEST, ANSWER)
    assert cache.get(REQUEST.model_copy(update={"owner": "somebody"})) is None


def test_an_answer_expires(tmp_path: Path, cache: CompletionCache) -> None:
    cache.put(REQUEST, ANSWER)
    run_sql(tmp_path, "UPDATE Cache SET expire_time = expire_time - 3601")
    assert cache.get(REQUEST) is None
    assert cache.faults == 0


def test_a_shorter_time_to_live_holds_for_older_answers_too(cache: CompletionCache) -> None:
    cache.put(REQUEST, ANSWER)
    cache.ttl = 0.0
    assert cache.get(REQUEST) is None


def test_clear_tells_how_many_answers_there_were(cache: CompletionCache) -> None:
    cache.put(REQUEST, ANSWER)
    assert cache.stats().entries == 1
    assert cache.stats().size_bytes > 0
    assert cache.clear() == 1
    assert (cache.stats().entries, cache.get(REQUEST)) == (0, None)


def test_the_size_limit_is_kept(tmp_path: Path) -> None:
    store = DiskStore(tmp_path, size_limit=2**20)
    for number in range(300):
        store.set(str(number), os.urandom(20_000), ttl=60)
    assert store.stats().size_bytes <= 1.2 * 2**20
    assert store.get("0") is None
    assert store.get("299") is not None


def test_nobody_else_can_read_the_files(tmp_path: Path, cache: CompletionCache) -> None:
    cache.put(REQUEST, ANSWER)
    folder = tmp_path / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {path.name for path in folder.iterdir()}
    assert {"cache.db", "cache.db-wal"} <= names
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    DiskStore(tmp_path).set("key", b"value", ttl=60)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "cache.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 4])
def test_a_pickle_planted_as_value_is_a_miss_and_does_not_run(
    tmp_path: Path, cache: CompletionCache, mode: int
) -> None:
    cache.put(REQUEST, ANSWER)
    bomb = pickle.dumps(Bomb(tmp_path / "crater"))
    run_sql(tmp_path, "UPDATE Cache SET mode = ?, value = ?", mode, bomb)
    assert cache.get(REQUEST) is None
    assert not (tmp_path / "crater").exists()
    assert cache.faults == 1


def test_a_pickle_planted_as_key_is_a_miss_and_does_not_run(
    tmp_path: Path, cache: CompletionCache
) -> None:
    cache.put(REQUEST, ANSWER)
    bomb = pickle.dumps(Bomb(tmp_path / "crater"))
    run_sql(tmp_path, "UPDATE Cache SET key = ?, raw = 0", bomb)
    assert cache.get(REQUEST) is None
    assert cache.clear() == 1
    assert not (tmp_path / "crater").exists()


@pytest.mark.parametrize("mode", [2, 3, 4])
@pytest.mark.parametrize("name", ["../../outside", "inside"])
def test_a_planted_file_name_is_a_miss_and_its_file_is_left_alone(
    tmp_path: Path, cache: CompletionCache, mode: int, name: str
) -> None:
    cache.put(REQUEST, ANSWER)
    target = tmp_path / "cache" / name
    target.write_bytes(pickle.dumps(Bomb(tmp_path / "crater")))
    run_sql(tmp_path, "UPDATE Cache SET mode = ?, filename = ?, value = NULL", mode, name)
    assert cache.get(REQUEST) is None
    assert cache.put(REQUEST, ANSWER)
    run_sql(tmp_path, "UPDATE Cache SET filename = ?", name)
    cache.clear()
    assert target.exists()
    assert not (tmp_path / "crater").exists()


def test_planted_settings_are_set_aside_and_not_obeyed(tmp_path: Path) -> None:
    DiskStore(tmp_path / "cache").set("key", b"value", ttl=60)
    run_sql(tmp_path, "INSERT INTO Settings VALUES ('sqlite_user_version', 77)")
    store = DiskStore(tmp_path / "cache")
    with pytest.raises(OSError, match=r"cache\.db\.corrupt"):
        store.get("key")
    assert store.get("key") is None


@pytest.mark.parametrize("opened", [True, False], ids=["while open", "before"])
def test_a_corrupt_file_is_a_miss_and_is_set_aside(
    tmp_path: Path, cache: CompletionCache, opened: bool
) -> None:
    cache.put(REQUEST, ANSWER)
    cache.close()
    if opened:
        assert cache.stats().entries == 1
    with database(tmp_path).open("r+b") as file:
        file.write(os.urandom(database(tmp_path).stat().st_size))
    assert cache.get(REQUEST) is None
    assert cache.faults == 1
    assert (tmp_path / "cache" / "cache.db.corrupt").exists()
    assert cache.put(REQUEST, ANSWER)
    assert cache.get(REQUEST) is not None


def test_a_store_that_cannot_be_opened_is_a_miss_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[str] = []
    cache = CompletionCache(
        lambda: DiskStore(tmp_path / "file" / "cache"), on_fault=lambda text, _: told.append(text)
    )
    assert cache.get(REQUEST) is None
    assert not cache.put(REQUEST, ANSWER)
    assert (cache.clear(), cache.stats().entries, cache.faults) == (0, 0, 4)
    assert told[0].startswith("the answer cache could not be read: ")


def test_a_database_that_another_process_holds_is_a_fault_and_no_error(
    tmp_path: Path, cache: CompletionCache
) -> None:
    cache.put(REQUEST, ANSWER)
    holder = sqlite3.connect(database(tmp_path), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert not cache.put(REQUEST, ANSWER)
    holder.close()
    assert cache.put(REQUEST, ANSWER)
    assert cache.faults == 1


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns at almost every step, which shows a missing lock."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
def test_threads_share_one_cache(cache: CompletionCache) -> None:
    def put_and_get(name: str) -> None:
        request = REQUEST.model_copy(update={"model": name})
        for _ in range(100):
            cache.put(request, ANSWER)
            cache.get(request)

    threads = [threading.Thread(target=put_and_get, args=[str(n)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (cache.hits, cache.misses, cache.faults) == (400, 0, 0)


def hit_and_put(cache: CompletionCache, answers: multiprocessing.Queue[tuple[bool, int]]) -> None:
    hit = cache.get(REQUEST)
    cache.put(REQUEST.model_copy(update={"model": "child"}), ANSWER)
    answers.put((hit is not None, cache.hits))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_opens_the_store_anew(cache: CompletionCache) -> None:
    cache.put(REQUEST, ANSWER)
    assert cache.get(REQUEST) is not None
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=hit_and_put, args=(cache, answers))
    with cache._store.use():  # the child must not wait for a lock that nobody there can free
        child.start()
    assert answers.get(timeout=240) == (True, 1)
    child.join(30)
    assert cache.get(REQUEST.model_copy(update={"model": "child"})) is not None


def test_no_connection_is_left_open_and_nothing_is_imported_before_use(tmp_path: Path) -> None:
    code = f"""if True:
        import sys, threading
        from chat_magics.cache import CompletionCache, DiskStore
        from chat_magics.messages import ChatRequest
        cache = CompletionCache(DiskStore({str(tmp_path)!r}))
        assert "diskcache" not in sys.modules
        request = ChatRequest(base_url="demo", model="demo", messages=())
        thread = threading.Thread(target=cache.get, args=[request])
        thread.start()
        thread.join()
        assert cache.get(request) is None
        assert cache.faults == 0
        DiskStore({str(tmp_path / "other")!r}).get("key")
    """
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
