"""Statistics to draw, and what of a picture a person sees."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
from matplotlib.axis import Axis, Tick
from matplotlib.container import BarContainer
from matplotlib.text import Text

from chat_magics.frames.schema import GROUPS, SCHEMA
from chat_magics.plots import Plot

__all__ = ["bars", "days", "models", "stats", "texts", "words"]

FIRST = datetime(2026, 1, 5, tzinfo=timezone.utc)
ROW: dict[str, Any] = {
    "exchanges": 4,
    "prompt_tokens": 3_000,
    "completion_tokens": 400,
    "cost": 0.25,
    "unpriced": 0,
    "hits": 1,
    "hit_rate": 0.25,
    "latency_median": 2.0,
    "latency_p95": 6.0,
    "first_token_median": 0.5,
    "first_token_p95": 1.5,
    "retries": 2,
    "errors": 1,
}


def stats(by: str, keys: list[Any], *rows: dict[str, Any]) -> pd.DataFrame:
    """Statistics by a group as history gives them; the last of the rows holds for the rest."""
    columns = (GROUPS[by], *SCHEMA["stats"])
    cells = [
        {by: key, **ROW, **(rows[min(n, len(rows) - 1)] if rows else {})}
        for n, key in enumerate(keys)
    ]
    return pd.DataFrame(
        {c.name: pd.Series([row.get(c.name) for row in cells], dtype=c.dtype) for c in columns}
    )


def days(count: int, *rows: dict[str, Any], step: int = 1) -> pd.DataFrame:
    return stats("day", [FIRST + timedelta(days=n * step) for n in range(count)], *rows)


def models(count: int, *rows: dict[str, Any]) -> pd.DataFrame:
    return stats("model", [f"model-{n}" for n in range(count)], *rows)


def bars(plot: Plot, axes: int = 0) -> list[float]:
    """The heights of the bars of some axes, one container after the other."""
    containers = plot.figure.axes[axes].containers
    return [
        float(bar.get_height())
        for container in containers
        if isinstance(container, BarContainer)
        for bar in container
    ]


def texts(plot: Plot) -> list[Text]:
    """All text that is seen."""
    plot.figure.draw_without_rendering()  # ticks get their labels, and all its place
    ticks = plot.figure.findobj(Tick)
    labels = [label for tick in ticks for label in (tick.label1, tick.label2)]
    others = [text for text in plot.figure.findobj(Text) if text not in labels]
    seen = [label for axis in plot.figure.findobj(Axis) for label in _labels(axis)]
    return [text for text in (*others, *seen) if text.get_visible() and text.get_text().strip()]


def _labels(axis: Axis) -> list[Text]:
    """Of the ticks within the axes; matplotlib makes some beyond them."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def words(plot: Plot) -> list[str]:
    return [text.get_text() for text in texts(plot)]
