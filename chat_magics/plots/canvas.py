"""What all pictures share: a figure, axes in our colours, numbers on them, words above them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from chat_magics.errors import ConfigError, InvalidRequest
from chat_magics.plots.colours import GREY
from chat_magics.plots.plot import Plot

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure, FigureBase

__all__ = [
    "SMALL",
    "Drawing",
    "counted",
    "drawn",
    "fonts",
    "given",
    "hatched",
    "known_costs",
    "legend",
    "needs",
    "new_figure",
    "note",
    "numbers",
    "panels",
    "short_number",
    "spread",
    "title",
]

SMALL = 9.5
"""Points; the least size of text."""

_LARGE = 11.5
_EASTERN = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
"""Fonts with Chinese, Japanese or Korean letters that systems come with."""

_NOTHING = "Nothing yet: no exchange to show."

Drawing = Callable[["FigureBase", "pd.DataFrame"], str]
"""Draws a frame that is not empty into a figure or a part of one, and says it in words."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure with a transparent background.

    Args:
        width: in inches of 100 pixels on the page.
        height: likewise.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise ConfigError("Plots need matplotlib: pip install 'chat-magics[plots]'") from problem
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="none")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)  # type: ignore[union-attr, call-arg]  # it is the constrained one
    return figure


def given(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame that was given.

    Raises:
        InvalidRequest: it is none.
    """
    if not hasattr(frame, "columns"):
        raise InvalidRequest(
            f"A plot is made of a frame, as history.stats(by=…) gives it, not of "
            f"{type(frame).__name__}."
        )
    return frame


def needs(frame: pd.DataFrame, columns: Iterable[str], by: str = "model") -> None:
    """Refuses a frame that lacks columns.

    Args:
        frame: of statistics.
        columns: those needed.
        by: what the statistics should be grouped by.

    Raises:
        InvalidRequest: names what is missing.
    """
    missing = [name for name in columns if name not in given(frame)]
    if missing:
        wanted = f"give history.stats(by={by!r})"
        raise InvalidRequest(f"This plot needs the columns {', '.join(missing)}: {wanted}.")


def drawn(figure: Figure, drawing: Drawing, frame: pd.DataFrame) -> Plot:
    """The plot of a frame; of an empty one, the words that there is nothing yet."""
    if given(frame).empty:
        figure.set_size_inches(figure.get_figwidth(), 1.0)
        figure.text(0.5, 0.5, _NOTHING, ha="center", va="center", color=GREY, fontsize=_LARGE)
        return Plot(figure, _NOTHING)
    return Plot(figure, drawing(figure, frame))


def title(figure: FigureBase, words: str) -> None:
    """A heading over a figure or a part of one, at its left."""
    figure.suptitle(words, x=0.01, ha="left", color=GREY, fontsize=_LARGE, fontweight="bold")


def note(axes: Axes, words: str) -> None:
    """A quiet line over axes, at their left."""
    axes.set_title(words, loc="left", color=GREY, fontsize=SMALL, pad=6, parse_math=False)


def panels(figure: FigureBase, rows: int, columns: int = 1) -> list[Axes]:
    """Axes in our colours: one over the other with a common x, or side by side with a common y.

    Args:
        figure: to draw into.
        rows: how many, one over the other.
        columns: how many, side by side; one of the two is 1.
    """
    grid = figure.subplots(rows, columns, squeeze=False, sharex=columns == 1, sharey=rows == 1)
    made: list[Axes] = list(grid.flat)
    for axes in made[:-1] if columns == 1 else ():
        axes.tick_params(axis="x", length=0)
    for axes in made:
        axes.set_facecolor("none")
        axes.set_axisbelow(True)
        axes.grid(visible=False)
        axes.spines[["top", "right"]].set_visible(False)
        for spine in axes.spines.values():
            spine.set_color(GREY)
        axes.tick_params(which="both", color=GREY, labelcolor=GREY, labelsize=SMALL)
        for axis in (axes.xaxis, axes.yaxis):
            axis.label.set(color=GREY, fontsize=SMALL)
            axis.get_offset_text().set(color=GREY, fontsize=SMALL)
    return made


def counted(axes: Axes, which: str, label: str, *, whole: bool) -> None:
    """Makes an axis one of amounts: from 0, with round numbers, a unit and faint lines.

    Args:
        axes: that it belongs to, with all in it drawn.
        which: `x` or `y`.
        label: what is counted, with its unit.
        whole: True where there are no parts of one.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    _low, high = axis.get_data_interval()
    top = high * 1.06 if high > 0 else 1
    axes.set(**{f"{which}lim": (0, top), f"{which}label": label})
    steps = [1, 2, 2.5, 5, 10]
    axis.set_major_locator(MaxNLocator(5 if which == "x" else 4, integer=whole, steps=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axes.grid(
        visible=True, axis="x" if which == "x" else "y", color=GREY, alpha=0.25, linewidth=0.7
    )


def spread(axes: Axes, limits: tuple[float, float], label: str) -> None:
    """Makes the x axis logarithmic, with plain numbers on it.

    Args:
        axes: that it belongs to.
        limits: the least and the greatest value, both above 0.
        label: what is shown, with its unit.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set(xscale="log", xlim=limits, xlabel=label)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=10))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axes.xaxis.grid(visible=True, color=GREY, alpha=0.25, linewidth=0.7)


def hatched(bars: BarContainer, colour: str) -> None:
    """Shades bars instead of filling them, so that they differ from filled ones in grey too."""
    for bar in bars:
        bar.set(facecolor="none", edgecolor=colour, hatch="//////", linewidth=0.8)


def legend(axes: Axes, columns: int = 2) -> None:
    """Names what was drawn with a label, over the axes at their right."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=columns,
        frameon=False,
        labelcolor=GREY,
        fontsize=SMALL,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.2,
    )


def fonts() -> list[str]:
    """Font families for what people write: the usual one, and those of eastern Asia that are here.

    One that is missing would be warned of at each text.
    """
    from matplotlib.font_manager import fontManager

    here = {font.name for font in fontManager.ttflist}
    return ["sans-serif", *(name for name in _EASTERN if name in here)]


def numbers(values: pd.Series[float], missing: float = math.nan) -> list[float]:
    """The values of a column, with another for those that are missing; NaN is not drawn."""
    return list(values.to_numpy(dtype="float64", na_value=missing))


def known_costs(
    cost: Iterable[float], unpriced: Iterable[float], exchanges: Iterable[float]
) -> list[float]:
    """Costs, NaN where not one of the exchanges has a known price: a 0 would be untrue.

    Args:
        cost: of each row.
        unpriced: how many exchanges have no known price.
        exchanges: how many there are.

    Example:
        >>> known_costs([0.5, 0.0, 0.0], [1, 2, 0], [2, 2, 2])
        [0.5, nan, 0.0]
    """
    rows = zip(cost, unpriced, exchanges, strict=True)
    return [math.nan if missing == of else each for each, missing, of in rows]


def short_number(value: float) -> str:
    """A number for an axis: few signs, whatever its size.

    Example:
        >>> [short_number(each) for each in (0, 0.25, 0.0001, 950, 12_500, 3_000_000)]
        ['0', '0.25', '0.0001', '950', '12.5k', '3M']
    """
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.4g}{letter}"
    return f"{value:.4g}"
