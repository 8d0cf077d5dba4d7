"""Statistics by day, put together to as many days, weeks or months as a picture can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chat_magics.plots.canvas import needs, numbers

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Periods", "periods"]

_UNITS = (("day", "D", 1, 92), ("week", "W-SUN", 7, 730), ("month", "M", 28, 0))
"""Name, pandas' name, days of the shortest one, and below which span in days it is used."""

_FEW = 7
"""So many days, weeks or months have room on the axis for a date each, and never more room."""


@dataclass(frozen=True)
class Periods:
    """Sums over days, weeks or months in which anything was asked.

    Args:
        unit: `day`, `week` or `month`.
        days: how long the shortest one is.
        sums: one row for each, its index when it begins, in UTC; a sum of nothing is missing.
    """

    unit: str
    days: int
    sums: pd.DataFrame

    @property
    def places(self) -> list[float]:
        """Where on the x axis each of them is."""
        from matplotlib.dates import date2num

        return [float(date2num(start)) for start in self._starts]  # type: ignore[no-untyped-call]  # has no types

    @property
    def width(self) -> float:
        """Of a bar on the x axis."""
        return 0.8 * self.days

    @property
    def span(self) -> str:
        """From when to when, for a reader: `5 Jan – 3 Mar 2026`."""
        first, last = self._starts[0], self._starts[-1]
        if first == last:
            return self._name(first)
        same = first.year == last.year
        return f"{self._short(first) if same else self._name(first)} – {self._name(last)}"

    def values(self, column: str, missing: float = math.nan) -> list[float]:
        """The sums of a column, with another value for those that are missing."""
        return numbers(self.sums[column], missing)

    def most(self, values: Sequence[float]) -> str:
        """Which one has the highest of these values, for a reader: `, most on 5 Jan 2026`."""
        if len(values) == 1:
            return ""
        best = max(value for value in values if not math.isnan(value))
        preposition = {"day": "on", "week": "in the week from", "month": "in"}[self.unit]
        return f", most {preposition} {self._name(self._starts[values.index(best)])}"

    def date(self, axes: Axes) -> None:
        """Makes the x axis one of dates, with so few labels that they can be read."""
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, num2date
        from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, Locator

        places = self.places
        span = places[-1] - places[0]
        locator: Locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]  # has no types
        names: Formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]  # has no types
        if span < _FEW * self.days:
            locator = FixedLocator(places)
        if span < _FEW * self.days or self.unit == "day":
            names = FuncFormatter(lambda place, _: self._short(num2date(place)))  # type: ignore[no-untyped-call]  # has no types
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(names)
        margin = max(0.8 * self.days, (_FEW * self.days - span) / 2)  # a lone bar is not a wall
        axes.set_xlim(places[0] - margin, places[-1] + margin)
        unit = "week from Monday" if self.unit == "week" else self.unit
        axes.set_xlabel(f"{unit} (UTC) · {self.span}")

    @property
    def _starts(self) -> list[datetime]:
        return [each.to_pydatetime() for each in self.sums.index]

    def _name(self, start: datetime) -> str:
        return f"{self._short(start)} {start.year}"

    def _short(self, start: datetime) -> str:
        return f"{start:%b}" if self.unit == "month" else f"{start.day} {start:%b}"


def periods(frame: pd.DataFrame, columns: Sequence[str]) -> Periods:
    """Sums of columns of `history.stats(by="day")`.

    They are over days; from 92 days on over weeks, from two years on over months.

    Args:
        frame: not empty.
        columns: to be summed.

    Raises:
        InvalidRequest: the frame lacks one of the columns, or the column `day`.
    """
    import pandas as pd  # is loaded: there is a frame

    needs(frame, ["day", *columns], by="day")
    day = pd.to_datetime(frame["day"], utc=True).dt.tz_localize(None)
    span = (day.max() - day.min()).days
    unit, code, days, _ = next(each for each in _UNITS if span < each[3] or not each[3])
    starts = day.dt.to_period(code).dt.start_time
    sums = frame[list(columns)].groupby(starts.to_numpy()).sum(min_count=1)
    return Periods(unit, days, sums)
