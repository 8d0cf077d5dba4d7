"""Rows of exchanges: begun, filled, ended, read, summed. Runs in a transaction given.

Every function that reads takes the owner, and sees no other owner's rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, not_, or_, select, update

from chat_magics.errors import NotFound, StoreError
from chat_magics.history.exchange import Exchange, Spent, now
from chat_magics.history.process import ProcessMark, this_process
from chat_magics.history.schema import exchanges as table

__all__ = [
    "add",
    "finish",
    "get",
    "has_streaming",
    "interrupt_dead",
    "of_ids",
    "partial",
    "saved",
    "spent",
    "stored",
    "versions",
]

SILENT_FOR = timedelta(hours=1)
"""After so long without a sign of life, a reply of another machine is taken for interrupted."""

IDS_AT_ONCE = 500


def add(connection: Connection, exchange: Exchange) -> None:
    """Store an exchange that streams, with the mark of this process."""
    mark = this_process()
    row = _to_row(exchange) | {
        "host": mark.host,
        "pid": mark.pid,
        "process_started": mark.started,
        "touched": now(),
    }
    # As parameters, and not as values of the statement, which would be built anew each time.
    connection.execute(insert(table), row)


def partial(connection: Connection, owner: str, id: str, text: str, reasoning: str) -> None:
    """Put what has come so far in the place of what had come before.

    Raises:
        NotFound: there is no such exchange.
        StoreError: it has ended.
    """
    _change_streaming(connection, owner, id, {"text": text, "reasoning": reasoning})


def finish(connection: Connection, exchange: Exchange) -> None:
    """Store how an exchange ended.

    Raises:
        NotFound: there is no such exchange.
        StoreError: it has ended before.
    """
    _change_streaming(connection, exchange.owner, exchange.id, _to_row(exchange))


def _change_streaming(
    connection: Connection, owner: str, id: str, values: Mapping[str, Any]
) -> None:
    mine = and_(table.c.id == id, table.c.owner == owner)
    streams = table.c.status == "streaming"
    change = update(table).where(mine, streams)
    if connection.execute(change, {**values, "touched": now()}).rowcount == 1:
        return
    status = connection.execute(select(table.c.status).where(mine)).scalar()
    if status is None:
        raise _not_found(id)
    raise StoreError(f"Exchange {id} ended ({status}) and cannot change: ask again for a new one")


def get(connection: Connection, owner: str, id: str) -> Exchange:
    """The exchange of this id.

    Raises:
        NotFound: there is none.
    """
    found = of_ids(connection, owner, [id])
    if not found:
        raise _not_found(id)
    return found[0]


def of_ids(connection: Connection, owner: str, ids: Sequence[str]) -> list[Exchange]:
    """The exchanges of these ids, in the order given; those that are not there are left out."""
    found: dict[str, Exchange] = {}
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = _owned(owner).where(table.c.id.in_(ids[start : start + IDS_AT_ONCE]))
        found.update((exchange.id, exchange) for exchange in _exchanges(connection, some))
    return [found[id] for id in ids if id in found]


def stored(
    connection: Connection, owner: str, conversation: str | None, limit: int | None
) -> list[Exchange]:
    """The newest exchanges, oldest first, at most `limit`; of one conversation, or of all."""
    newest_first = _owned(owner).order_by(table.c.created.desc(), table.c.id.desc())
    if conversation is not None:
        newest_first = newest_first.where(table.c.conversation == conversation)
    return _exchanges(connection, newest_first.limit(limit))[::-1]


def versions(connection: Connection, owner: str, id: str) -> list[Exchange]:
    """The exchange and all that superseded it or that it superseded, in time order.

    Raises:
        NotFound: there is none of this id.
    """
    columns = select(table.c.id, table.c.supersedes).where(table.c.owner == owner)
    family = columns.where(table.c.id == id).cte("family", recursive=True)
    kin = or_(table.c.supersedes == family.c.id, table.c.id == family.c.supersedes)
    family = family.union(columns.join_from(table, family, kin))
    query = _owned(owner).where(table.c.id.in_(select(family.c.id)))
    found = _exchanges(connection, query.order_by(table.c.created, table.c.id))
    if not found:
        raise _not_found(id)
    return found


def spent(
    connection: Connection, owner: str, since: datetime, conversation: str | None = None
) -> Spent:
    """What was spent on exchanges asked at or after `since`; a cache hit costs nothing."""
    counts = ("usage_prompt", "usage_completion", "wasted_prompt", "wasted_completion")
    parts = [func.coalesce(func.sum(table.c[f"{part}_tokens"]), 0) for part in counts]
    nothing_came = and_(
        table.c.status == "error",
        table.c.usage_prompt_tokens.is_(None),
        table.c.wasted_prompt_tokens.is_(None),
    )
    priceless = and_(table.c.cost.is_(None), table.c.status != "streaming", not_(nothing_came))
    query = select(
        *parts, func.coalesce(func.sum(table.c.cost), 0.0), func.count().filter(priceless)
    ).where(table.c.owner == owner, table.c.created >= since, not_(table.c.cached))
    if conversation is not None:
        query = query.where(table.c.conversation == conversation)
    *tokens, cost, unknown = connection.execute(query).one()
    return Spent(sum(int(count) for count in tokens), float(cost), int(unknown))


def saved(connection: Connection, owner: str) -> float:
    """US dollars that cache hits saved, as far as prices are known."""
    query = select(func.coalesce(func.sum(table.c.saved), 0.0)).where(table.c.owner == owner)
    return float(connection.execute(query).scalar_one())


def has_streaming(connection: Connection) -> bool:
    """True where any owner's exchange is marked as streaming."""
    query = select(table.c.id).where(table.c.status == "streaming").limit(1)
    return connection.execute(query).first() is not None


def interrupt_dead(connection: Connection) -> int:
    """End the exchanges, of any owner, whose process died while they streamed; how many."""
    streams = table.c.status == "streaming"
    mark = (table.c.host, table.c.pid, table.c.process_started)
    interrupted = 0
    for row in connection.execute(select(*mark).where(streams).distinct()).all():
        alive = ProcessMark(*row).alive
        if alive:
            continue
        theirs = [
            column.is_not_distinct_from(value) for column, value in zip(mark, row, strict=True)
        ]
        if alive is None:
            theirs.append(table.c.touched < now() - SILENT_FOR)
        ended = update(table).where(streams, *theirs)
        interrupted += connection.execute(
            ended.values(status="interrupted", ended=table.c.touched)
        ).rowcount
    return interrupted


def _owned(owner: str) -> Select[Any]:
    return select(table).where(table.c.owner == owner)


def _exchanges(connection: Connection, query: Select[Any]) -> list[Exchange]:
    return [_from_row(row) for row in connection.execute(query).mappings()]


def _not_found(id: str) -> NotFound:
    return NotFound(f"No exchange {id}: it is not in this history, or belongs to somebody else")


_USAGE = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "estimated")


def _to_row(exchange: Exchange) -> dict[str, Any]:
    row = exchange.model_dump(exclude={"usage", "wasted"})
    for kind, usage in (("usage", exchange.usage), ("wasted", exchange.wasted)):
        for part in _USAGE:
            row[f"{kind}_{part}"] = None if usage is None else getattr(usage, part)
    return row


def _from_row(row: Mapping[Any, Any]) -> Exchange:
    values = {name: row[name] for name in Exchange.model_fields if name not in ("usage", "wasted")}
    for kind in ("usage", "wasted"):
        usage = {part: row[f"{kind}_{part}"] for part in _USAGE}
        values[kind] = None if usage["prompt_tokens"] is None else usage
    return Exchange.model_validate(values)
