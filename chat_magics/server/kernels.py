"""Kernels of pages: how one ends, without a word in the server's log.

Jupyter interrupts a kernel before it asks it to end. One that is still loading prints the traceback
of whatever it loaded then, at each Ctrl-C and each page that is closed early.
"""

from __future__ import annotations

import signal

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

__all__ = ["PageKernel"]

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""Windows has none; there this one ends a process at once."""


class PageKernel(ServerKernelManager):
    """The kernel of one page, or one that waits for a visitor."""

    async def shutdown_kernel(  # type: ignore[override]  # as Jupyter Server's own
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
