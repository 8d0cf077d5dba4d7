"""Figures over exchanges, counted by the database: of all of them, or of each group.

Only the times of replies are fetched, for their percentiles: databases without a function for
these would sort all rows twice, which took four times as long.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    func,
    literal,
    not_,
    select,
    type_coerce,
)

from chat_magics.errors import InvalidRequest
from chat_magics.frames import GROUPS, SCHEMA, Column
from chat_magics.history.columns import Prose
from chat_magics.history.expressions import (
    TOKENS,
    answered,
    answering_model,
    cost_sum,
    day,
    length,
    price_unknown,
    saved_sum,
    seconds,
    spent_tokens,
    truncated,
)
from chat_magics.history.filters import Filter, moment_of
from chat_magics.history.schema import exchanges as table

__all__ = ["columns", "group_of", "percentile"]

_TIMES = {"latency": table.c.latency, "first_token": table.c.time_to_first_token}
_PERCENTS = {"median": 50, "p95": 95}
_IN_PARTS = {"yield_per": 10_000}

Figures = dict[Any, dict[str, Any]]
"""Of each group, by its name, its figures by theirs."""


def group_of(by: str | None) -> Column | None:
    """The column that stands before the figures.

    Raises:
        InvalidRequest: nothing can be grouped by that.

    Example:
        >>> group_of("day").dtype
        'datetime64[us, UTC]'
    """
    if by is None:
        return None
    if not isinstance(by, str) or by not in GROUPS:
        raise InvalidRequest(f"No statistics by {by!r}: choose {', '.join(GROUPS)}")
    return GROUPS[by]


def columns(
    connection: Connection, filter: Filter, own: str, by: str | None
) -> dict[str, list[Any]]:
    """The columns of a frame of statistics: days in their order, other groups the largest first.

    Args:
        connection: in a transaction.
        filter: the exchanges that count.
        own: the owner that is meant where the filter names none.
        by: one of GROUPS; None for one row over all.
    """
    key, clauses = _key(connection, by), filter.where(own)
    if by == "error":
        clauses.append(table.c.status == "error")
    rows = _counts(connection, key, clauses, grouped=by is not None)
    for part in (
        _by_conversation(connection, key, clauses),
        _times(connection, key, clauses),
        _error_types(connection, key, clauses),
    ):
        for name, figures in part.items():
            rows[name] |= figures
    order = sorted(rows, key=str)
    if by != "day":
        order.sort(key=lambda name: -rows[name]["exchanges"])
    names = [column.name for column in SCHEMA["stats"]]
    found = {name: [rows[group].get(name) for group in order] for name in names}
    if by == "day":
        found[by] = [moment_of("day", name) for name in order]
    elif by is not None:
        found[by] = [Prose().process_result_value(name, connection.dialect) for name in order]
    return found


def percentile(values: list[float], percent: int) -> float:
    """The value that so many percent are at most, between the two nearest where none is it.

    Args:
        values: in order, at least one.
        percent: 0 to 100.

    Example:
        >>> percentile([1.0, 2.0, 3.0, 5.0], 50)
        2.5
    """
    place, rest = divmod((len(values) - 1) * percent, 100)
    if not rest:
        return values[place]
    return values[place] + (values[place + 1] - values[place]) * rest / 100


def _key(connection: Connection, by: str | None) -> Any:
    if by is None:
        return literal(1).label("key")
    groups = {
        "model": answering_model(),
        "day": day(connection, table.c.created),
        "error": table.c.error_type,
    }
    # As stored: to undo the escapes for each row took longer than the rest.
    return type_coerce(groups[by] if by in groups else table.c[by], Text).label("key")


def _counts(
    connection: Connection, key: Any, clauses: list[ColumnElement[bool]], *, grouped: bool
) -> Figures:
    """What is a sum over exchanges, or follows from such sums."""
    sums: dict[str, Any] = {
        name: func.coalesce(func.sum(summed), 0) for name, summed in _summed().items()
    }
    sums |= {"cost": cost_sum(), "saved": saved_sum()}
    query = select(
        *(column.label(name) for name, column in sums.items()), func.count().label("exchanges")
    ).where(*clauses)
    if grouped:
        query = query.add_columns(key).group_by("key")
    found = connection.execute(query).mappings()
    return {row.get("key", 1): _derived(dict(row)) for row in found}


def _summed() -> dict[str, Any]:
    ended = table.c.status != "streaming"
    first = table.c.time_to_first_token
    writing = table.c.latency - first
    # How fast a server wrote is told by replies that came from one, and not all at once.
    timed = and_(not_(table.c.cached), writing > 0, table.c.usage_completion_tokens.is_not(None))
    flags = {
        "assistant_messages": answered(),
        "ended": ended,
        "unpriced": price_unknown(),
        "hits": table.c.cached,
        "errors": table.c.status == "error",
        "stopped": table.c.status.in_(("stopped", "interrupted")),
        "truncated": truncated(),
    }
    return {
        **{name: case((flag, 1), else_=0) for name, flag in flags.items()},
        **{name: spent_tokens(name) for name in TOKENS},
        "characters": length(table.c.prompt) + length(table.c.text),
        "attempts": table.c.attempts,
        "retries": case((table.c.attempts > 1, table.c.attempts - 1), else_=0),
        "timed_tokens": case((timed, table.c.usage_completion_tokens), else_=0),
        "writing": case((timed, writing), else_=0.0),
    }


def _derived(row: dict[str, Any]) -> dict[str, Any]:
    whole = {name: _whole(value) for name, value in row.items()}
    users, replies = whole["exchanges"], whole["assistant_messages"]
    messages = users + replies
    return whole | {
        "messages": messages,
        "user_messages": users,
        "average_length": _ratio(whole["characters"], messages),
        "hit_rate": _ratio(whole["hits"], whole["ended"]),
        "tokens_per_second": _ratio(whole["timed_tokens"], whole["writing"]),
        "conversations": 0,
        "duration": 0.0,
        "error_types": "",
    }


def _whole(value: Any) -> Any:
    # PostgreSQL sums integers to decimal numbers.
    return value if value is None or isinstance(value, (int, float, str)) else int(value)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _by_conversation(
    connection: Connection, key: Any, clauses: list[ColumnElement[bool]]
) -> Figures:
    first = func.min(table.c.created)
    last = func.max(func.coalesce(table.c.ended, table.c.created))
    lasted = seconds(connection, last) - seconds(connection, first)
    each = (
        select(key, lasted.label("lasted"))
        .where(*clauses)
        .group_by("key", table.c.conversation)
        .subquery()
    )
    query = select(each.c.key, func.count(), func.sum(each.c.lasted)).group_by(each.c.key)
    return {
        name: {"conversations": count, "duration": lasted}
        for name, count, lasted in connection.execute(query)
    }


def _times(connection: Connection, key: Any, clauses: list[ColumnElement[bool]]) -> Figures:
    query = select(key, *_TIMES.values()).where(*clauses, not_(table.c.cached))
    found: dict[Any, tuple[list[float], ...]] = defaultdict(lambda: tuple([] for _ in _TIMES))
    for name, *times in connection.execute(query, execution_options=_IN_PARTS):
        for values, time in zip(found[name], times, strict=True):
            if time is not None:
                values.append(time)
    figures: Figures = {}
    for name, measured in found.items():
        figures[name] = {}
        for time, values in zip(_TIMES, measured, strict=True):
            values.sort()
            for word, percent in _PERCENTS.items():
                figures[name][f"{time}_{word}"] = percentile(values, percent) if values else None
    return figures


def _error_types(connection: Connection, key: Any, clauses: list[ColumnElement[bool]]) -> Figures:
    kind, count = func.coalesce(table.c.error_type, "unknown").label("kind"), func.count()
    query = select(key, kind, count).where(*clauses, table.c.status == "error")
    # The largest first, and by name where they are as many.
    rows = connection.execute(query.group_by("key", "kind").order_by(count.desc(), "kind"))
    told: dict[Any, list[str]] = defaultdict(list)
    for name, error, times in rows:
        told[name].append(f"{error}: {times}")
    return {name: {"error_types": ", ".join(each)} for name, each in told.items()}
