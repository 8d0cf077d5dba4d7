"""Store: the history on a thread of its own, since a locked file must not stop the loop."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from ..config import ChatConfig
from ..errors import ChatError, ConfigError, StoreAway
from ..history import History

__all__ = ["Store"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

LOOK_AGAIN = 3.0
"""Seconds between two looks for a database that is away and is owed something."""


class Store:
    """Opens the history at its first use and does all work on it, one thing after the other.

    Args:
        on_warning: a method, told one line where the history cannot be kept.
    """

    def __init__(self, on_warning: Callable[[str], None]) -> None:
        # Weak, so that an open history keeps nobody alive who does not close it.
        self._on_warning = weakref.WeakMethod(on_warning)
        self._place: tuple[str, str] | None = None
        self._own_process()

    def _own_process(self) -> None:
        """What a forked child cannot share with its parent: the thread, and the open file."""
        self._pid = os.getpid()
        self._open: list[History] = []
        self._owed: deque[Callable[[History], object]] = deque()
        self._next_look: threading.Timer | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chat_magics-store")

    def use(self, config: ChatConfig) -> None:
        """Takes the place and the owner of the history from these settings.

        Raises:
            ConfigError: it is open already, and they are others.
        """
        place = (config.history or str(config.home / "history.db"), config.owner)
        if self._open and place != self._place:
            raise ConfigError(
                "home, history and owner cannot change once something was asked: "
                "set them back, or restart the kernel"
            )
        self._place = place

    async def run(self, work: Callable[[History], T]) -> T:
        """The result of work on the history; a cancelled caller does not cut it off."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._executor, self._with_history, work))

    def run_now(self, work: Callable[[History], T]) -> T:
        """The same for any thread but the loop's; blocks."""
        return self._executor.submit(self._with_history, work).result()

    def owe(self, work: Callable[[History], object]) -> None:
        """Has this done as soon as the database answers again, and before anything else then."""
        self._executor.submit(self._put_off, work)

    @property
    def settled(self) -> bool:
        """True where the history is owed nothing."""
        return not self._owed

    def _put_off(self, work: Callable[[History], object]) -> None:
        self._owed.append(work)
        self._look_again()

    def _look_again(self) -> None:
        if self._next_look is None and self._owed:
            self._next_look = threading.Timer(LOOK_AGAIN, self._look)
            self._next_look.daemon = True
            self._next_look.start()

    def _look(self) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            self._executor.submit(self._pay_if_back)

    def _pay_if_back(self) -> None:
        self._next_look = None
        with suppress(ChatError):
            self._with_history(_nothing)
        self._look_again()

    def _pay(self, history: History) -> None:
        while self._owed:
            try:
                self._owed[0](history)
            except StoreAway:
                raise
            except ChatError as error:
                _log.warning("what was to be stored later is refused: %s", error)
            self._owed.popleft()

    @property
    def _executor(self) -> ThreadPoolExecutor:
        if self._pid != os.getpid():
            self._own_process()
        return self._thread

    def _with_history(self, work: Callable[[History], T]) -> T:
        if not self._open:
            assert self._place is not None
            place, owner = self._place
            tell = partial(_tell, self._on_warning)
            self._open.append(History(place, owner=owner, on_warning=tell))
        self._pay(self._open[0])
        return work(self._open[0])

    def close(self) -> None:
        """Closes the history, once what was begun is done."""
        if self._next_look is not None:
            self._next_look.cancel()
        if self._owed and self._pid == os.getpid():
            self._executor.submit(self._pay_at_last).result()
        self._executor.submit(_close_all, self._open, os.getpid()).result()
        self._executor.shutdown()

    def _pay_at_last(self) -> None:
        try:
            self._with_history(_nothing)
        except ChatError as error:
            _log.warning("%d replies could not be stored whole: %s", len(self._owed), error)


def _nothing(history: History) -> None:
    """What is done where only that counts which is owed."""


def _tell(on_warning: weakref.WeakMethod[Callable[[str], None]], message: str) -> None:
    if (method := on_warning()) is not None:
        method(message)


def _close_all(histories: list[History], pid: int) -> None:
    while histories and pid == os.getpid():
        histories.pop().close()
