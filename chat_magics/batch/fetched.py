"""What a batch brought: its prices, and the answers in the place of a sender's."""

from __future__ import annotations

import asyncio

from ..messages import ChatRequest, Usage
from .purse import Rates
from .sending import Sender, Sent

__all__ = ["SHARE", "BatchRates", "Fetched"]

SHARE = 0.5
"""What a request costs by the Batch API, of its price otherwise."""


class BatchRates(Rates):
    """Prices of answers that came by a batch.

    Example:
        >>> usage = Usage(prompt_tokens=1_000_000)
        >>> at = "https://api.openai.com/v1", "gpt-4o-mini"
        >>> BatchRates(*at).cost(None, usage) == Rates(*at).cost(None, usage) / 2
        True
    """

    def cost(self, model: str | None, *usages: Usage | None) -> float | None:
        """US dollars; None where the price is unknown.

        Args:
            model: that answered.
            usages: of the answer and, where it was asked once more, of the first reply: that one
                came by the batch, the second at the full price.
        """
        answer, first, *_ = (*usages, None)
        by_batch = super().cost(model, first or answer)
        at_once = super().cost(model, answer) if first else 0.0
        return None if by_batch is None or at_once is None else by_batch * SHARE + at_once


class Fetched:
    """Gives what a batch brought, and sends only what is asked once more.

    Args:
        sender: of the second requests.
        at_a_time: how many of them.
    """

    ahead = 1

    def __init__(self, sender: Sender, at_a_time: int) -> None:
        self._sender = sender
        self._free = asyncio.Semaphore(at_a_time)
        self._sent: dict[str, Sent] = {}

    def put(self, prompt: str, sent: Sent) -> None:
        """What came of a prompt."""
        self._sent[prompt] = sent

    async def send(self, request: ChatRequest, *, patient: bool = False) -> Sent:
        """What came of the request."""
        if not patient:
            return self._sent.pop(request.messages[-1].content)
        async with self._free:
            return await self._sender.send(request, patient=True)
