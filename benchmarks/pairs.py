"""How one figure is made: floor and ours in turns, and the median of the ratios of the pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

__all__ = ["GROWTH_RATE", "LONG", "SHORT", "Row", "in_turns", "per_further_token", "row"]

SHORT, LONG = 1_000, 16_000
"""Tokens of the two replies whose cost per token is compared."""

GROWTH_RATE = 2_000
"""Tokens per second of those: slow enough for many refreshes and many writes into history."""

_BASE_TIMES = 5


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: the figure, in words.
        floor: what it is measured against, with its unit; a dash where there is none.
        ours: the same of chat_magics.
        value: what must not pass the limit: as a rule the ratio of both.
        at_most: the limit.
        ok: False where it is passed.
        unit: of value and limit; empty for a ratio.
    """

    what: str
    floor: str
    ours: str
    value: float
    at_most: float
    ok: bool
    unit: str = ""


def in_turns(
    floor: Callable[[], float], ours: Callable[[], float], pairs: int, warm: int = 1
) -> list[tuple[float, float]]:
    """So many pairs of both, A B A B …, after `warm` pairs that do not count."""
    return [(floor(), ours()) for _ in range(warm + pairs)][warm:]


def per_further_token(cost: Callable[[int], float], tokens: int, *, times: int) -> float:
    """What each token of a reply costs beyond the first: what an ask costs anyway taken off.

    Args:
        cost: what a reply of so many tokens costs.
        tokens: of the reply.
        times: replies that the mean is taken of.
    """
    base = median(cost(1) for _ in range(_BASE_TIMES))
    whole = sum(cost(tokens) for _ in range(times)) / times
    return (whole - base) / (tokens - 1)


def row(
    what: str,
    measured: list[tuple[float, float]],
    *,
    at_most: float,
    unit: str,
    factor: float = 1.0,
) -> Row:
    """The line of a figure from its pairs.

    Args:
        what: the figure, in words.
        measured: floor and ours, in pairs.
        at_most: the largest ratio that is good.
        unit: that the measured values are shown in.
        factor: from the measured values to that unit.
    """
    floor = median(pair[0] for pair in measured) * factor
    ours = median(pair[1] for pair in measured) * factor
    ratio = median(ours / floor for floor, ours in measured)
    return Row(
        what, f"{floor:,.4g} {unit}", f"{ours:,.4g} {unit}", ratio, at_most, ok=ratio <= at_most
    )
