"""The private event loop on a thread of its own, and the blocking face over it.

One loop per session: the connection pool of an async client belongs to one loop, a stop is the
cancelling of a task (1 ms, also before the first byte), and it runs while a cell computes.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ["LONGEST_SLEEP", "LoopThread", "at_exit"]

LONGEST_SLEEP = 0.5
"""Seconds of one blocking wait."""

T = TypeVar("T")
Close: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class LoopThread:
    """An event loop on a daemon thread; starts at first use and anew in a forked child.

    Example:
        >>> async def answer():
        ...     return 42
        >>> loop = LoopThread()
        >>> loop.run(answer())
        42
        >>> loop.close()
    """

    def __init__(self, name: str = "chat_magics") -> None:
        self._name = name
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._closing: list[Close] = []

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop, started where it was not."""
        if self._loop is not None and self._pid == os.getpid():
            return self._loop
        if self._pid not in (0, os.getpid()):
            self._starting = threading.Lock()  # the parent may have held it at the fork
        with self._starting:
            if self._loop is None or self._pid != os.getpid():
                self._start()
        assert self._loop is not None
        return self._loop

    def _start(self) -> None:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_serve, args=(loop,), name=self._name, daemon=True)
        thread.start()
        if self._pid not in (0, os.getpid()):
            self._closing = []  # what the parent registered before a fork is the parent's to close
        self._loop, self._thread, self._pid = loop, thread, os.getpid()
        # For who never closes it: when nobody has it any more, and when the process ends.
        self._let_go = weakref.finalize(self, _let_go, loop, self._closing, os.getpid())
        self._let_go.atexit = False
        at_exit(partial(_close_if_alive, weakref.ref(self)))

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Starts work on the loop; the future's `cancel` stops it at once."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work on the loop; blocks, and an interrupt cancels the work.

        Raises:
            RuntimeError: called on the loop's own thread, where it would wait for itself.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a blocking call on the private loop's own thread would never end")
        loop, handed_over = self.loop, _Interruptible(work)
        try:
            future = self.submit(handed_over.run())
            # In pieces: an interrupt that falls between two waits is seen after this one, and
            # one without end cannot be interrupted on Windows at all.
            while not wait([future], LONGEST_SLEEP).done:
                pass
            return future.result()
        except BaseException:
            if not handed_over.ended and loop.is_running():
                loop.call_soon_threadsafe(handed_over.stop)
            raise

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Calls something on the loop soon, without waiting."""
        self.loop.call_soon_threadsafe(call, *args)

    def on_close(self, close: Close) -> None:
        """Registers what is to be awaited before the loop ends, such as closing a pool."""
        self._closing.append(close)

    def close(self) -> None:
        """Cancels what runs, awaits what was registered with `on_close`, ends the thread."""
        if self._loop is not None and self._pid == os.getpid():
            loop, self._loop = self._loop, None
            self._let_go.detach()
            if self._thread is not None and self._thread.is_alive():
                _end(loop, self._thread, self._closing)


class _Interruptible(Generic[T]):
    """Work that can be stopped from the moment it is handed over, also before it began."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.ended = False
        self._work = work
        self._task: asyncio.Task[Any] | None = None
        self._stopped = False

    async def run(self) -> T:
        if self._stopped:
            self._work.close()
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        try:
            return await self._work
        finally:
            self.ended = True

    def stop(self) -> None:
        self._stopped = True
        if self._task:
            self._task.cancel()


def at_exit(close: Callable[[], None]) -> None:
    """Has this called when the process ends, while what came of a reply can still be stored.

    Executors take no more work when `atexit` begins. They close by the hook of `threading` that is
    used here, whose last entry is called first; it has no public name.
    """
    import concurrent.futures.thread  # noqa: F401 - so that its entry is there before ours

    register = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(close)
    except RuntimeError:  # the process ends already
        atexit.register(close)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _let_go(loop: asyncio.AbstractEventLoop, closing: list[Close], pid: int) -> None:
    """Ends the loop without waiting: the collector runs on any thread, whatever it holds."""
    if pid == os.getpid() and loop.is_running():
        loop.call_soon_threadsafe(_wind_up_and_stop, loop, closing)


def _wind_up_and_stop(loop: asyncio.AbstractEventLoop, closing: list[Close]) -> None:
    loop.create_task(_wind_up(closing)).add_done_callback(lambda _: loop.stop())


def _close_if_alive(reference: weakref.ref[LoopThread]) -> None:
    if (owner := reference()) is not None:
        owner.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread, closing: list[Close]) -> None:
    if thread is threading.current_thread():
        _wind_up_and_stop(loop, closing)
        return
    try:
        asyncio.run_coroutine_threadsafe(_wind_up(closing), loop).result(timeout=5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)


async def _wind_up(closing: list[Close]) -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    results = await asyncio.gather(*(close() for close in closing), return_exceptions=True)
    closing.clear()
    for failure in results:
        if isinstance(failure, BaseException):
            raise failure
