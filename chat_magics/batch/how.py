"""How: what is asked of rows, and how; Totals: how far a run is; Watching: who shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import Self

from ..conversation import api_options
from ..errors import InvalidRequest
from .engines import Engine, check_engine
from .purse import check_max_cost

if TYPE_CHECKING:
    from .outcome import Outcome
    from .plan import RowsPlan

__all__ = ["How", "Totals", "Watching"]


@dataclass(frozen=True)
class How:
    """What is asked of rows, and how; `ask`, `ask_file` and `retry` hand all they were given on so.

    Args:
        prompt: with `{{column}}` in it.
        into: what the answers are to be, see `Shape.of`.
        model: None for the configured one.
        system: None for the configured one.
        options: options of the API over the configured ones.
        name: of the column of answers, where an answer is one value.
        concurrency: requests under way at a time, 1 to 1,000.
        max_cost: US dollars that the run may spend; None for any.
        refresh: ask even what was answered before; the new answers count from then on.
        retry: ask again what has no whole answer: a reply that did not fit, or that was cut.
        again: keys of prompts to ask again though they were answered.
        engine: where requests are sent from: None for here, see `check_engine`.

    Raises:
        InvalidRequest: one of them makes no sense.

    Example:
        >>> How("Classify: {{text}}", into=bool).name
        'answer'
    """

    prompt: str
    into: Any = None
    model: str | None = None
    system: str | None = None
    options: Mapping[str, Any] | None = None
    name: str = "answer"
    concurrency: int = 16
    max_cost: float | None = None
    refresh: bool = False
    retry: bool = False
    again: frozenset[str] = frozenset()
    engine: Engine = None

    def __post_init__(self) -> None:
        check_max_cost(self.max_cost)
        check_engine(self.engine)
        for name in ("model", "system", "name"):
            given = getattr(self, name)
            if not isinstance(given, str) and (given is not None or name == "name"):
                raise InvalidRequest(f"{name} is a text, not {type(given).__name__}")
        number = isinstance(self.concurrency, int) and not isinstance(self.concurrency, bool)
        if not number or not 1 <= self.concurrency <= 1_000:
            raise InvalidRequest(
                f"concurrency is a number from 1 to 1,000, not {self.concurrency!r}"
            )

    @classmethod
    def of(
        cls,
        prompt: str,
        into: Any = None,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        options: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> Self:
        """The same with two options that have a name of their own.

        Raises:
            InvalidOption: options is no mapping.
            InvalidRequest: an argument is none, or makes no sense.

        Example:
            >>> How.of("Classify: {{text}}", max_tokens=9).options
            {'max_tokens': 9}
        """
        if unknown := set(others) - {each.name for each in fields(cls)}:
            near = get_close_matches(min(unknown), [each.name for each in fields(cls)], n=1)
            hint = f"; near it: {near[0]}" if near else ""
            raise InvalidRequest(f"rows take no argument {min(unknown)}{hint}")
        merged = api_options(options, temperature=temperature, max_tokens=max_tokens)
        return cls(prompt, into, options=merged, **others)


@dataclass
class Totals:
    """How far a run is; changes while it is at work.

    Args:
        to_ask: prompts in all.
        done: prompts that ended.
        there: prompts that ended at the server, and were not fetched yet.
        errors: of those that ended, those without an answer.
        dollars: that were spent, as far as prices are known.
        unpriced: answers without a known price.
        window: requests that may be under way at a time now.
        waits: refusals of the server because of its limits.
    """

    to_ask: int = 0
    done: int = 0
    there: int = 0
    errors: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    window: int = 0
    waits: int = 0

    @property
    def far(self) -> int:
        """Prompts that ended, here or at the server; never more than there are."""
        return min(self.done + self.there, max(self.to_ask, self.done))

    def count(self, outcome: Outcome) -> None:
        """One more prompt has ended.

        Args:
            outcome: what came of it.
        """
        self.done += 1
        self.errors += outcome.status == "error"
        self.dollars += outcome.cost or 0.0
        self.unpriced += outcome.cost is None


class Watching(Protocol):
    """Who shows how far a run is."""

    def begin(self, plan: RowsPlan, totals: Totals) -> None:
        """Something will be asked."""

    def look(self) -> None:
        """The totals may have changed; called several times a second."""

    def end(self) -> None:
        """Nothing changes any more."""
