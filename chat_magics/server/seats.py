"""Seats: which kernel belongs to whom, and when it is to go.

A page is a kernel. Voilà knows no owner of it and never ends one whose page is gone; both are
kept here. Nothing of this outlives the server, as no kernel does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

__all__ = ["Claims", "Seat", "Seats"]

LEFT_SECONDS = 30.0
"""A page that is loaded has its connection within seconds; one whose network broke comes back."""

FAREWELL_SECONDS = 3.0
"""A page that is loaded anew asks for its place just as the one before gives it up."""

STARTING_SECONDS = 10.0
"""How long the end of the server waits for a kernel whose process is being started."""

_RENDERING = "generate_content_hybrid"
"""Of Voilà's `NotebookRenderer`: runs the cells in a preheated kernel."""


@dataclass
class Seat:
    """One open page.

    Args:
        kernel: the kernel's id.
        owner: whose page it is.
        address: where it is looked at.
        query: of the page's URL.
        created: when it was opened (UTC).
        conversation: the one that it shows, as its kernel tells; empty while it has none.
        answering: a reply is under way in it, as its kernel tells.
    """

    kernel: str
    owner: str
    address: str
    query: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    conversation: str = ""
    answering: bool = False
    left: float | None = None
    """Since when nobody looks at it (monotonic seconds)."""


class Seats:
    """The open pages of a server.

    Args:
        kernels: the kernel manager of Jupyter Server.
        idle_seconds: a page that does nothing for so long is ended.
    """

    def __init__(self, kernels: Any, idle_seconds: float) -> None:
        self._kernels = kernels
        self._idle = idle_seconds
        self._taken: dict[str, Seat] = {}
        self._waiting: dict[str, asyncio.Future[Seat]] = {}
        self._coming: set[object] = set()

    def __iter__(self) -> Iterator[Seat]:
        return iter(list(self._taken.values()))

    def __len__(self) -> int:
        """Open pages, and those that are being made."""
        return len(self._taken) + len(self._coming)

    @contextmanager
    def place_for(self, page: object) -> Iterator[None]:
        """Keeps a place while a page is being made, until it has its kernel."""
        self._coming.add(page)
        try:
            yield
        finally:
            self._coming.discard(page)

    async def has_place(self, owner: str, most: int) -> bool:
        """True where there is room for one more page.

        Args:
            owner: whose page it will be; for one with open pages it waits a little, since
                of two requests of a browser either may arrive first.
            most: how many there may be.
        """
        deadline = time.monotonic() + FAREWELL_SECONDS
        while len(self) >= most:
            is_here = any(seat.owner == owner for seat in self)
            if not is_here or time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    def kernels(self) -> int:
        """How many kernels run, those that wait for visitors among them."""
        return len(self._kernels.list_kernel_ids())

    def take(self, seat: Seat, page: object = None) -> None:
        """A page has got its kernel."""
        self._coming.discard(page)
        self._taken[seat.kernel] = seat
        waiting = self._waiting.pop(seat.kernel, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(seat)

    def of(self, kernel: str) -> Seat | None:
        """The seat of a kernel; None where nobody has it."""
        return self._taken.get(kernel)

    async def taken(self, kernel: str) -> Seat:
        """The same, once a page has it: a preheated kernel waits for its visitor."""
        if kernel in self._taken:
            return self._taken[kernel]
        loop = asyncio.get_running_loop()
        return await asyncio.shield(self._waiting.setdefault(kernel, loop.create_future()))

    def belongs(self, kernel: str, owner: str) -> bool:
        """True where this kernel shows this person's page."""
        seat = self._taken.get(kernel)
        return seat is not None and seat.owner == owner

    async def lives(self, kernel: str) -> bool:
        """True where the kernel's process runs."""
        return kernel in self._kernels and bool(
            await ensure_async(self._kernels.get_kernel(kernel).is_alive())
        )

    async def answering(self) -> bool:
        """True where a reply is under way in any page."""
        for seat in self:
            if seat.answering and await self.lives(seat.kernel):
                return True
        return False

    async def end(self, kernel: str) -> None:
        """Ends the kernel of a page; the page says so, and what was said is in history."""
        self._taken.pop(kernel, None)
        self._waiting.pop(kernel, None)
        if kernel in self._kernels:
            await ensure_async(self._kernels.shutdown_kernel(kernel))

    async def end_all(self) -> None:
        """Ends all kernels; those that wait for a visitor have nothing to store."""
        deadline = time.monotonic() + STARTING_SECONDS
        asyncio.get_running_loop().set_exception_handler(_tell_unless_rendering)
        while True:
            # One that is asked to end, and not killed, while it starts leaves a traceback.
            ending = [
                ensure_async(self._kernels.shutdown_kernel(kernel, now=kernel not in self._taken))
                for kernel in self._kernels.list_kernel_ids()
            ]
            try:
                await asyncio.gather(*ending)
                await ensure_async(self._kernels.shutdown_all(now=True))
            except HTTPError:  # one is starting at this moment, and can be ended once it runs
                if time.monotonic() > deadline:
                    return  # it ends by itself when its server is gone
                await asyncio.sleep(0.1)
            else:
                return

    async def sweep(self) -> None:
        """Ends what nobody looks at, and what does nothing for long."""
        now = time.monotonic()
        for seat in self:
            if not await self.lives(seat.kernel) or self._is_over(seat, now):
                await self.end(seat.kernel)

    def _is_over(self, seat: Seat, now: float) -> bool:
        model = self._kernels.kernel_model(seat.kernel)
        if model["connections"]:
            seat.left = None
            idle = datetime.now(timezone.utc) - self.last_seen(seat)
            return idle.total_seconds() > self._idle
        if seat.left is None:
            seat.left = now
        return now - seat.left > LEFT_SECONDS

    def last_seen(self, seat: Seat) -> datetime:
        """When anything last went between a page and its kernel (UTC)."""
        if seat.kernel not in self._kernels:
            return seat.created
        last: datetime = self._kernels.get_kernel(seat.kernel).last_activity
        return max(last, seat.created)


class Claims:
    """The kernel manager as one page sees it: the kernel that it takes becomes this visitor's.

    Args:
        kernels: the real one, to which all else goes.
        seats: told of the kernel.
        owner: whose page it is.
        address: where it is looked at.
        query: of the page's URL.
        page: for which a place is kept.
    """

    def __init__(
        self,
        kernels: Any,
        seats: Seats,
        owner: str,
        address: str,
        query: str,
        *,
        page: object = None,
    ) -> None:
        self._kernels = kernels
        self._seats = seats
        self._person = (owner, address, query)
        self._page = page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernels, name)

    async def start_kernel(self, **given: Any) -> str:
        """Starts one for this visitor."""
        kernel: str = await ensure_async(self._kernels.start_kernel(**given))
        self._seats.take(Seat(kernel, *self._person), self._page)
        return kernel

    async def get_rendered_notebook(self, **given: Any) -> Any:
        """Takes a preheated one; not one that died while it waited."""
        while True:
            task, rendered, kernel = await self._kernels.get_rendered_notebook(**given)
            if await self._seats.lives(kernel):
                break
            await self._seats.end(kernel)
        self._seats.take(Seat(kernel, *self._person), self._page)
        return task, rendered, kernel


def _tell_unless_rendering(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What Voilà prepares for the next visitors fails as its kernels end: no news for the log."""
    task = context.get("future")
    coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
    if getattr(coroutine, "__name__", "") != _RENDERING:
        loop.default_exception_handler(context)
