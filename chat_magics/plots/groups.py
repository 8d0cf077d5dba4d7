"""Statistics by model, or by another group, as the rows of a picture: the ten that matter most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chat_magics.errors import InvalidRequest
from chat_magics.plots.canvas import fonts, needs, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Groups", "groups"]

_MOST = 10
_LONGEST = 28
"""Characters of a name that stay; of a longer one, the beginning and the end."""


@dataclass(frozen=True)
class Groups:
    """Rows of a picture, the group of most exchanges first.

    Args:
        by: what they are: `model`, `surface`.
        names: for a reader.
        rows: their statistics.
        all: how many groups there are; those of fewer exchanges are not among the rows.
    """

    by: str
    names: tuple[str, ...]
    rows: pd.DataFrame
    all: int

    def values(self, column: str, missing: float = math.nan) -> list[float]:
        """A column, with another value for those that are missing."""
        return numbers(self.rows[column], missing)

    @property
    def heading(self) -> str:
        """What they are, for a heading: `by model`, `by model, top 10 of 30`."""
        top = f", top {len(self.names)} of {self.all}" if self.all > len(self.names) else ""
        return f"by {self.by}{top}"

    def label(self, axes: Axes) -> None:
        """Makes the y axis one of names, the first at the top."""
        shown = [_short(name) for name in self.names]
        axes.set_yticks(range(len(shown)), labels=shown, parse_math=False, family=fonts())
        axes.set_ylim(len(self.names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)


def groups(
    frame: pd.DataFrame, columns: Sequence[str], titles: Mapping[str, str] | None = None
) -> Groups:
    """The groups of `history.stats(by=…)`, whose first column names them.

    Args:
        frame: not empty.
        columns: that will be drawn.
        titles: for a reader, of names that are ids.

    Raises:
        InvalidRequest: the statistics are not grouped, or are by day, or lack columns.
    """
    needs(frame, ["exchanges", *columns])
    by = str(frame.columns[0])
    if by in ("messages", "day"):
        raise InvalidRequest('This plot is for groups: give history.stats(by="model").')
    best = frame.sort_values("exchanges", ascending=False, kind="stable").head(_MOST)
    named = (name if isinstance(name, str) and name else "unknown" for name in best[by])
    names = tuple((titles or {}).get(name, name) for name in named)
    return Groups(by, names, best, len(frame))


def _short(name: str) -> str:
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[: half - 1]}…{name[-half:]}"
