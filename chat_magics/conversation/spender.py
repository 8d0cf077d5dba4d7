"""Spender: what a session has spent, may spend, and would spend on a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..budget import Budget, Spending
from ..messages import ChatRequest
from .spending import Plan, expected, spending, spent

if TYPE_CHECKING:
    from ..client import ChatClient
    from ..config import ChatConfig
    from ..history import History

__all__ = ["Spender"]

T = TypeVar("T")


class Spender:
    """The part of Session that counts tokens and dollars."""

    config: ChatConfig
    client: ChatClient
    budget: Budget

    if TYPE_CHECKING:

        def store(self, work: Callable[[History], T]) -> Coroutine[Any, Any, T]: ...

        def store_now(self, work: Callable[[History], T]) -> T: ...

    async def check_budget(self, request: ChatRequest, conversation: str) -> None:
        """Does nothing where the request fits the budgets.

        Raises:
            BudgetReached: it does not.
        """
        more = await asyncio.to_thread(expected, request)
        budget = self.budget
        day, conversed, *ever = await self.store(lambda h: spent(h, conversation, budget))
        budget.check(day, conversed, more, *ever)

    def plan(
        self,
        request: ChatRequest,
        conversation: str,
        *,
        guessed: bool = False,
        use_cache: bool = True,
    ) -> Plan:
        """What the request would send and cost."""
        from ..pricing import estimate_usage  # prices load after the first text

        usage = estimate_usage(request.messages, "")
        cache = self.client.cache if use_cache and self.config.cache else None
        prompt = spending(request, usage)
        return Plan(
            request=request,
            tokens=usage.prompt_tokens,
            price=None if prompt.unknown else prompt.dollars,
            cached=bool(cache and cache.get(request)),
            left=self.budget_left(conversation),
            guessed=guessed,
        )

    def spent_today(self) -> Spending:
        """Tokens and US dollars of this day (UTC), over all conversations."""
        return self.store_now(lambda history: spent(history, "", Budget()))[0]

    def budget_left(self, conversation: str) -> Mapping[str, float]:
        """What is left of each budget that is set, for this conversation.

        Args:
            conversation: its id.
        """
        budget = self.budget
        found = self.store_now(lambda history: spent(history, conversation, budget))
        return budget.left(*found)
