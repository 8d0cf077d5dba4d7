"""Contents of the files that went with prompts. Runs in a transaction given."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from chat_magics.history.exchange import Exchange
from chat_magics.history.schema import attachments as table
from chat_magics.history.schema import exchanges as exchange_table

__all__ = ["add", "filled", "remove"]

IDS_AT_ONCE = 500


def add(connection: Connection, exchanges: Sequence[Exchange]) -> None:
    """Store the contents that these exchanges bring with them."""
    rows = [
        {"exchange": exchange.id, "number": number, "content": info.content}
        for exchange in exchanges
        for number, info in enumerate(exchange.attachments)
        if info.content is not None
    ]
    if rows:
        connection.execute(insert(table), rows)


def filled(connection: Connection, owner: str, exchanges: Sequence[Exchange]) -> list[Exchange]:
    """The same exchanges with the contents of their files, as far as those are kept."""
    asked = [exchange.id for exchange in exchanges if exchange.attachments]
    found: dict[tuple[str, int], bytes] = {}
    for start in range(0, len(asked), IDS_AT_ONCE):
        query = (
            select(table)
            .join(exchange_table, exchange_table.c.id == table.c.exchange)
            .where(exchange_table.c.owner == owner)
            .where(table.c.exchange.in_(asked[start : start + IDS_AT_ONCE]))
        )
        found.update(((row.exchange, row.number), row.content) for row in connection.execute(query))
    return [_with(exchange, found) if exchange.attachments else exchange for exchange in exchanges]


def _with(exchange: Exchange, found: dict[tuple[str, int], bytes]) -> Exchange:
    infos = [
        info.model_copy(update={"content": found.get((exchange.id, number))})
        for number, info in enumerate(exchange.attachments)
    ]
    return exchange.model_copy(update={"attachments": tuple(infos)})


def remove(connection: Connection, exchanges: Sequence[str]) -> None:
    """Delete the contents of the files of these exchanges."""
    for start in range(0, len(exchanges), IDS_AT_ONCE):
        some = exchanges[start : start + IDS_AT_ONCE]
        connection.execute(delete(table).where(table.c.exchange.in_(some)))
