"""Kernels of pages: how one begins and ends beside the server.

A busy kernel is one person's matter, a late server everybody's: so kernels give way to it. Jupyter
interrupts a kernel before it asks it to end. One that is still loading prints the traceback
of whatever it loaded then, at each Ctrl-C and each page that is closed early.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

__all__ = ["PageKernel"]

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""Windows has none; there this one ends a process at once."""


NICER = 5
"""How far a kernel's priority stands behind the server's, as the command `nice` counts."""


class PageKernel(ServerKernelManager):
    """The kernel of one page, or one that waits for a visitor."""

    # Both are coroutines in Jupyter Server's class, and plain in the types of its parent's.

    async def start_kernel(self, *arguments: Any, **given: Any) -> None:  # type: ignore[override]
        """Starts it, behind the server."""
        await super().start_kernel(*arguments, **given)
        pid = getattr(self.provisioner, "pid", None)
        if pid is not None and hasattr(os, "setpriority"):
            server = os.getpriority(os.PRIO_PROCESS, 0)
            with suppress(ProcessLookupError):  # it died already; the page that wants it says so
                os.setpriority(os.PRIO_PROCESS, pid, server + NICER)

    async def shutdown_kernel(  # type: ignore[override]
        self, now: bool = False, restart: bool = False
    ) -> None:
        """Ends it.

        Args:
            now: at once, for one in which nobody has said anything; else it stores first what came
                of a reply.
            restart: it is to start again.
        """
        if self.has_kernel:
            if now:
                await self.signal_kernel(KILL)
            else:
                await self.request_shutdown(restart=restart)
                await self.finish_shutdown(restart=restart)
        await super().shutdown_kernel(now=True, restart=restart)
