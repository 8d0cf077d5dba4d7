"""Purse: what a run has spent, and whether one more row may be asked for it."""

from __future__ import annotations

from functools import lru_cache

from ..budget import Budget, Spending
from ..errors import BudgetReached, InvalidRequest
from ..messages import Usage
from ..pricing import format_cost, price

__all__ = ["Purse", "Rates", "check_max_cost"]


UNTRIED = 4
"""Rows that are asked at a time until one is answered, where money counts: a guess can be far off,
as with a model that thinks."""


class Rates:
    """Prices of one server; equal usages are looked up once.

    Args:
        base_url: of the server.
        model: that is asked; where the one that answered has no price, its price counts.

    Example:
        >>> Rates("demo", "demo").cost("demo", Usage(prompt_tokens=10))
        0.0
    """

    def __init__(self, base_url: str, model: str) -> None:
        self._base_url = base_url
        self._model = model
        self._price = lru_cache(maxsize=4096)(self._looked_up)

    def cost(self, model: str | None, *usages: Usage | None) -> float | None:
        """US dollars of all these; None where the price is unknown."""
        costs = [self._price(model or self._model, usage) for usage in usages if usage]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None

    def _looked_up(self, model: str, usage: Usage) -> float | None:
        found = price(model, usage, self._base_url)
        if found is None and model != self._model:
            found = price(self._model, usage, self._base_url)
        return found


class Purse:
    """Counts what rows cost; those under way are counted as dear as those before them.

    Args:
        max_cost: US dollars that the run may spend; None for any.
        budget: of the settings, by day and by conversation; a run is one.
        day: spent today before this run.
        ever: spent in all before it.
        typical: what a row is thought to take, until some were answered.

    Example:
        >>> purse = Purse(0.02, Budget(), Spending(), Spending(tokens=100, dollars=0.01))
        >>> purse.check(under_way=0)
        >>> purse.paid(0.015, 120)
        >>> purse.check(under_way=0)
        Traceback (most recent call last):
        chat_magics.errors.BudgetReached: $0.0150 are spent, and one more row takes about ...
    """

    def __init__(
        self,
        max_cost: float | None,
        budget: Budget,
        day: Spending,
        typical: Spending,
        ever: Spending | None = None,
    ) -> None:
        self.spent = Spending()
        self._max_cost = max_cost
        self._budget = budget
        self._day = day
        self._ever = ever or Spending()
        self._typical = typical
        self._rows = 0
        self._limited = max_cost is not None or budget.active

    def paid(self, dollars: float | None, tokens: int) -> None:
        """A row has cost so much; None where the price is unknown."""
        self._rows += 1
        unknown = int(dollars is None)
        self.spent += Spending(tokens, dollars or 0.0, unknown)

    def check(self, under_way: int) -> None:
        """Does nothing where one more row may be asked.

        Args:
            under_way: rows that are being asked.

        Raises:
            BudgetReached: it could pass max_cost or a budget.
        """
        if not self._limited:
            return
        if not self._rows and under_way >= UNTRIED:
            raise BudgetReached("nobody knows yet what a row takes")
        one = self._one()
        more = under_way + 1
        if self._max_cost is not None:
            if self.spent.unknown:
                raise BudgetReached("the price of the model that answers is unknown: see max_cost")
            if self.spent.dollars + more * one.dollars > self._max_cost:
                raise BudgetReached(
                    f"{format_cost(self.spent.dollars)} are spent, and one more row takes about "
                    f"{format_cost(one.dollars)}: max_cost is {format_cost(self._max_cost)}",
                    code="max_cost",
                )
        self._within_budget(Spending(one.tokens * more, one.dollars * more, one.unknown))

    def check_together(self, rows: int) -> None:
        """Does nothing where rows that go out together fit the budgets.

        Args:
            rows: how many, those among them that are out already.

        Raises:
            BudgetReached: they could pass one.
        """
        one = self._one()
        self._within_budget(Spending(one.tokens * rows, one.dollars * rows, one.unknown))

    def _within_budget(self, wanted: Spending) -> None:
        self._budget.check(self._day + self.spent, self.spent, wanted, self._ever + self.spent)

    def _one(self) -> Spending:
        if not self._rows:
            return self._typical
        dollars = self.spent.dollars / self._rows
        return Spending(self.spent.tokens // self._rows, dollars, self._typical.unknown)


def check_max_cost(max_cost: float | None) -> None:
    """Does nothing where it can be one.

    Raises:
        InvalidRequest: it is no amount above 0.
    """
    if max_cost is None:
        return
    number = isinstance(max_cost, int | float) and not isinstance(max_cost, bool)
    if not number or not 0 < max_cost < float("inf"):
        raise InvalidRequest(f"max_cost is an amount of US dollars above 0, not {max_cost!r}")
