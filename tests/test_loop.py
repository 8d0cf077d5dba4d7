"""The private loop: work runs and is stopped on it, it ends cleanly, and a fork has its own."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from chat_magics.loop import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread("test-loop")
    yield loop
    loop.close()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test-loop"]


async def where() -> tuple[int, str]:
    return os.getpid(), threading.current_thread().name


class Stuck:
    """Work that never ends by itself; knows whether it began and whether it was cancelled."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cancelled = threading.Event()

    async def work(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def test_no_thread_is_started_before_there_is_work(loop: LoopThread) -> None:
    assert threads() == []
    assert loop.run(where()) == (os.getpid(), "test-loop")
    assert len(threads()) == 1


def test_an_error_of_the_work_is_raised_where_it_was_run(loop: LoopThread) -> None:
    async def fail() -> None:
        raise KeyError("here")

    with pytest.raises(KeyError, match="here"):
        loop.run(fail())


def test_work_runs_while_another_loop_runs_in_this_thread(loop: LoopThread) -> None:
    async def in_a_notebook() -> str:
        return loop.run(where())[1]

    assert asyncio.run(in_a_notebook()) == "test-loop"


def test_cancelling_the_future_stops_the_work(loop: LoopThread) -> None:
    stuck = Stuck()
    future = loop.submit(stuck.work())
    assert stuck.began.wait(10)
    future.cancel()
    assert stuck.cancelled.wait(10)
    with pytest.raises(CancelledError):
        future.result(10)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to threads here")
def test_an_interrupt_of_who_waits_stops_the_work(loop: LoopThread) -> None:
    stuck, main = Stuck(), threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        stuck.began.wait(10)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(stuck.work())
    assert stuck.cancelled.wait(10)
    assert loop.run(where())[1] == "test-loop"


class InterruptedAtOnce(LoopThread):
    """Is interrupted just after the work was handed over."""

    def submit(self, work: Any) -> Any:
        super().submit(work)
        raise KeyboardInterrupt


def test_an_interrupt_before_the_work_began_stops_it_too() -> None:
    async def others() -> int:
        await asyncio.sleep(0)
        return len(asyncio.all_tasks()) - 1

    loop = InterruptedAtOnce("test-loop")
    with pytest.raises(KeyboardInterrupt):
        loop.run(Stuck().work())
    assert LoopThread.submit(loop, others()).result(10) == 0
    loop.close()


def test_a_blocking_call_on_the_loops_own_thread_is_refused(loop: LoopThread) -> None:
    async def wait_for_itself() -> None:
        loop.run(where())

    with pytest.raises(RuntimeError, match="own thread would never end"):
        loop.run(wait_for_itself())


def test_what_is_posted_is_called_on_the_loop(loop: LoopThread) -> None:
    seen: list[str] = []
    done = threading.Event()
    loop.post(lambda name: (seen.append(name + threading.current_thread().name), done.set()), "on ")
    assert done.wait(10)
    assert seen == ["on test-loop"]


def test_many_threads_that_begin_at_once_share_one_loop(loop: LoopThread) -> None:
    gate = threading.Barrier(8)
    loops: list[asyncio.AbstractEventLoop] = []

    def begin() -> None:
        gate.wait()
        loops.append(loop.loop)

    beginners = [threading.Thread(target=begin) for _ in range(8)]
    for thread in beginners:
        thread.start()
    for thread in beginners:
        thread.join()
    assert len(set(map(id, loops))) == len(threads()) == 1


def test_closing_stops_what_runs_then_closes_what_was_registered(loop: LoopThread) -> None:
    stuck, closed = Stuck(), []

    async def close() -> None:
        closed.append((stuck.cancelled.is_set(), threading.current_thread().name))

    future = loop.submit(stuck.work())
    loop.on_close(close)
    assert stuck.began.wait(10)
    loop.close()
    assert closed == [(True, "test-loop")]
    assert future.cancelled()
    assert threads() == []


def test_closing_again_does_nothing_and_new_work_starts_anew(loop: LoopThread) -> None:
    closed: list[int] = []

    async def close() -> None:
        closed.append(1)

    loop.close()
    loop.run(where())
    loop.on_close(close)
    loop.close()
    loop.close()
    assert closed == [1]
    assert loop.run(where())[1] == "test-loop"
    loop.close()
    assert (closed, threads()) == ([1], [])


def test_what_was_registered_before_the_loop_began_is_closed_too(loop: LoopThread) -> None:
    closed: list[int] = []

    async def close() -> None:
        closed.append(1)

    loop.on_close(close)
    loop.run(where())
    loop.close()
    assert closed == [1]


def test_one_that_fails_to_close_hinders_neither_the_others_nor_the_end(loop: LoopThread) -> None:
    closed: list[int] = []

    async def fail() -> None:
        raise OSError("cannot close")

    async def close() -> None:
        closed.append(1)

    loop.run(where())
    loop.on_close(fail)
    loop.on_close(close)
    with pytest.raises(OSError, match="cannot close"):
        loop.close()
    assert (closed, threads()) == ([1], [])


def in_a_child(work: Callable[[], str]) -> str:
    """What the work gives in a forked process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, work().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_forked_child_has_a_loop_of_its_own(loop: LoopThread) -> None:
    stuck, closed = Stuck(), []

    async def close() -> None:
        closed.append(1)

    future = loop.submit(stuck.work())
    loop.on_close(close)
    assert stuck.began.wait(10)

    def work() -> str:
        pid, _ = loop.run(where())
        loop.close()
        return f"{pid == os.getpid()} {len(threads())} {closed}"

    assert in_a_child(work) == "True 0 []"
    assert not future.done()
    assert loop.run(where())[0] == os.getpid()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_child_may_close_a_loop_of_its_parent_and_leaves_it_alone(loop: LoopThread) -> None:
    loop.run(where())
    assert in_a_child(lambda: str(loop.close())) == "None"
    assert loop.run(where())[0] == os.getpid()


def test_a_loop_that_nobody_holds_is_not_kept_alive() -> None:
    loop = LoopThread("test-loop")
    loop.run(where())
    loop.close()
    reference = weakref.ref(loop)
    del loop
    gc.collect()
    assert reference() is None
