"""Exchanges under way: whose they are, whether that process lives, and what became of them.

A process of this machine can be looked at. One of another machine gives signs of life, by writing
what came and by `beat`; who gives none is taken for dead, and may take that back. Runs in a
transaction given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select, update

from chat_magics.errors import NotFound, StoreError
from chat_magics.history import search_index
from chat_magics.history.exchange import now
from chat_magics.history.process import ProcessMark, this_process
from chat_magics.history.schema import exchanges as table

__all__ = ["beat", "change", "has_streaming", "interrupt_dead", "not_found", "revive"]

SILENT_FOR = timedelta(hours=1)
"""After so long without a sign of life, a reply of another machine is taken for interrupted."""

BEATEN_FOR = timedelta(minutes=1)
"""The same on a server, which is given such signs every few seconds, but for rows of frames."""


def beat(connection: Connection, owner: str, id: str) -> None:
    """Note that a reply is still under way, though nothing has come of it.

    Raises:
        NotFound: there is no such exchange.
        StoreError: it has ended.
    """
    change(connection, owner, id, {})


def change(connection: Connection, owner: str, id: str, values: Mapping[str, Any]) -> None:
    """Set columns of an exchange that is under way, and note that it lives.

    Raises:
        NotFound: there is no such exchange.
        StoreError: it has ended.
    """
    mine = and_(table.c.id == id, table.c.owner == owner)
    altered = update(table).where(mine, table.c.status == "streaming")
    # The server's clock: those of the machines that use it may differ by minutes.
    touched: Any = func.clock_timestamp() if connection.dialect.name != "sqlite" else now()
    altered = altered.values(touched=touched)
    if connection.execute(altered, dict(values)).rowcount == 1:
        return
    if revive(connection, [id]) and connection.execute(altered, dict(values)).rowcount == 1:
        return
    status = connection.execute(select(table.c.status).where(mine)).scalar()
    if status is None:
        raise not_found(id)
    raise StoreError(f"Exchange {id} ended ({status}) and cannot change: ask again for a new one")


def revive(connection: Connection, ids: Sequence[str]) -> int:
    """Take back that another machine took this process for dead, as while the server was away.

    Args:
        connection: in a transaction.
        ids: of exchanges that may be concerned.

    Returns:
        how many are under way again.
    """
    host, pid, started = this_process()
    query = select(table.c.id, table.c.process_started).where(
        table.c.id.in_(ids),
        table.c.status == "interrupted",
        table.c.ended == table.c.touched,  # as `interrupt_dead` leaves it, and nothing else
        table.c.host == host,
        table.c.pid == pid,
    )
    ours = ProcessMark(host, pid, started)
    found = [row.id for row in connection.execute(query) if ours.is_at(row.process_started)]
    if found:
        search_index.remove(connection, found)
        again = update(table).where(table.c.id.in_(found))
        connection.execute(again.values(status="streaming", ended=None))
    return len(found)


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
            theirs.append(_silent(connection))
        # Locked, so that of two processes on a server one finds them.
        found = select(table.c.id).where(streams, *theirs).with_for_update()
        ids = list(connection.execute(found).scalars())
        ended = update(table).where(streams, *theirs)
        connection.execute(ended.values(status="interrupted", ended=table.c.touched))
        search_index.postpone(connection, ids)
        interrupted += len(ids)
    return interrupted


def _silent(connection: Connection) -> ColumnElement[bool]:
    """Whether a reply gave no sign of life for so long that it is taken for dead."""
    if connection.dialect.name == "sqlite":
        return table.c.touched < now() - SILENT_FOR
    moment = connection.execute(select(func.clock_timestamp())).scalar_one()
    patience = case((table.c.surface == "batch", SILENT_FOR), else_=BEATEN_FOR)
    silent: ColumnElement[bool] = table.c.touched + patience < moment
    return silent


def not_found(id: str) -> NotFound:
    """What is said of an exchange that is not there."""
    return NotFound(f"No exchange {id}: it is not in this history, or belongs to somebody else")
