"""Rows of exchanges: begun, filled, ended, read, summed. Runs in a transaction given.

Every function that reads takes the owner, and sees no other owner's rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
)

from chat_magics.history import attached, search_index, under_way
from chat_magics.history.exchange import Exchange, Spent, now
from chat_magics.history.expressions import owned_by
from chat_magics.history.process import this_process
from chat_magics.history.schema import exchanges as table
from chat_magics.history.schema import removed

__all__ = [
    "add",
    "add_ended",
    "finish",
    "from_row",
    "get",
    "marked",
    "of_ids",
    "partial",
    "remove",
    "saved",
    "spent",
    "stored",
    "versions",
]

IDS_AT_ONCE = 500


def add(connection: Connection, exchange: Exchange) -> None:
    """Store an exchange that streams, with the mark of this process."""
    # As parameters, and not as values of the statement, which would be built anew each time.
    connection.execute(insert(table), marked([exchange]))
    attached.add(connection, [exchange])
    if connection.dialect.name != "sqlite":
        under_way.beat(connection, exchange.owner, exchange.id)


def add_ended(connection: Connection, exchanges: Sequence[Exchange]) -> None:
    """Store exchanges that ended somewhere else, and index their words."""
    if exchanges:
        connection.execute(insert(table), marked(exchanges))
        attached.add(connection, exchanges)
    texts = [search_index.Texts(each.id, each.prompt, each.text) for each in exchanges]
    search_index.add(connection, texts)


def marked(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    """The rows of the table for these exchanges, with the mark of this process."""
    mark = this_process()
    process = {
        "host": mark.host,
        "pid": mark.pid,
        "process_started": mark.started,
        "touched": now(),
    }
    return [_to_row(exchange) | process for exchange in exchanges]


def partial(connection: Connection, owner: str, id: str, text: str, reasoning: str) -> None:
    """Put what has come so far in the place of what had come before.

    Raises:
        NotFound: there is no such exchange.
        StoreError: it has ended.
    """
    under_way.change(connection, owner, id, {"text": text, "reasoning": reasoning})


def finish(connection: Connection, exchange: Exchange) -> None:
    """Store how an exchange ended, and have its words indexed.

    Raises:
        NotFound: there is no such exchange.
        StoreError: it has ended before.
    """
    under_way.change(connection, exchange.owner, exchange.id, _to_row(exchange))
    search_index.add_later(connection, exchange.id)


def get(connection: Connection, owner: str, id: str) -> Exchange:
    """The exchange of this id.

    Raises:
        NotFound: there is none.
    """
    found = of_ids(connection, owner, [id])
    if not found:
        raise under_way.not_found(id)
    return found[0]


def of_ids(connection: Connection, owner: str, ids: Sequence[str]) -> list[Exchange]:
    """The exchanges of these ids, in the order given; those that are not there are left out."""
    found: dict[str, Exchange] = {}
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = select(table).where(
            owned_by(table.c.owner, owner), table.c.id.in_(ids[start : start + IDS_AT_ONCE])
        )
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
        raise under_way.not_found(id)
    return found


def spent(
    connection: Connection, owner: str, since: datetime, conversation: str | None = None
) -> Spent:
    """What was spent on exchanges asked at or after `since`, on those deleted since as well."""
    tokens, cost, priceless = _spent_on_one()
    stored = select(
        func.coalesce(func.sum(tokens), 0),
        func.coalesce(func.sum(cost), 0.0),
        func.count().filter(priceless),
    ).where(table.c.owner == owner, table.c.created >= since)
    deleted = select(
        func.coalesce(func.sum(removed.c.tokens), 0),
        func.coalesce(func.sum(removed.c.cost), 0.0),
        func.count().filter(removed.c.priceless),
    ).where(removed.c.owner == owner, removed.c.created >= since)
    if conversation is not None:
        stored = stored.where(table.c.conversation == conversation)
        deleted = deleted.where(removed.c.conversation == conversation)
    sums = [connection.execute(query).one() for query in (stored, deleted)]
    tokens_spent, cost_spent, unknown = (sum(parts) for parts in zip(*sums, strict=True))
    return Spent(int(tokens_spent), float(cost_spent), int(unknown))


def _spent_on_one() -> tuple[ColumnElement[int], ColumnElement[float], ColumnElement[bool]]:
    """Tokens, US dollars and whether the price is unknown; a cache hit costs nothing."""
    counts = ("usage_prompt", "usage_completion", "wasted_prompt", "wasted_completion")
    paid = not_(table.c.cached)
    tokens = sum((func.coalesce(table.c[f"{part}_tokens"], 0) for part in counts), literal(0))
    nothing_came = and_(
        table.c.status == "error",
        table.c.usage_prompt_tokens.is_(None),
        table.c.wasted_prompt_tokens.is_(None),
    )
    priceless = and_(
        paid, table.c.cost.is_(None), table.c.status != "streaming", not_(nothing_came)
    )
    cost = case((paid, func.coalesce(table.c.cost, 0.0)), else_=0.0)
    return case((paid, tokens), else_=0), cost, priceless


def remove(connection: Connection, conversation: str) -> None:
    """Delete a conversation's exchanges, words and files too; only what they cost is kept."""
    own = table.c.conversation == conversation
    ids = list(connection.execute(select(table.c.id).where(own)).scalars())
    search_index.remove(connection, ids)
    attached.remove(connection, ids)
    names = ("exchange", "conversation", "owner", "created", "tokens", "cost", "priceless")
    kept = select(
        table.c.id, table.c.conversation, table.c.owner, table.c.created, *_spent_on_one()
    ).where(own)
    connection.execute(insert(removed).from_select(names, kept))
    connection.execute(delete(table).where(own))


def saved(connection: Connection, owner: str) -> float:
    """US dollars that cache hits saved, as far as prices are known."""
    query = select(func.coalesce(func.sum(table.c.saved), 0.0)).where(table.c.owner == owner)
    return float(connection.execute(query).scalar_one())


def _owned(owner: str) -> Select[Any]:
    return select(table).where(table.c.owner == owner)


def _exchanges(connection: Connection, query: Select[Any]) -> list[Exchange]:
    return [from_row(row) for row in connection.execute(query).mappings()]


_USAGE = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "estimated")


def _to_row(exchange: Exchange) -> dict[str, Any]:
    files = {"__all__": {"content"}}
    row = exchange.model_dump(exclude={"usage": True, "wasted": True, "attachments": files})
    for kind, usage in (("usage", exchange.usage), ("wasted", exchange.wasted)):
        for part in _USAGE:
            row[f"{kind}_{part}"] = None if usage is None else getattr(usage, part)
    return row


def from_row(row: Mapping[Any, Any]) -> Exchange:
    """The exchange of a row of the table."""
    values = {name: row[name] for name in Exchange.model_fields if name not in ("usage", "wasted")}
    for kind in ("usage", "wasted"):
        usage = {part: row[f"{kind}_{part}"] for part in _USAGE}
        values[kind] = None if usage["prompt_tokens"] is None else usage
    return Exchange.model_validate(values)
