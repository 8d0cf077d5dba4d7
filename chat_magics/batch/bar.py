"""Bar: how far a run is, in a notebook or a terminal: rate, time left, errors, cost."""

from __future__ import annotations

import sys
from typing import Any

from ..display import current_shell
from ..pricing import format_cost
from .how import Totals
from .plan import RowsPlan

__all__ = ["Bar", "described"]


class Bar:
    """A progress bar of tqdm; made when something is asked, and left standing at its end."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._totals = Totals()

    def begin(self, plan: RowsPlan, totals: Totals) -> None:
        """Shows what will be asked and its price, then an empty bar."""
        from tqdm.auto import tqdm  # it looks whether this is a notebook

        self._totals = totals
        print(plan, file=sys.stdout if current_shell() else sys.stderr)
        self._bar = tqdm(total=totals.to_ask or None, unit=" rows", dynamic_ncols=True)
        if hasattr(self._bar, "container"):
            _fit(*self._bar.container.children)

    def look(self) -> None:
        """Shows how far it is."""
        self._bar.set_postfix_str(described(self._totals), refresh=False)
        self._bar.update(max(0, self._totals.far - self._bar.n))  # it never goes back

    def end(self) -> None:
        """Leaves the bar as it is."""
        self.look()
        self._bar.refresh()
        self._bar.close()


def _fit(percent: Any, bar: Any, words: Any) -> None:
    """Has the widgets of tqdm's bar in a notebook fit a page as narrow as that of a phone.

    The words were cut off there, for tqdm makes their blanks such as no line is broken at; and the
    bar was as wide as elsewhere, so that a third of it looked like all of it.
    """
    bar.layout.width, bar.layout.min_width, bar.layout.flex = "auto", "60px", "1 1 60px"
    words.layout.max_width = "100%"
    words.observe(_break_lines, "value")


def _break_lines(change: Any) -> None:
    change.owner.value = change.new.replace("\u2007", " ")


def described(totals: Totals) -> str:
    """Errors, cost and what is waited for, in a line.

    Example:
        >>> described(Totals(to_ask=9, done=3, errors=1, dollars=0.25, window=4, waits=2))
        '1 error, $0.25, the server asked to wait 2 times: 4 at a time'
    """
    told = [f"{totals.errors} error{'' if totals.errors == 1 else 's'}"]
    unknown = totals.unpriced and not totals.dollars
    told.append(format_cost(None if unknown else totals.dollars))
    if totals.waits:
        times = "once" if totals.waits == 1 else f"{totals.waits} times"
        told.append(f"the server asked to wait {times}: {totals.window} at a time")
    return ", ".join(told)
