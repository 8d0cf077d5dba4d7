"""ShownFrame: a frame that shows a reader its main columns first; a DataFrame in all else."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd

__all__ = ["ShownFrame", "shown"]

MAIN = {
    "messages": ("role", "content", "created", "model", "status", "completion_tokens", "cost"),
    "conversations": ("name", "title", "tags", "used", "queries", "cost", "models"),
    "search": ("title", "role", "snippet", "created", "model"),
}

# A table of words is read from the left.
STYLE = (
    "<style>.chat-magics-frame td, .chat-magics-frame th { text-align: left; "
    "vertical-align: top; white-space: normal; } .chat-magics-frame td { max-width: 34em; }"
    "</style>"
)
LONGEST = 300

FEW = 20
"""Rows that are shown where there are more than pandas shows."""


class ShownFrame(pd.DataFrame):
    """What a magic gives: displayed with its main columns, and a line that names the others.

    Whatever is made of it is a plain DataFrame again.
    """

    _metadata = ["main"]  # noqa: RUF012 - pandas looks for it there
    main: tuple[str, ...] = ()

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    def _repr_html_(self) -> str:
        view, others = self._view()
        table = view.to_html(
            classes="dataframe chat-magics-frame",
            border=0,
            na_rep="",
            max_rows=self._rows_shown(),
            show_dimensions=False,
        )
        size = f"{len(self):,} rows" if len(self) != 1 else "1 row"
        return f"<div>{STYLE}{table}<p>{size} · {html.escape(others)}</p></div>"

    def __repr__(self) -> str:
        view, others = self._view()
        words = view.to_string(na_rep="", max_colwidth=60, max_rows=self._rows_shown())
        return f"{words}\n{others}"

    def _rows_shown(self) -> int:
        most = pd.get_option("display.max_rows") or len(self)
        return len(self) if len(self) <= most else FEW

    def _view(self) -> tuple[pd.DataFrame, str]:
        main = [name for name in self.main if name in self.columns]
        whole = pd.DataFrame({name: self[name] for name in main}, index=self.index)
        ends = [whole.head(FEW), whole.tail(FEW)]
        view = whole.copy() if self._rows_shown() == len(self) else pd.concat(ends)
        for name in main:
            if isinstance(view[name].dtype, pd.DatetimeTZDtype):
                view[name] = view[name].dt.strftime("%Y-%m-%d %H:%M")
            elif view[name].dtype == "string":
                view[name] = view[name].str.slice(0, LONGEST)
        left_out = [str(name) for name in self.columns if name not in main]
        return view, f"also there: {', '.join(left_out)}" if left_out else "times are UTC"


def shown(kind: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame, displayed for a reader.

    Args:
        kind: `messages`, `conversations` or `search`.
        frame: with those columns.

    Example:
        >>> frame = shown("search", pd.DataFrame({"title": ["joins"], "score": [1.0]}))
        >>> print(frame)
           title
        0  joins
        also there: score
        >>> type(frame[["score"]]).__name__
        'DataFrame'
    """
    made: ShownFrame = ShownFrame(frame)
    made.attrs = dict(frame.attrs)
    made.main = MAIN[kind]
    return made
