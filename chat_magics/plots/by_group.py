"""Pictures with a row for each model, or each of another group: counts, tokens, cost, times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from chat_magics.plots.canvas import (
    SMALL,
    counted,
    drawn,
    given,
    hatched,
    known_costs,
    legend,
    new_figure,
    note,
    panels,
    spread,
    title,
)
from chat_magics.plots.colours import BLUE, GREY, VERMILION
from chat_magics.plots.groups import Groups, groups
from chat_magics.plots.plot import Plot
from chat_magics.pricing import format_cost

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

__all__ = ["by_group", "draw_latency", "latency"]

_TIMES = ("latency_median", "latency_p95", "first_token_median", "first_token_p95")
_AMOUNTS = ("prompt_tokens", "completion_tokens", "cost", "unpriced")
_WIDE = 40
"""How many times the shortest time the longest is; from there on the axis is logarithmic."""
_KEY = "dot: median, bar: to 95 %"
_COUNTED = ("error", "status")
"""Groups of which a reader wants to know first how many there are."""


def latency(stats: pd.DataFrame, *, titles: Mapping[str, str] | None = None) -> Plot:
    """How long replies and their first tokens took, by model: median and 95th percentile.

    Args:
        stats: what `history.stats(by="model")` gives, or statistics by another group. The ten
            groups of most exchanges are drawn.
        titles: of conversations by their ids, for statistics by conversation.

    Raises:
        ConfigError: matplotlib is not installed.
        InvalidRequest: the frame lacks columns.
    """
    return drawn(new_figure(7.2, _height(stats)), partial(draw_latency, titles=titles), stats)


def by_group(stats: pd.DataFrame, *, titles: Mapping[str, str] | None = None) -> Plot:
    """Tokens, cost and times side by side, a row for each model or another group.

    By error or status, the number of exchanges comes first. What is 0 in all rows is left out.

    Args:
        stats: what `history.stats(by="model")` gives, or statistics by another group. The ten
            groups of most exchanges are drawn.
        titles: of conversations by their ids, for statistics by conversation.

    Raises:
        ConfigError: matplotlib is not installed.
        InvalidRequest: the frame lacks columns.
    """
    return drawn(new_figure(9.6, _height(stats)), partial(_draw_by_group, titles=titles), stats)


def _height(stats: pd.DataFrame) -> float:
    return 1.6 + 0.36 * min(max(len(given(stats)), 3), 10)


def draw_latency(
    figure: FigureBase, frame: pd.DataFrame, titles: Mapping[str, str] | None = None
) -> str:
    """Draws `latency` into a part of a figure."""
    rows = groups(frame, _TIMES, titles)
    (axes,) = panels(figure, 1)
    rows.label(axes)
    words = _draw_times(axes, rows)
    heading = f"Time to the reply {rows.heading}"
    title(figure, heading)
    return f"{heading}: {'; '.join(map(' '.join, zip(rows.names, words, strict=True)))}."


def _draw_times(axes: Axes, rows: Groups) -> list[str]:
    for name, column, colour, marker, offset in (
        ("whole reply", "latency", BLUE, "o", -0.16),
        ("first token", "first_token", VERMILION, "D", 0.16),
    ):
        places = [place + offset for place in range(len(rows.names))]
        median, slow = rows.values(f"{column}_median"), rows.values(f"{column}_p95")
        axes.hlines(places, median, slow, color=colour, linewidth=1.6)
        axes.plot(slow, places, "|", color=colour, markersize=8, markeredgewidth=1.8)
        axes.plot(median, places, marker, color=colour, markersize=5.5, label=name)
    known = [time for column in _TIMES for time in rows.values(column) if not math.isnan(time)]
    wide = bool(known) and min(known) > 0 and max(known) / min(known) > _WIDE
    if wide:
        spread(axes, (min(known) / 1.3, max(known) * 1.3), f"seconds, logarithmic\n{_KEY}")
    else:
        counted(axes, "x", f"seconds\n{_KEY}", whole=False)
    _mark(axes, rows, map(math.isnan, rows.values("latency_median")), "no time")
    legend(axes)
    medians = rows.values("latency_median"), rows.values("first_token_median")
    return list(map(_time_in_words, *medians))


def _time_in_words(whole: float, first: float) -> str:
    if math.isnan(whole):
        return "no time measured"
    begun = "" if math.isnan(first) else f", first token {first:.2g} s"
    return f"median {whole:.2g} s{begun}"


def _draw_by_group(
    figure: FigureBase, frame: pd.DataFrame, titles: Mapping[str, str] | None
) -> str:
    rows = groups(frame, (*_TIMES, *_AMOUNTS), titles)
    parts = _parts(rows)
    sides = panels(figure, 1, len(parts))
    told = [part.draw(axes, rows) for part, axes in zip(parts, sides, strict=True)]
    rows.label(sides[0])
    for axes in sides[1:]:
        axes.tick_params(axis="y", length=0)
    *most, last = [part.name for part in parts]
    names = f"{', '.join(most)} and {last}" if most else last
    heading = f"{names.capitalize()} {rows.heading}"
    title(figure, heading)
    lines = (", ".join(words) for words in zip(*told, strict=True))
    return f"{heading}: {'; '.join(map(' '.join, zip(rows.names, lines, strict=True)))}."


class _Part(NamedTuple):
    """One of the panels: what it is called, and what draws it and tells each row in words."""

    name: str
    draw: Callable[[Axes, Groups], list[str]]


def _parts(rows: Groups) -> list[_Part]:
    """The panels in which there is something to see, at least one."""
    amounts = {
        "tokens": any(map(any, (rows.values(name, 0) for name in _AMOUNTS[:2]))),
        "cost": any(map(any, (rows.values(name, 0) for name in _AMOUNTS[2:]))),
        "time": not all(map(math.isnan, rows.values("latency_median"))),
    }
    draw = {"tokens": _draw_tokens, "cost": _draw_cost, "time": _draw_times}
    parts = [_Part(name, draw[name]) for name, some in amounts.items() if some]
    if rows.by in _COUNTED or not parts:
        parts.insert(0, _Part("exchanges", _draw_exchanges))
    return parts


def _draw_exchanges(axes: Axes, rows: Groups) -> list[str]:
    counts = rows.values("exchanges", 0)
    axes.barh(range(len(counts)), counts, 0.6, color=BLUE)
    counted(axes, "x", "exchanges", whole=True)
    return [f"{count:,.0f} {'exchange' if count == 1 else 'exchanges'}" for count in counts]


def _draw_tokens(axes: Axes, rows: Groups) -> list[str]:
    places = range(len(rows.names))
    sent, written = rows.values("prompt_tokens", 0), rows.values("completion_tokens", 0)
    axes.barh(places, sent, 0.6, color=BLUE, label="prompt")
    hatched(axes.barh(places, written, 0.6, sent, label="completion"), VERMILION)
    counted(axes, "x", "tokens", whole=True)
    legend(axes)
    return [f"{p:,.0f} + {c:,.0f} tokens" for p, c in zip(sent, written, strict=True)]


def _draw_cost(axes: Axes, rows: Groups) -> list[str]:
    unpriced, exchanges = rows.values("unpriced", 0), rows.values("exchanges", 0)
    cost = known_costs(rows.values("cost"), unpriced, exchanges)
    known = [0.0 if math.isnan(each) else each for each in cost]
    axes.barh(range(len(known)), known, 0.6, color=BLUE)
    counted(axes, "x", "US dollars", whole=False)
    _mark(axes, rows, map(math.isnan, cost), "price unknown")
    some = sum(count for count, each in zip(unpriced, cost, strict=True) if not math.isnan(each))
    if some:
        note(axes, f"not counted: {some:,.0f} of unknown price")
    return ["price unknown" if math.isnan(each) else format_cost(each) for each in cost]


def _mark(axes: Axes, rows: Groups, missing: Iterable[bool], words: str) -> None:
    """Says in each row in which something is missing that it is."""
    for place, is_so in zip(range(len(rows.names)), missing, strict=True):
        if is_so:
            side = axes.get_yaxis_transform()
            here = axes.text(0.02, place, words, transform=side, va="center")
            here.set(color=GREY, fontsize=SMALL)
