"""RowsPlan: what a run would ask, and about what it costs; nothing was sent."""

from __future__ import annotations

from dataclasses import dataclass

from ..budget import Spending
from ..errors import BudgetReached
from ..messages import Usage
from ..pricing import estimate_tokens, format_cost
from .purse import Rates
from .question import Question

__all__ = ["RowsPlan", "planned", "tokens_around", "typical_reply"]

_TYPED_REPLY, _TEXT_REPLY = 60, 200
"""Tokens that a reply is thought to have where no limit is set."""

_AROUND = 7
"""Tokens that frame one message and its reply."""


@dataclass(frozen=True)
class RowsPlan:
    """What a run over rows would ask.

    Args:
        base_url: where it would be sent.
        model: that would be asked.
        rows: of the frame.
        missing: rows with a missing value, which are not asked.
        refused: prompts that cannot be sent, such as those that are too long.
        distinct: prompts that can be, equal ones counted once.
        answered: of those, answered before: in an earlier run, or in the cache.
        tokens_in: estimated tokens of the prompts that are left.
        tokens_out: the same of their replies: the limit where one is set, else a guess.
        price: US dollars for both; None where the price is unknown.
        note: how it would be asked, where that is worth a word.

    Example:
        >>> plan = RowsPlan("demo", "demo", 3, 1, 0, 2, 1, 40, 200, 0.0)
        >>> plan.to_ask, plan.typical.tokens
        (1, 240)
        >>> print(str(plan).splitlines()[0])
        3 rows: 2 distinct prompts, 1 answered before, 1 to ask; 1 row has a missing value
    """

    base_url: str
    model: str
    rows: int
    missing: int
    refused: int
    distinct: int
    answered: int
    tokens_in: int
    tokens_out: int
    price: float | None
    note: str = ""

    @property
    def to_ask(self) -> int:
        """Prompts that would be sent."""
        return self.distinct - self.answered

    @property
    def typical(self) -> Spending:
        """What one of them is thought to take."""
        count = max(self.to_ask, 1)
        tokens = (self.tokens_in + self.tokens_out) // count
        return Spending(tokens, (self.price or 0.0) / count, unknown=int(self.price is None))

    def check(self, max_cost: float | None) -> None:
        """Does nothing where the run may start.

        Raises:
            BudgetReached: it is thought to cost more than max_cost, or its price is unknown.
        """
        if max_cost is None or not self.to_ask:
            return
        if self.price is None:
            raise BudgetReached(
                f"the price of {self.model} is unknown, so max_cost cannot be kept: leave it out",
                code="max_cost",
            )
        if self.price > max_cost:
            raise BudgetReached(
                f"{_count(self.to_ask, 'prompt')} would cost about {format_cost(self.price)}, and "
                f"max_cost is {format_cost(max_cost)}: raise it, or ask for fewer rows",
                code="max_cost",
            )

    def __str__(self) -> str:
        counts = [
            f"{_count(self.distinct, 'distinct prompt')}",
            f"{self.answered:,} answered before",
            f"{self.to_ask:,} to ask",
        ]
        line = f"{_count(self.rows, 'row')}: {', '.join(counts)}"
        if self.missing:
            line += f"; {_count(self.missing, 'row')} {_have(self.missing)} a missing value"
        if self.refused:
            line += f"; {_count(self.refused, 'prompt')} cannot be sent"
        tokens = f"about {self.tokens_in:,} tokens to send and {self.tokens_out:,} to receive"
        where = f"{self.model} at {self.base_url}{f', {self.note}' if self.note else ''}"
        return f"{line}\n{tokens}, {format_cost(self.price)}: {where}"


def planned(
    question: Question, rows: int, missing: int, refused: int, distinct: int, left: list[str]
) -> RowsPlan:
    """The plan of a run.

    Args:
        question: what is asked.
        rows: of the frame.
        missing: rows with a missing value.
        refused: prompts that cannot be sent.
        distinct: prompts that can be.
        left: the prompts of those that are not answered yet.
    """
    request = question.request
    around = tokens_around(question)
    tokens_in = sum(map(estimate_tokens, left)) + around * len(left)
    tokens_out = typical_reply(question) * len(left)
    price: float | None = 0.0
    if left:
        one = Usage(prompt_tokens=tokens_in // len(left), completion_tokens=typical_reply(question))
        each = Rates(request.base_url, request.model).cost(None, one)
        price = None if each is None else each * len(left)
    return RowsPlan(
        request.base_url,
        request.model,
        rows,
        missing,
        refused,
        distinct,
        distinct - len(left),
        tokens_in,
        tokens_out,
        price,
    )


def tokens_around(question: Question) -> int:
    """Estimated tokens that each prompt has beside its own text: system prompt, schema, framing."""
    system = sum(estimate_tokens(m.content) for m in question.request.messages[:-1])
    schema = estimate_tokens(question.shape.instruction)
    return system + schema + _AROUND


def typical_reply(question: Question) -> int:
    """Tokens that a reply is thought to have."""
    options = question.request.options
    limit = options.get("max_tokens") or options.get("max_completion_tokens")
    if isinstance(limit, int):
        return limit
    return _TYPED_REPLY if question.shape.options else _TEXT_REPLY


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"
