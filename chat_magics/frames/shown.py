"""ShownFrame: a frame that shows a reader its main columns first; a DataFrame in all else."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd

from .schema import GROUPS

__all__ = ["ShownFrame", "shown"]

MAIN = {
    "messages": ("role", "content", "created", "model", "status", "completion_tokens", "cost"),
    "conversations": ("name", "title", "tags", "used", "queries", "cost", "models"),
    "search": ("title", "role", "snippet", "created", "model"),
    "stats": (
        *GROUPS,
        "exchanges",
        "prompt_tokens",
        "completion_tokens",
        "cost",
        "latency_median",
        "errors",
    ),
}

NOTHING = {
    "messages": "No messages.",
    "conversations": "No conversations.",
    "search": "No matches.",
    "stats": "No exchanges.",
}

# A table of words is read from the left. The class stands twice, for Jupyter's own rule for tables
# is as specific as one. What people wrote of dollars is no formula.
CLASSES = "chat-magics-frame tex2jax_ignore mathjax_ignore"
STYLE = (
    "<style>.chat-magics-frame.chat-magics-frame :is(td, th) { text-align: left; "
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

    _metadata = ["kind", "titles"]  # noqa: RUF012 - pandas looks for them there
    kind: str = "messages"
    titles: Mapping[str, str] = {}

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    def _repr_html_(self) -> str:
        if not len(self):
            return f"<p>{NOTHING[self.kind]}</p>"
        view, others = self._view()
        table = view.to_html(
            classes=CLASSES,
            border=0,
            na_rep="",
            max_rows=self._rows_shown(),
            show_dimensions=False,
        )
        size = f"{len(self):,} rows" if len(self) != 1 else "1 row"
        return f"<div>{STYLE}{table}<p>{size} · {html.escape(others)}</p></div>"

    def __repr__(self) -> str:
        if not len(self):
            return NOTHING[self.kind]
        view, others = self._view()
        words = view.to_string(na_rep="", max_colwidth=60, max_rows=self._rows_shown())
        return f"{words}\n{others}"

    def _rows_shown(self) -> int:
        most = pd.get_option("display.max_rows") or len(self)
        return len(self) if len(self) <= most else FEW

    def _view(self) -> tuple[pd.DataFrame, str]:
        main = [name for name in MAIN[self.kind] if name in self.columns]
        whole = pd.DataFrame({name: self[name] for name in main}, index=self.index)
        ends = [whole.head(FEW), whole.tail(FEW)]
        view = whole.copy() if self._rows_shown() == len(self) else pd.concat(ends)
        for name in main:
            view[name] = _readable(view[name], self.titles if name == "conversation" else {})
        left_out = [str(name) for name in self.columns if name not in main]
        return view, f"also there: {', '.join(left_out)}" if left_out else "times are UTC"


def _readable(values: pd.Series[Any], titles: Mapping[str, str]) -> pd.Series[Any]:
    """A column as a reader has it: what is missing is empty, and long text cut."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        moments = "%Y-%m-%d" if values.name == "day" else "%Y-%m-%d %H:%M"
        values = values.dt.strftime(moments)
    elif pd.api.types.is_float_dtype(values.dtype):
        return values.astype("float64")  # which pandas shows with as few digits as tell them all
    words: pd.Series[Any] = values.astype(object).where(values.notna(), "")
    return words.map(
        lambda word: titles.get(word, word)[:LONGEST] if isinstance(word, str) else word
    )


def shown(kind: str, frame: pd.DataFrame, titles: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The same frame, displayed for a reader.

    Args:
        kind: `messages`, `conversations`, `search` or `stats`.
        frame: with those columns.
        titles: of conversations, by their ids; shown in the place of these.

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
    made.kind, made.titles = kind, titles or {}
    return made
