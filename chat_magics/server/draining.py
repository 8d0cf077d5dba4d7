"""Draining: how a server ends whose place others take: replies under way may end first."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from .entrance import Entrance

__all__ = ["drained"]

LOOK = 0.1
"""Seconds between two looks whether all has ended."""

FAREWELL_SECONDS = 2.0
"""For programs to hear that their reply was cut."""


async def drained(entrance: Entrance, seconds: float) -> None:
    """Returns once nothing is under way, or after so many seconds, with what is left cut off.

    Args:
        entrance: lets nobody in any more.
        seconds: at most.
    """
    until = time.monotonic() + seconds
    while not await entrance.idle():
        if time.monotonic() >= until:
            await _cut(entrance)
            return
        await asyncio.sleep(LOOK)


async def _cut(entrance: Entrance) -> None:
    """Tells programs; replies in pages are cut with their kernels, which keep what came."""
    handlers: list[Any] = entrance.under_way
    for handler in handlers:
        handler.cut()
    until = time.monotonic() + FAREWELL_SECONDS
    while entrance.under_way and time.monotonic() < until:
        await asyncio.sleep(LOOK)
