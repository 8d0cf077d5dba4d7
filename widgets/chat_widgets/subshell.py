"""Panels that react while a cell runs: their messages are served on a subshell of the kernel.

A kernel serves one message after the other, so that a click waits for the cell that runs. Kernels
with subshells (ipykernel 7.4 and later) can serve some messages on a thread of their own; that is
asked for here, through names of ipykernel that are private. Where anything is otherwise, nothing
happens, and clicks wait as with any widget.

Also here, for the same reason: what a thread sends need not repeat which request it answers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

__all__ = ["send_without_parent", "serve_beside_cells"]

_log = logging.getLogger(__name__)

SECONDS = 5


def serve_beside_cells(widgets: Iterable[Any], shell: Any) -> bool:
    """Has the messages of these widgets served while a cell runs; True where the kernel can.

    Args:
        widgets: with all that they contain; what they call must be safe on any thread.
        shell: the IPython shell; one outside a kernel changes nothing.
    """
    subshell = _subshell_of(shell)
    if subshell is None:
        return False
    for widget in _all(widgets):
        comm = getattr(widget, "comm", None)
        if comm is not None and hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = lambda *_: subshell
    return True


def send_without_parent(shell: Any) -> None:
    """Leaves the request that began it out of all that this thread sends from now on.

    It is a third of a short message, and no page asks for it in a widget's own messages.

    Args:
        shell: the IPython shell; one outside a kernel changes nothing.
    """
    parent = getattr(getattr(shell, "kernel", None), "_shell_parent", None)
    if isinstance(parent, ContextVar):
        parent.set({})


def _all(widgets: Iterable[Any]) -> Iterable[Any]:
    for widget in widgets:
        yield widget
        yield from _all(getattr(widget, "children", ()))


def _subshell_of(shell: Any) -> str | None:
    """The id of our subshell in this kernel, made at the first call; None where there is none."""
    kernel = getattr(shell, "kernel", None)
    if not getattr(kernel, "_supports_kernel_subshells", False):
        return None
    found = getattr(shell, "chat_magics_subshell", None)
    if found is None:
        found = shell.chat_magics_subshell = _create(kernel)
    return found or None


def _create(kernel: Any) -> str:
    made: list[str] = []
    done = threading.Event()
    try:
        manager = kernel.shell_channel_thread.manager

        def create() -> None:
            try:
                made.append(manager._create_subshell())
            except Exception as error:  # noqa: BLE001 - as below
                _log.info("no subshell for the panel: %r", error)
            finally:
                done.set()

        manager._shell_channel_io_loop.add_callback(create)
        done.wait(SECONDS)
    except Exception as error:  # noqa: BLE001 - another kernel has other names: clicks wait then
        _log.info("no subshell for the panel: %r", error)
    return made[0] if made else ""
