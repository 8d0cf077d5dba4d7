"""Four pictures on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chat_magics.plots.by_group import draw_latency
from chat_magics.plots.canvas import drawn, new_figure
from chat_magics.plots.over_time import (
    draw_hit_rate,
    draw_retries_and_errors,
    draw_tokens_and_cost,
)
from chat_magics.plots.plot import Plot

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import FigureBase

__all__ = ["overview"]


def overview(by_day: pd.DataFrame, by_model: pd.DataFrame) -> Plot:
    """Tokens and cost, times by model, hits of the cache, retries and errors: two by two.

    Args:
        by_day: what `history.stats(by="day")` gives.
        by_model: what `history.stats(by="model")` gives.

    Raises:
        ConfigError: matplotlib is not installed.
        InvalidRequest: a frame lacks columns.
    """

    def draw(figure: FigureBase, days: pd.DataFrame) -> str:
        parts = figure.subfigures(2, 2, squeeze=False, height_ratios=(1.15, 1))
        first, second, third, fourth = parts.flat
        words = (
            draw_tokens_and_cost(first, days),
            draw_latency(second, by_model),
            draw_hit_rate(third, days),
            draw_retries_and_errors(fourth, days),
        )
        return "\n".join(words)

    return drawn(new_figure(9.6, 7.2), draw, by_day)
