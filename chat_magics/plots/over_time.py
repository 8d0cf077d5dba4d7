"""Pictures along time: tokens and cost, hits of the cache, retries and errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from chat_magics.plots.canvas import (
    counted,
    drawn,
    hatched,
    known_costs,
    legend,
    needs,
    new_figure,
    note,
    panels,
    title,
)
from chat_magics.plots.colours import BLUE, GREY, VERMILION
from chat_magics.plots.periods import Periods, periods
from chat_magics.plots.plot import Plot
from chat_magics.pricing import format_cost

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

__all__ = [
    "draw_hit_rate",
    "draw_retries_and_errors",
    "draw_tokens_and_cost",
    "hit_rate",
    "over_time",
    "retries_and_errors",
    "tokens_and_cost",
]

_WIDTH = 7.2
_ONE = {"retries": "retry", "errors": "error"}


def tokens_and_cost(by_day: pd.DataFrame) -> Plot:
    """Tokens sent and written, and what they cost, over time.

    Args:
        by_day: what `history.stats(by="day")` gives. From 92 days on, weeks are shown, from two
            years on months. A price that is not known is marked, not drawn as 0.

    Raises:
        ConfigError: matplotlib is not installed.
        InvalidRequest: the frame lacks columns.
    """
    return drawn(new_figure(_WIDTH, 4.2), draw_tokens_and_cost, by_day)


def hit_rate(by_day: pd.DataFrame) -> Plot:
    """How many of 100 replies came from the cache, over time.

    Args:
        by_day: what `history.stats(by="day")` gives.

    Raises:
        ConfigError: matplotlib is not installed.
        InvalidRequest: the frame lacks columns.
    """
    return drawn(new_figure(_WIDTH, 2.8), draw_hit_rate, by_day)


def retries_and_errors(by_day: pd.DataFrame) -> Plot:
    """How often a request was sent again, and how often it failed for good, over time.

    Args:
        by_day: what `history.stats(by="day")` gives.

    Raises:
        ConfigError: matplotlib is not installed.
        InvalidRequest: the frame lacks columns.
    """
    return drawn(new_figure(_WIDTH, 3.6), draw_retries_and_errors, by_day)


def over_time(by_day: pd.DataFrame) -> Plot:
    """Tokens and cost, hits of the cache, retries and errors: one over the other.

    Args:
        by_day: what `history.stats(by="day")` gives.

    Raises:
        ConfigError: matplotlib is not installed.
        InvalidRequest: the frame lacks columns.
    """

    def draw(figure: FigureBase, days: pd.DataFrame) -> str:
        parts = figure.subfigures(3, 1, squeeze=False, height_ratios=(4.2, 2.6, 3.6))
        first, second, third = parts.flat
        words = (
            draw_tokens_and_cost(first, days),
            draw_hit_rate(second, days),
            draw_retries_and_errors(third, days),
        )
        return "\n".join(words)

    return drawn(new_figure(_WIDTH, 9.6), draw, by_day)


def draw_tokens_and_cost(figure: FigureBase, frame: pd.DataFrame) -> str:
    """Draws `tokens_and_cost` into a part of a figure."""
    over = periods(frame, ["prompt_tokens", "completion_tokens", "cost", "unpriced", "exchanges"])
    tokens, cost = panels(figure, 2)
    sent, written = over.values("prompt_tokens", 0), over.values("completion_tokens", 0)
    tokens.bar(over.places, sent, over.width, color=BLUE, label="prompt")
    hatched(tokens.bar(over.places, written, over.width, sent, label="completion"), VERMILION)
    counted(tokens, "y", f"tokens per {over.unit}", whole=True)
    legend(tokens)
    price = _draw_cost(cost, over)
    over.date(cost)
    figure.align_ylabels([tokens, cost])
    heading = f"Tokens and cost by {over.unit}"
    title(figure, heading)
    most = over.most([first + second for first, second in zip(sent, written, strict=True)])
    counts = f"{sum(sent):,.0f} prompt and {sum(written):,.0f} completion tokens"
    return f"{heading}, {over.span}: {counts}{most}; {price}."


def _draw_cost(axes: Axes, over: Periods) -> str:
    unpriced, exchanges = over.values("unpriced", 0), over.values("exchanges", 0)
    cost = known_costs(over.values("cost"), unpriced, exchanges)
    known = [0.0 if math.isnan(each) else each for each in cost]
    axes.bar(over.places, known, over.width, color=BLUE)
    counted(axes, "y", f"US dollars per {over.unit}", whole=False)
    marked = [place for place, each in zip(over.places, cost, strict=True) if math.isnan(each)]
    foot = axes.get_xaxis_transform()
    axes.plot(marked, [0.06] * len(marked), "x", color=GREY, markersize=6, transform=foot)
    total = f"cost {format_cost(sum(known))}"
    if not marked and not sum(unpriced):
        if not any(known):
            note(axes, total)
            axes.set_yticks([])  # no scale where there is nothing to read off
        return total
    words = f"price unknown for {sum(unpriced):,.0f} of {sum(exchanges):,.0f} exchanges"
    note(axes, f"× {words}" if marked else words)
    if len(marked) == len(cost):
        axes.set_yticks([])
        return words
    return f"{total}, {words}"


def draw_hit_rate(figure: FigureBase, frame: pd.DataFrame) -> str:
    """Draws `hit_rate` into a part of a figure."""
    needs(frame, ["exchanges", "hits", "hit_rate"], by="day")
    ended = frame["exchanges"].where(frame["hit_rate"].notna())
    over = periods(frame.assign(ended=ended), ["ended", "hits"])
    (axes,) = panels(figure, 1)
    hits, of = over.values("hits", 0), over.values("ended", 0)
    rates = [100 * hit / all_ if all_ else math.nan for hit, all_ in zip(hits, of, strict=True)]
    axes.plot(over.places, rates, "o-", color=BLUE, markersize=4.5, linewidth=1.2, clip_on=False)
    counted(axes, "y", "% of exchanges", whole=True)
    axes.set_ylim(0, 100)
    over.date(axes)
    heading = f"Replies from the cache by {over.unit}"
    title(figure, heading)
    if not any(of):
        note(axes, "no exchange has ended yet")
        return f"{heading}, {over.span}: no exchange has ended yet."
    highest = max(rate for rate in rates if not math.isnan(rate))
    most = f"{over.most(rates)} ({highest:.0f} %)" if highest else ""
    return f"{heading}, {over.span}: {sum(hits):,.0f} of {sum(of):,.0f} exchanges{most}."


def draw_retries_and_errors(figure: FigureBase, frame: pd.DataFrame) -> str:
    """Draws `retries_and_errors` into a part of a figure."""
    over = periods(frame, ["retries", "errors"])
    told = []
    both = panels(figure, 2)
    for axes, column, colour in zip(both, ("retries", "errors"), (BLUE, VERMILION), strict=True):
        counts = over.values(column, 0)
        axes.bar(over.places, counts, over.width, color=colour)
        counted(axes, "y", f"{column} per {over.unit}", whole=True)
        total = int(sum(counts))
        if not total:
            note(axes, f"no {column}")
        named = _ONE[column] if total == 1 else column
        told.append(f"{total:,} {named}{over.most(counts)}" if total else f"no {column}")
    over.date(both[-1])
    figure.align_ylabels(both)
    heading = f"Retries and errors by {over.unit}"
    title(figure, heading)
    return f"{heading}, {over.span}: {'; '.join(told)}."
