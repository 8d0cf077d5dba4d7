"""Loads the heavy parts while the kernel is idle, so that the first question is as quick as any.

On a daemon thread, one import at a time, and never while a cell runs: between two imports it waits
until the kernel has been idle again for a while.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["WarmUp", "wanted"]

IDLE_SECONDS = 1.5

_OFF = ("0", "false", "f", "no", "n", "off")
"""The words of pydantic, which reads all other settings and is not imported here."""

# In small steps, the cheap ones first: a cell that starts waits for one of them at most.
STEPS = (
    "pydantic",
    "asyncio",
    "httpx2",
    "aiohttp",
    "openai",
    "openai.resources.chat.completions.completions",
    "pydantic_settings",
    "tenacity",
    "chat_magics.cache_disk",
    "sqlalchemy",
    "chat_magics.conversation",
    "chat_magics.client.transport",
    "chat_magics.markdown",
    "chat_magics.pricing",
    "chat_magics.magics.ask",
)


class WarmUp:
    """Imports what the first question needs while nothing runs.

    Args:
        shell: tells by its events when a cell starts and ends.
        then: called at last, when all is imported.
    """

    def __init__(self, shell: Any, then: Callable[[], None]) -> None:
        self._shell = shell
        self._then = then
        self._changed = threading.Condition()
        self._busy = True  # the cell that loads the extension
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="chat_magics-warm-up", daemon=True)

    def start(self) -> None:
        """Begins to wait for the first idle moment."""
        self._shell.events.register("pre_run_cell", self._cell_starts)
        self._shell.events.register("post_run_cell", self._cell_ends)
        self._thread.start()

    def stop(self) -> None:
        """Ends it after the import that is under way."""
        with self._changed:
            if self._stopped or self._thread.ident is None:
                return
            self._stopped = True
            self._changed.notify_all()
        self._shell.events.unregister("pre_run_cell", self._cell_starts)
        self._shell.events.unregister("post_run_cell", self._cell_ends)

    def _cell_starts(self, info: Any) -> None:
        self._note(busy=True)

    def _cell_ends(self, result: Any) -> None:
        self._note(busy=False)

    def _note(self, busy: bool) -> None:
        with self._changed:
            self._busy = busy
            self._changed.notify_all()

    def _run(self) -> None:
        for step in (*STEPS, None):
            if not self._wait_until_idle(fresh=step == STEPS[0]):
                return
            if step is None:
                self._then()
            else:
                _load(step)

    def _wait_until_idle(self, fresh: bool) -> bool:
        """Waits for an idle kernel; at first, and after each cell, for a moment longer."""
        with self._changed:
            rest = fresh
            while not self._stopped:
                if self._busy:
                    self._changed.wait()
                    rest = True
                elif rest:
                    rest = self._changed.wait(IDLE_SECONDS)
                else:
                    return True
        return False


def _load(name: str) -> None:
    try:
        import_module(name)
    except ImportError:
        if name.startswith("chat_magics"):
            raise  # the others may be named otherwise in another version of their package


def wanted() -> bool:
    """False where the environment switches it off, as for the app's kernels."""
    return os.environ.get("CHAT_MAGICS_WARM_UP", "1").lower() not in _OFF
