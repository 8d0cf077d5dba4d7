"""Budget: what may be spent, in tokens and dollars; a value that is told what was."""

from __future__ import annotations

from dataclasses import dataclass

from chat_magics.errors import BudgetReached
from chat_magics.pricing import format_cost

__all__ = ["Budget", "Spending"]


@dataclass(frozen=True)
class Spending:
    """What was spent, or is about to be.

    Args:
        tokens: sent and received.
        dollars: US dollars, as far as prices are known.
        unknown: requests whose price is not known; their dollars are not in `dollars`.

    Example:
        >>> Spending(tokens=100, dollars=0.5) + Spending(tokens=20, unknown=1)
        Spending(tokens=120, dollars=0.5, unknown=1)
    """

    tokens: int = 0
    dollars: float = 0.0
    unknown: int = 0

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.tokens + other.tokens, self.dollars + other.dollars, self.unknown + other.unknown
        )


_NOTHING = Spending()


@dataclass(frozen=True)
class Budget:
    """What may be spent by day, by conversation and in all; None means no limit.

    Args:
        tokens_per_day: tokens sent and received.
        dollars_per_day: US dollars.
        tokens_per_conversation: tokens sent and received.
        dollars_per_conversation: US dollars.
        tokens_in_all: tokens ever sent and received.
        dollars_in_all: US dollars.
        by_policy: which of these the person cannot raise; those in all never can be.

    Example:
        >>> budget = Budget(tokens_per_day=1000)
        >>> budget.check(Spending(tokens=900), Spending(), Spending(tokens=100))
        >>> budget.left(Spending(tokens=900), Spending())
        {'tokens_per_day': 100}
    """

    tokens_per_day: int | None = None
    dollars_per_day: float | None = None
    tokens_per_conversation: int | None = None
    dollars_per_conversation: float | None = None
    tokens_in_all: int | None = None
    dollars_in_all: float | None = None
    by_policy: frozenset[str] = frozenset()

    @property
    def active(self) -> bool:
        """True where any limit is set."""
        return bool(self._limits(_NOTHING, _NOTHING, _NOTHING))

    @property
    def in_all(self) -> bool:
        """True where it asks what was ever spent."""
        return self.tokens_in_all is not None or self.dollars_in_all is not None

    def check(
        self, day: Spending, conversation: Spending, estimate: Spending, ever: Spending = _NOTHING
    ) -> None:
        """Do nothing where the request may be sent.

        Args:
            day: spent today.
            conversation: spent in this conversation.
            estimate: what the request is about to take, `unknown=1` without a price.
            ever: spent in all.

        Raises:
            BudgetReached: it would pass a budget, or a budget in dollars is set and the price is
                unknown. `code` is the setting.
        """
        for setting, limit, spent in self._limits(day, conversation, ever):
            dollars = setting.startswith("dollars")
            if dollars and estimate.unknown:
                raise BudgetReached(
                    f"The price of this model is unknown, so {setting} cannot be kept: "
                    + (
                        "choose another model"
                        if self._is_fixed(setting)
                        else f"set {setting.replace('dollars', 'tokens')} instead"
                    ),
                    code=setting,
                )
            more = estimate.dollars if dollars else estimate.tokens
            if (limit and spent >= limit) or spent + more > limit:  # 0 lets pass what is free
                fixed = self._is_fixed(setting)
                raise BudgetReached(_refusal(setting, limit, spent, more, fixed), code=setting)

    def left(
        self, day: Spending, conversation: Spending, ever: Spending = _NOTHING
    ) -> dict[str, float]:
        """What is left of each budget that is set, by the name of its setting."""
        return {
            setting: max(0, limit - spent)
            for setting, limit, spent in self._limits(day, conversation, ever)
        }

    def _is_fixed(self, setting: str) -> bool:
        return setting in self.by_policy or setting.endswith("in_all")

    def _limits(
        self, day: Spending, conversation: Spending, ever: Spending
    ) -> list[tuple[str, float, float]]:
        rows = [
            ("tokens_per_day", self.tokens_per_day, day.tokens),
            ("dollars_per_day", self.dollars_per_day, day.dollars),
            ("tokens_per_conversation", self.tokens_per_conversation, conversation.tokens),
            ("dollars_per_conversation", self.dollars_per_conversation, conversation.dollars),
            ("tokens_in_all", self.tokens_in_all, ever.tokens),
            ("dollars_in_all", self.dollars_in_all, ever.dollars),
        ]
        return [(setting, limit, spent) for setting, limit, spent in rows if limit is not None]


_WHEN = {"per_day": "today", "per_conversation": "in this conversation", "in_all": "in all"}
_THEN = {
    "per_day": "wait for tomorrow",
    "per_conversation": "start a new conversation",
    "in_all": "ask who runs this server for more",
}


def _refusal(setting: str, limit: float, spent: float, more: float, fixed: bool) -> str:
    kind, _, span = setting.partition("_")
    spent_, limit_, more_ = (
        format_cost(amount) if kind == "dollars" else f"{amount:,} tokens"
        for amount in (spent, limit, more)
    )
    remedy = _THEN[span] if fixed else f"raise {setting}, or {_THEN[span]}"
    return (
        f"{spent_} of {limit_} {_WHEN[span]} are spent, and "
        f"this prompt takes about {more_}: {remedy}"
    )
