"""One row of statistics as a table that a person reads: names in words, figures with units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["readable"]


def readable(stats: DataFrame) -> DataFrame:
    """The figures of one row of statistics, one below the other.

    Args:
        stats: as `history.stats()` gives it, with one row.

    Returns:
        a frame with one text column, `value`; what was measured is its index.

    Example:
        >>> from pandas import DataFrame
        >>> table = readable(DataFrame({"messages": [4], "cost": [0.0125], "hit_rate": [0.5]}))
        >>> table["value"].to_dict()
        {'Total messages': '4', 'Cost': '$0.0125', 'Cache hits': '50 %'}
    """
    from pandas import DataFrame, Index

    row = stats.iloc[0].to_dict()
    lines = {
        words: show(row)
        for words, (needs, show) in _LINES.items()
        if all(name in row for name in needs)
    }
    index = Index(list(lines), dtype="object")
    table: DataFrame = DataFrame({"value": list(lines.values())}, index=index, dtype="object")
    return table


def _missing(value: Any) -> bool:
    return value is None or value != value or str(value) == "<NA>"


def _number(value: Any) -> str:
    return "0" if _missing(value) else f"{int(value):,}"


def _average(value: Any) -> str:
    return "–" if _missing(value) else f"{value:,.0f} characters"


def _seconds(value: Any) -> str:
    if _missing(value):
        return "–"
    if value < 120:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    minutes = value / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:,.1f} h"


def _dollars(value: Any) -> str:
    return "unknown" if _missing(value) else f"${value:,.4f}" if value else "$0"


def _share(value: Any) -> str:
    return "–" if _missing(value) else f"{value:.0%}".replace("%", " %")


def _rate(value: Any) -> str:
    return "–" if _missing(value) else f"{value:,.0f} tokens/s"


def _text(value: Any) -> str:
    return "none" if _missing(value) or not value else str(value)


def _both(show: Callable[[Any], str], first: str, second: str) -> tuple[tuple[str, ...], Any]:
    def line(row: Mapping[str, Any]) -> str:
        return f"{show(row[first])} median, {show(row[second])} p95"

    return (first, second), line


def _one(show: Callable[[Any], str], name: str) -> tuple[tuple[str, ...], Any]:
    return (name,), lambda row: show(row[name])


def _cost(row: Mapping[str, Any]) -> str:
    unpriced = row.get("unpriced")
    shown = _dollars(row["cost"])
    if _missing(unpriced) or not unpriced:
        return shown
    return f"{shown}, without {_number(unpriced)} of unknown price"


_LINES: Mapping[str, tuple[tuple[str, ...], Any]] = {
    "Total messages": _one(_number, "messages"),
    "User messages": _one(_number, "user_messages"),
    "Assistant messages": _one(_number, "assistant_messages"),
    "Total characters": _one(_number, "characters"),
    "Average message length": _one(_average, "average_length"),
    "Session duration": _one(_seconds, "duration"),
    "Tokens in": _one(_number, "prompt_tokens"),
    "Tokens out": _one(_number, "completion_tokens"),
    "Cached tokens": _one(_number, "cached_tokens"),
    "Cost": (("cost",), _cost),
    "Saved by the cache": _one(_dollars, "saved"),
    "Cache hits": _one(_share, "hit_rate"),
    "Latency": _both(_seconds, "latency_median", "latency_p95"),
    "Time to first token": _both(_seconds, "first_token_median", "first_token_p95"),
    "Speed": _one(_rate, "tokens_per_second"),
    "Attempts": _one(_number, "attempts"),
    "Retries": _one(_number, "retries"),
    "Errors": _one(_number, "errors"),
    "Errors by kind": _one(_text, "error_types"),
    "Stopped replies": _one(_number, "stopped"),
    "Truncated replies": _one(_number, "truncated"),
}
