"""Rows of exchanges for frames and for going through them: which columns, in which order, in pages.

Each page is a read of its own, so that who streams meanwhile waits for a page at most.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, Text, and_, or_, select, type_coerce

from chat_magics.frames import SCHEMA
from chat_magics.frames.messages import ASKED
from chat_magics.history.columns import Json
from chat_magics.history.expressions import TOKENS, answering_model, owned_by
from chat_magics.history.filters import ALL_OWNERS, Filter
from chat_magics.history.schema import exchanges as table

__all__ = [
    "Read",
    "asked_columns",
    "bulk_clauses",
    "exchange_columns",
    "in_time_order",
    "more_than",
]

Read = Callable[[Callable[[Connection], Any]], Any]
"""Runs work that reads, in a transaction of its own, as `read` of a store does."""

_KEY = (table.c.created, table.c.id)
_IDS_AT_ONCE = 500


def exchange_columns() -> list[Any]:
    """The columns of a frame of exchanges, in the order of SCHEMA; JSON as its text."""
    columns = (table.c[column.name] for column in SCHEMA["exchanges"])
    return [
        type_coerce(column, Text).label(column.name) if isinstance(column.type, Json) else column
        for column in columns
    ]


def asked_columns() -> list[Any]:
    """What messages are made of, in the order of ASKED."""
    others: dict[str, Any] = {"exchange": table.c.id, "model": answering_model()}
    for count in TOKENS:
        others[count] = table.c[f"usage_{count}"]
    others["tokens_estimated"] = table.c.usage_estimated
    return [others[name].label(name) if name in others else table.c[name] for name in ASKED]


def more_than(connection: Connection, count: int, filter: Filter, own: str) -> bool:
    """True where more exchanges than `count` pass the filter, its text not looked at."""
    passing = select(table.c.id).where(*replace(filter, text=None).where(own)).offset(count)
    return connection.execute(passing.limit(1)).first() is not None


def bulk_clauses(connection: Connection, filter: Filter, own: str) -> list[Any]:
    """The clauses of a filter, for reading rows as they lie in the file where most of them pass.

    The index of owners would give them in time order, and a third slower.
    """
    owner = own if filter.owner is None else filter.owner
    narrow = (filter.conversation, filter.since, filter.until)
    if owner == ALL_OWNERS or any(field is not None for field in narrow):
        return filter.where(own)
    others = select(table.c.id).where(or_(table.c.owner < owner, table.c.owner > owner)).limit(1)
    if connection.execute(others).first() is not None:
        return filter.where(own)
    return [owned_by(table.c.owner, owner), *replace(filter, owner=ALL_OWNERS).where(own)]


def in_time_order(
    read: Read, columns: Sequence[Any], filter: Filter, own: str, at_once: int
) -> Iterator[tuple[Any, ...]]:
    """The rows that pass the filter, oldest first; or those of its ids, in their order.

    Args:
        read: runs the reading of one page.
        columns: what of each exchange.
        filter: which exchanges.
        own: the owner that is meant where the filter names none.
        at_once: rows of a page.
    """
    width = len(columns)
    selected = [*columns, *_KEY]
    if filter.exchanges is not None:
        rows = _of_ids(read, selected, filter, own)
    elif filter.owner == ALL_OWNERS:
        # One after the other would be neither in time order nor, as one query, read by an index.
        owners = [row.owner for row in read(partial(_all, query=select(table.c.owner).distinct()))]
        each = (_pages(read, selected, replace(filter, owner=o), own, at_once) for o in owners)
        rows = heapq.merge(*each, key=itemgetter(width, width + 1))
    else:
        rows = _pages(read, selected, filter, own, at_once)
    for row in rows:
        yield row[:width]


def _all(connection: Connection, query: Select[Any]) -> list[Any]:
    return list(connection.execute(query).all())


def _pages(
    read: Read, columns: Sequence[Any], filter: Filter, own: str, at_once: int
) -> Iterator[tuple[Any, ...]]:
    query = select(*columns).where(*filter.where(own)).order_by(*_KEY).limit(at_once)
    page = read(partial(_all, query=query))
    while page:
        yield from map(tuple, page)
        if len(page) < at_once:
            return
        following = query.where(_after(*page[-1][-2:]))
        page = read(partial(_all, query=following))


def _after(moment: Any, id: str) -> Any:
    # The first half alone is what an index can begin at.
    created, key = _KEY
    return and_(created >= moment, or_(created > moment, key > id))


def _of_ids(
    read: Read, columns: Sequence[Any], filter: Filter, own: str
) -> Iterator[tuple[Any, ...]]:
    ids = filter.exchanges or ()
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = replace(filter, exchanges=ids[start : start + _IDS_AT_ONCE])
        query = select(*columns).where(*some.where(own))
        page = read(partial(_all, query=query))
        found = {row[-1]: tuple(row) for row in page}
        yield from (found[id] for id in some.exchanges or () if id in found)
