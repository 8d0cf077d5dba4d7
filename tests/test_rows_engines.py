"""Rows on other engines: the same answers, the same history, whoever dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from chat_magics.batch import ask
from chat_magics.errors import ChatError, ConnectionFailed, InvalidRequest
from tests.chat_server import Hang, Reply, Status
from tests.dask_cluster import DaskCluster
from tests.history_samples import start_python
from tests.rows_samples import PROMPT, answering, frame, rows_session

ROOT = Path(__file__).parents[1]


def asked(data, session, engine, **how):
    given = {"concurrency": 8, "session": session, "progress": False, **how}
    return ask(data, PROMPT, engine=engine, **given)


@pytest.fixture
def cluster(tmp_path, server):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": "sk-of-the-workers",
    }
    with DaskCluster(tmp_path, environment) as started:
        yield started


def test_threads_use_the_client_and_the_key_of_this_process(server):
    server.default = answering(str.upper)
    with rows_session(server) as session, ThreadPoolExecutor(4) as engine:
        out = asked(frame(40), session, engine)
    assert list(out["answer"]) == [f"ROW {number}" for number in range(40)]
    assert server.posts[0].headers["authorization"] == "Bearer sk-test"


def test_processes_send_the_same_and_find_no_key_of_ours(server):
    with (
        rows_session(server) as session,
        ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as engine,
    ):
        out = asked(frame(40), session, engine)
        assert asked(frame(40), session, None)["cached"].all()
    assert set(out["status"]) == {"complete"}
    assert len(server.posts) == 40
    assert not any("authorization" in post.headers for post in server.posts)


def test_an_interrupt_takes_back_what_no_worker_has_begun(server):
    server.default = Hang()

    def interrupt():
        server.until(lambda: server.held == 16)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with rows_session(server) as session, ThreadPoolExecutor(1) as engine:
        thread.start()
        with pytest.raises(ChatError, match="it was interrupted"):
            asked(frame(100), session, engine, concurrency=64)
        thread.join()
        server.default = Reply("late")
        server.release()
        engine.submit(int).result()  # whatever was before it has been done
        assert len(server.posts) == 16


def test_an_engine_that_is_none_is_refused(server):
    with rows_session(server) as session:
        for engine in ("spark", "dask://", 3):
            with pytest.raises(InvalidRequest, match="engine"):
                asked(frame(1), session, engine)
        with pytest.raises(ConnectionFailed, match=r"no Dask scheduler answers at 127\.0\.0\.1:1"):
            asked(frame(1), session, "dask://127.0.0.1:1")
        assert session.history.load_conversations(runs=True) == []


def test_a_pool_that_is_shut_down_ends_the_run(server):
    engine = ThreadPoolExecutor(1)
    engine.shutdown()
    with rows_session(server) as session, pytest.raises(ConnectionFailed, match="engine is gone"):
        asked(frame(40), session, engine)


def test_a_cluster_answers_with_the_key_of_its_workers(server, cluster):
    refused = iter(range(10_000))

    def answer(request):
        if request.last.endswith("row 7"):
            return Status(400)
        if next(refused) % 10 == 3:
            return Status(429, headers={"retry-after-ms": "10"})
        return Reply(request.last)

    server.default = answer
    with rows_session(server) as session:
        out = asked(frame(60), session, cluster.url)
        statuses = out["status"].value_counts().to_dict()
        assert statuses == {"complete": 59, "error": 1}, "a poison row harms nobody else"
        assert set(session.history.exchanges()["status"]) == {"complete", "error"}
    keys = {post.headers["authorization"] for post in server.posts}
    assert keys == {"Bearer sk-of-the-workers"}


def run_in_thread(session, engine, rows=60):
    done = []
    thread = threading.Thread(target=lambda: done.append(asked(frame(rows), session, engine)))
    thread.start()
    return thread, done


def test_what_a_killed_worker_had_is_asked_by_another(server, cluster):
    server.default = answering(lambda text: Reply(text, delay_before_first=0.02))
    with rows_session(server) as session:
        thread, done = run_in_thread(session, cluster.url)
        server.until(lambda: len(server.posts) >= 16)
        cluster.kill(1)
        thread.join(120)
        assert set(done[0]["status"]) == {"complete"}
    assert len(server.posts) <= 60 + 16, "what was under way is asked again, and nothing else"


def test_when_the_scheduler_is_killed_the_rest_is_asked_later(server, cluster):
    server.default = answering(lambda text: Hang() if int(text[4:]) >= 30 else Reply(text))
    with rows_session(server) as session:
        thread, done = run_in_thread(session, cluster.url)
        server.until(lambda: server.held >= 8)
        cluster.kill(0)
        thread.join(120)
        assert not thread.is_alive()
        complete = int(done[0]["status"].eq("complete").sum())
        assert complete >= 22, "those that were answered before"
        server.default = Reply("later")
        again = asked(frame(60), session, None)
        assert int(again["cached"].sum()) == complete
        assert set(again["status"]) == {"complete"}


CLIENT = """
import sys
from chat_magics import Session
from chat_magics.batch import ask
from tests.rows_samples import PROMPT, frame
session = Session({"base_url": sys.argv[1], "model": "test-model"})
ask(frame(60), PROMPT, session=session, progress=False, concurrency=8, engine=sys.argv[2])
"""


def test_when_the_client_is_killed_only_what_was_under_way_is_asked_again(server, cluster):
    server.default = answering(lambda text: Reply(text, delay_before_first=0.02))
    process = start_python(CLIENT.replace("sys.argv[2]", repr(cluster.url)), server.url)
    server.until(lambda: len(server.posts) >= 24)
    process.kill()
    process.wait()
    with rows_session(server) as session:
        out = asked(frame(60), session, cluster.url)
        assert set(out["status"]) == {"complete"}
    assert len(server.posts) <= 60 + 8 * 3
