"""What a request would take, and what was spent: the figures that budgets are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from ..budget import Budget, Spending
from ..config import ChatConfig, Sourced
from ..history import History
from ..messages import ChatRequest, Usage

__all__ = ["Plan", "budget_of", "expected", "spending", "spent"]


@dataclass(frozen=True)
class Plan:
    """What a prompt would send, and cost; nothing was sent.

    Args:
        request: the model and exactly the messages.
        tokens: estimated tokens of the prompt.
        price: US dollars for those; None where unknown.
        cached: True where the cache has the answer.
        left: what is left of each budget that is set.
        guessed: True where the model is a guess, because the server was not asked for its models.
    """

    request: ChatRequest
    tokens: int
    price: float | None
    cached: bool
    left: Mapping[str, float]
    guessed: bool = False


def expected(request: ChatRequest) -> Spending:
    """What a request is about to take: the prompt, and the longest reply where one is set."""
    from ..pricing import estimate_usage  # prices load after the first text

    limit = request.options.get("max_tokens")
    reply = Usage(completion_tokens=limit) if isinstance(limit, int) else Usage()
    return spending(request, estimate_usage(request.messages, "") + reply)


def spending(request: ChatRequest, usage: Usage) -> Spending:
    """Tokens and US dollars of a usage at the request's model and server."""
    from ..pricing import price

    dollars = price(request.model, usage, request.base_url)
    return Spending(usage.total_tokens, dollars or 0.0, unknown=int(dollars is None))


def budget_of(config: ChatConfig, sources: Sourced) -> Budget:
    """The budgets of the settings, and of the policy where one holds."""
    rules = config.policy.rules if config.policy else None
    tokens = rules.number("tokens_in_all") if rules else None
    return Budget(
        config.tokens_per_day,
        config.dollars_per_day,
        config.tokens_per_conversation,
        config.dollars_per_conversation,
        None if tokens is None else int(tokens),
        rules.number("dollars_in_all") if rules else None,
        frozenset(name for name, source in sources.items() if source == "policy"),
    )


def spent(history: History, conversation: str, budget: Budget) -> tuple[Spending, ...]:
    """What was spent today (UTC), in a conversation, and, where the budget asks, in all."""
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    ever = datetime(1970, 1, 1, tzinfo=timezone.utc)
    found = [history.spent(today), history.spent(ever, conversation)]
    if budget.in_all:
        found.append(history.spent(ever))
    return tuple(Spending(*each) for each in found)
