"""How rows are asked, how far a run is, and who watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..errors import InvalidRequest
from .engines import Engine, check_engine
from .plan import RowsPlan
from .purse import check_max_cost

__all__ = ["How", "Totals", "Watching"]


@dataclass(frozen=True)
class How:
    """How rows are asked.

    Args:
        concurrency: requests under way at a time, 1 to 1,000.
        max_cost: US dollars that the run may spend; None for any.
        refresh: ask even what was answered before; the new answers count from then on.
        again: keys of prompts to ask again though they were answered.
        engine: where requests are sent from: None for here, see `check_engine`.

    Raises:
        InvalidRequest: one of them makes no sense.
    """

    concurrency: int = 16
    max_cost: float | None = None
    refresh: bool = False
    again: frozenset[str] = frozenset()
    engine: Engine = None

    def __post_init__(self) -> None:
        check_max_cost(self.max_cost)
        check_engine(self.engine)
        number = isinstance(self.concurrency, int) and not isinstance(self.concurrency, bool)
        if not number or not 1 <= self.concurrency <= 1_000:
            raise InvalidRequest(
                f"concurrency is a number from 1 to 1,000, not {self.concurrency!r}"
            )


@dataclass
class Totals:
    """How far a run is; changes while it is at work.

    Args:
        to_ask: prompts in all.
        done: prompts that ended.
        errors: of these, those without an answer.
        dollars: that were spent, as far as prices are known.
        unpriced: answers without a known price.
        window: requests that may be under way at a time now.
        waits: refusals of the server because of its limits.
    """

    to_ask: int = 0
    done: int = 0
    errors: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    window: int = 0
    waits: int = 0


class Watching(Protocol):
    """Who shows how far a run is."""

    def begin(self, plan: RowsPlan, totals: Totals) -> None:
        """Something will be asked."""

    def look(self) -> None:
        """The totals may have changed; called several times a second."""

    def end(self) -> None:
        """Nothing changes any more."""
