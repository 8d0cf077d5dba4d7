"""Limits of our own settings: RateLimiter (requests a minute), Budget (tokens, dollars).

Both are asked before a request is sent. The rate limiter counts over all kernels of the machine
in one file, or over several machines in Redis; the budget is a value that knows what may be spent
and is told what was.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chat_magics.errors import BudgetReached, ConfigError
from chat_magics.pricing import format_cost
from chat_magics.private_files import PerProcess
from chat_magics.redis_link import RedisAway, link_to

if TYPE_CHECKING:
    from limits.strategies import SlidingWindowCounterRateLimiter

    from chat_magics.limits_redis import CountsInRedis

__all__ = ["Budget", "RateLimiter", "Spending"]


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


class RateLimiter:
    """Admits a number of requests a minute, counted over all kernels of one machine or several.

    The minute slides: of the one before, the part counts that the last 60 s still touch. Redis
    knows each of the last 60 s, by its own clock, whatever those of the machines say. While it is
    away this machine counts alone, with the same limit, and goes on from what it let out before;
    where its file cannot be used either, this process does.

    Args:
        store: the SQLite file of the counts, made private to its owner.
        per_minute: requests a minute; None for no limit.
        redis: address of the Redis that counts for all machines; None for this one alone.
        on_fault: told where the file cannot be used: one line, and the exception.
        rest: seconds until a file that failed is tried again (default 30).

    Raises:
        ConfigError: `per_minute` is less than 1, or `store` is a URL.

    Example:
        >>> import tempfile
        >>> limiter = RateLimiter(Path(tempfile.mkdtemp()) / "limits.db", per_minute=1)
        >>> limiter.acquire("me")
        0.0
        >>> limiter.acquire("me") > 50
        True
    """

    def __init__(
        self,
        store: str | Path,
        *,
        per_minute: int | None,
        redis: str | None = None,
        on_fault: Callable[[str, BaseException], None] | None = None,
        rest: float = 30.0,
    ) -> None:
        if per_minute is not None and per_minute < 1:
            raise ConfigError(
                f"requests_per_minute is {per_minute}: give 1 or more, or None for no limit"
            )
        if "://" in str(store):
            raise ConfigError("The rate limiter counts in a file: give a path, and redis=URL")
        self.per_minute = per_minute
        self._on_fault = on_fault
        self._rest = rest
        self._rests_until = 0.0
        self._everywhere = _InRedis(redis) if redis else None
        self._shared = PerProcess(partial(_strategy, Path(store).expanduser()))
        self._alone = PerProcess(partial(_strategy, Path(":memory:")))

    @property
    def over_machines(self) -> bool:
        """True where Redis is to count."""
        return self._everywhere is not None

    @property
    def trouble(self) -> str | None:
        """One line about who does not count together now; None where all do who should."""
        if time.monotonic() < self._rests_until:
            return "the limits are counted by this process alone"
        away = self._everywhere.trouble if self._everywhere else None
        return away and f"the limits are counted by this machine alone: {away}"

    def acquire(self, identity: str, per_minute: int | None = None, amount: int = 1) -> float:
        """Admit and count one request, or say how long to wait.

        Args:
            identity: whose requests are counted together.
            per_minute: the limit for this identity; the common one by default.
            amount: what it counts for; more than the limit counts as the limit.

        Returns:
            0.0 where the request is admitted, else seconds until the next try makes sense.
        """
        limit = per_minute or self.per_minute
        if limit is None:
            return 0.0
        amount = min(amount, limit)
        if self._everywhere is None:
            return self._on_this_machine(limit, identity, amount)
        try:
            wait = self._everywhere.ask(limit, identity, amount)
        except RedisAway:
            return self._on_this_machine(limit, identity, amount)
        if not wait:
            self._on_this_machine(limit, identity, amount)  # for when Redis is away
        return wait

    def _on_this_machine(self, limit: int, identity: str, amount: int) -> float:
        if time.monotonic() >= self._rests_until:
            try:
                with self._shared.use() as strategy:
                    return _ask(strategy, limit, identity, amount)
            except (sqlite3.Error, OSError) as error:
                self._rests_until = time.monotonic() + self._rest
                if self._on_fault is not None:
                    self._on_fault(
                        f"the rate limit is counted by this kernel alone for now: {error}", error
                    )
        with self._alone.use() as strategy:
            return _ask(strategy, limit, identity, amount)


class _InRedis:
    """Counts in Redis, by the link of this process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: tuple[Any, CountsInRedis] | None = None

    @property
    def trouble(self) -> str | None:
        return link_to(self._url).trouble

    def ask(self, limit: int, identity: str, amount: int) -> float:
        link = link_to(self._url)
        counts = self._of(link.client())  # its imports are not to count as Redis' time
        return link.call(lambda _: counts.ask(limit, identity, amount))

    def _of(self, client: Any) -> CountsInRedis:
        if self._made is None or self._made[0] is not client:
            from chat_magics.limits_redis import CountsInRedis

            self._made = (client, CountsInRedis(client))
        return self._made[1]


def _strategy(path: Path) -> SlidingWindowCounterRateLimiter:
    # limits costs 120 ms of import, and only who sets a limit needs it.
    from limits.strategies import SlidingWindowCounterRateLimiter

    from chat_magics.limits_sqlite import SQLiteStorage

    return SlidingWindowCounterRateLimiter(SQLiteStorage(path=path))


def _ask(
    strategy: SlidingWindowCounterRateLimiter, per_minute: int, identity: str, amount: int
) -> float:
    from limits import RateLimitItemPerMinute

    item = RateLimitItemPerMinute(per_minute)
    if strategy.hit(item, identity, cost=amount):
        return 0.0
    expiry = item.get_expiry()
    storage: Any = strategy.storage
    window = storage.get_sliding_window(item.key_for(identity), expiry)
    return max(0.01, _seconds_until_free(window, per_minute - amount + 1, expiry))


def _seconds_until_free(window: tuple[int, float, int, float], limit: int, expiry: float) -> float:
    """Seconds until previous * (its part still within the window) + current is under the limit."""
    previous, previous_left, current, current_left = window
    if current >= limit:
        return current_left - expiry + 0.01  # then it becomes the previous one, and fades
    return previous_left - (limit - current) * expiry / previous + 0.01 if previous else 0.0
