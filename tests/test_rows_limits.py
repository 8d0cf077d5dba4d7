"""Limits of servers and of settings, interrupts and kills: what is waited for, what is kept."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager

import pandas as pd
import pytest

from chat_magics.batch import ask, ask_file
from chat_magics.batch.pace import Pace
from chat_magics.errors import InvalidRequest, RateLimited
from tests.chat_server import Hang, Reply, Status
from tests.history_samples import start_python
from tests.rows_samples import PROMPT, answering, frame, prompts, rows_session


def asked(data, session, **how):
    return ask(data, PROMPT, session=session, progress=False, **how)


def test_a_storm_of_refusals_ends_with_every_row_answered(server):
    """Every second request of the first 60 is refused."""
    count = iter(range(10_000))
    refusal = Status(429, headers={"retry-after-ms": "20"})

    def storm(request):
        number = next(count)
        return refusal if number < 60 and number % 2 else Reply(request.last)

    server.default = storm
    with rows_session(server) as session:
        out = asked(frame(80), session, concurrency=16)
    assert set(out["status"]) == {"complete"}
    assert len(server.posts) == 80 + 30
    assert max(Counter(prompts(server)).values()) < 30, "no row bears it all"


def test_a_server_that_refuses_for_ever_ends_the_run(server):
    server.default = Status(429, headers={"retry-after-ms": "10"})
    with (
        rows_session(server, max_retry_seconds=0.3) as session,
        pytest.raises(RateLimited, match="429"),
    ):
        asked(frame(50), session, concurrency=8)
    assert len(server.posts) < 50, "the window closes"


def test_a_server_that_asks_for_a_long_wait_is_not_waited_for(server):
    server.script(Reply("a"), Status(429, headers={"retry-after": "3600"}))
    with rows_session(server) as session:
        out = asked(frame(20), session, concurrency=1)
        assert out["status"].value_counts().to_dict() == {"stopped": 19, "complete": 1}
        assert "19 prompts left" in session.told[0]
        assert asked(frame(20), session)["status"].eq("complete").all()


def test_what_the_server_tells_of_its_limits_is_heeded_before_it_refuses(server):
    left = iter(range(5, -1, -1))

    def answer(request):
        remaining = next(left, 99)
        headers = {"x-ratelimit-remaining-requests": str(remaining)}
        return Reply("a", headers={**headers, "x-ratelimit-reset-requests": "300ms"})

    server.default = answer
    with rows_session(server) as session:
        asked(frame(12), session, concurrency=1)
    times = [post.time for post in server.posts]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[5] >= 0.3, "none was left after the sixth"
    assert max(gaps[:5] + gaps[6:]) < 0.3


def test_the_requests_a_minute_of_the_settings_are_waited_for(server):
    with rows_session(server, requests_per_minute=3, max_limit_wait=0.1) as session:
        thread = threading.Thread(target=asked, args=(frame(10), session), daemon=True)
        thread.start()
        server.until(lambda: len(server.posts) == 3)
        thread.join(1)
        assert len(server.posts) == 3
        assert thread.is_alive(), "it waits for the next minute"


def test_the_tokens_a_minute_of_the_settings_are_kept():
    async def tokens_let_out():
        pace = Pace(100, tokens_per_minute=60_000)  # 1,000 a second, 6,000 at once
        waiting = [asyncio.ensure_future(pace.enter(1_000)) for _ in range(20)]
        await asyncio.sleep(0)
        at_once = sum(task.done() for task in waiting)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        while sum(task.done() for task in waiting) < at_once + 1:
            await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        return at_once

    assert asyncio.run(tokens_let_out()) == 6


def test_the_window_halves_once_for_those_that_were_out_together_and_widens_slowly():
    async def widths():
        pace = Pace(16)
        entered = [await pace.enter(1) for _ in range(16)]
        for moment in entered:
            pace.refused(moment, 0.0)
            pace.left()
        halved = pace.window
        for _ in range(9):  # a window of answers, and one
            pace.answered()
        widened = pace.window
        for _ in range(1_000):
            pace.answered()
        return halved, widened, pace.window

    assert asyncio.run(widths()) == (8, 9, 16)


def test_an_interrupt_keeps_what_was_answered(server):
    server.default = answering(lambda text: Hang() if text >= "row 5" else text)

    def interrupt():
        server.until(lambda: server.held == 2)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with rows_session(server) as session:
        thread.start()
        out = asked(frame(9), session, concurrency=2)
        thread.join()
        assert list(out["status"]) == ["complete"] * 5 + ["stopped"] * 4
        assert "it was interrupted" in out["error"][8]
        stored = session.history.exchanges()["status"].value_counts().to_dict()
        assert stored == {"complete": 5, "stopped": 2}, "of what was never sent nothing stays"
        server.default = Reply("b")
        assert list(asked(frame(9), session)["cached"]) == [True] * 5 + [False] * 4


KILLED = """
import sys
from chat_magics import Session
from chat_magics.batch import ask, ask_file
from tests.rows_samples import PROMPT, frame
session = Session({"base_url": sys.argv[1], "model": "m", "api_key": "sk-test"})
ask(frame(200), PROMPT, session=session, progress=False, concurrency=4)
"""


@pytest.mark.parametrize("after", [10, 60])
def test_a_kill_asks_again_only_what_was_in_flight_or_in_an_open_group(server, after):
    server.default = answering(lambda text: Reply(text, delay_before_first=0.01))
    process = start_python(KILLED, server.url)
    server.until(lambda: len(server.posts) >= after)
    process.kill()
    process.wait()
    before = len(server.posts)
    with rows_session(server, model="m") as session:
        out = asked(frame(200), session)
        assert set(out["status"]) == {"complete"}
        assert set(session.history.exchanges()["status"]) == {"complete", "interrupted"}
    again = len(server.posts) - 200
    # 50 ms of answers at 4 in 10 ms, what a commit takes, and the 4 that were under way.
    assert 0 <= again <= min(before, 60)


@contextmanager
def files_no_larger_than(size):
    """A file may not grow further: who writes it meets the same fault as on a full disk."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_ends_the_run_and_loses_nothing(server, tmp_path):
    with rows_session(server, cache=False) as session:
        asked(frame(2), session)
        file = session.config.home / "history.db-wal"
        with files_no_larger_than(file.stat().st_size + 200_000):
            out = asked(frame(3_000), session, concurrency=8)
        statuses = out["status"].value_counts().to_dict()
        assert set(statuses) == {"complete", "stopped"}
        assert statuses["complete"] >= len(server.posts) - 8
        assert any("can no longer be written" in line for line in session.told)


def test_a_disk_that_is_full_when_the_results_are_written_loses_no_answer(server, tmp_path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    noise = [os.urandom(20_000) for _ in range(200)]  # 4 MB that nothing makes smaller
    frame(200).assign(noise=noise).to_parquet(source)
    given = {"progress": False, "prompt": PROMPT}
    with rows_session(server) as session:
        with (
            files_no_larger_than(3_000_000),
            pytest.raises(InvalidRequest, match=r"out\.parquet cannot be written: .*large"),
        ):
            ask_file(source, target, session=session, **given)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "in.parquet"]
        assert len(server.posts) == 200
        ask_file(source, target, session=session, **given)
    assert len(server.posts) == 200
    assert pd.read_parquet(target)["cached"].all()
