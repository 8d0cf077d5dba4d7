"""TokensTogether: tokens a minute that the runs of all machines take, where Redis counts them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..client import Admission
    from ..config import ChatConfig

__all__ = ["TokensTogether"]


class TokensTogether:
    """Counts what one run takes with what others take; belongs to one event loop.

    What is thought to be taken is counted before. What a row then took more or less is made up
    for by the rows after it, so that the sum is right.

    Args:
        admission: where it is counted.
        config: with the limit.
    """

    def __init__(self, admission: Admission | None, config: ChatConfig) -> None:
        self._admission = admission
        self._config = config
        self._owed = 0.0

    @asynccontextmanager
    async def taking(self, tokens: float) -> AsyncIterator[None]:
        """Within it, a row may be asked that is thought to take so many; it counts as answered.

        Raises:
            RateLimitReached: it has to wait; nothing is counted.
        """
        if self._admission is None:
            yield
            return
        due, self._owed = tokens + self._owed, 0.0
        try:
            counted = await self._admission.tokens(self._config.owner, due, self._config)
        except BaseException:
            self._owed += due - tokens
            raise
        self._owed += due - counted
        try:
            yield
        except BaseException:
            self.took(-tokens)
            raise

    def took(self, beyond: float) -> None:
        """A row took so many tokens beyond what was thought."""
        self._owed += beyond
