"""Copying: rows of one database as they are to stand in another, in batches, and their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    delete,
    func,
    inspect,
    literal,
    select,
    tuple_,
)

from chat_magics.history import search_index
from chat_magics.history.columns import Json, Prose
from chat_magics.history.schema import attachments, conversations, exchanges, removed

__all__ = ["TABLES", "Digest", "batches", "counted", "digest", "remove", "rows_of"]

TABLES = (conversations, exchanges, attachments, removed)
"""What a history holds. The index of its words is made of these."""

ROWS_AT_ONCE = 500
BYTES_AT_ONCE = 4_000_000

T = TypeVar("T")
Key = tuple[Any, ...]
Row = dict[str, Any]
Read = Callable[[Callable[[Connection], Any]], Any]


class Digest(NamedTuple):
    """How many rows, and one number of all of their values, in whatever order they stand."""

    rows: int
    hash: int


def batches(read: Read, table: Table) -> Iterator[list[Key]]:
    """The keys of a table, as many at a time as memory holds the rows of.

    Args:
        read: runs work that reads, on a connection.
        table: one of TABLES.
    """
    last: Key | None = None
    while page := read(partial(_page, table=table, after=last)):
        batch: list[Key] = []
        size = 0
        for *key, weight in page:
            if batch and size + weight > BYTES_AT_ONCE:
                yield batch
                batch, size = [], 0
            batch.append(tuple(key))
            size += weight
        yield batch
        last = tuple(page[-1][:-1])


def _page(connection: Connection, table: Table, after: Key | None) -> Sequence[Any]:
    keys = list(table.primary_key.columns)
    large = [c for c in table.columns if isinstance(c.type, (Json, LargeBinary, Prose))]
    there = _there(connection, table)
    if not there:
        return []
    weight: ColumnElement[int] = literal(0)
    for column in large:
        if column.name in there:
            # SQLAlchemy would have the length come through the column's own type.
            weight = weight + func.coalesce(func.length(column, type_=literal(0).type), 0)
    query = select(*keys, weight).order_by(*keys).limit(ROWS_AT_ONCE)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*(literal(part) for part in after)))
    return connection.execute(query).all()


def _there(connection: Connection, table: Table) -> set[str]:
    """The columns that a database has of a table: one of an older layout has fewer, or none."""
    found: dict[str, set[str]] = connection.info.setdefault("chat_magics_columns", {})
    if table.name not in found:
        inspector = inspect(connection)
        has = inspector.get_columns(table.name) if inspector.has_table(table.name) else []
        found[table.name] = {column["name"] for column in has}
    return found[table.name]


def counted(connection: Connection, table: Table) -> int:
    """How many rows a table has; an older layout may have no such table."""
    if not _there(connection, table):
        return 0
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def rows_of(connection: Connection, table: Table, keys: Sequence[Key]) -> dict[Key, Row]:
    """Whole rows by their keys; what an older layout lacks has the value that it gets there."""
    there = _there(connection, table)
    if not there:
        return {}
    own = [column for column in table.columns if column.name in there]
    query = select(*own).where(_among(table, keys))
    missing = {c.name: _default(c) for c in table.columns if c.name not in there}
    names = [column.name for column in table.primary_key.columns]
    return {
        tuple(row[name] for name in names): {**dict(row), **missing}
        for row in connection.execute(query).mappings()
    }


def remove(connection: Connection, table: Table, keys: Sequence[Key]) -> None:
    """Delete rows, those of exchanges with their words in the index."""
    if table is exchanges:
        search_index.remove(connection, [id for (id,) in keys])
    connection.execute(delete(table).where(_among(table, keys)))


def _among(table: Table, keys: Sequence[Key]) -> ColumnElement[bool]:
    columns = list(table.primary_key.columns)
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(list(keys))


def _default(column: Column[Any]) -> Any:
    given = column.server_default
    return json.loads(given.arg) if given is not None else None  # type: ignore[attr-defined]


def digest(read: Read, table: Table, told: Callable[[int], None]) -> Digest:
    """Of all rows of a table; on whichever database, the same for the same rows.

    Args:
        read: as for `batches`.
        table: one of TABLES.
        told: called with how many rows were read.
    """
    count = total = 0
    for keys in batches(read, table):
        rows = read(partial(rows_of, table=table, keys=keys))
        for row in rows.values():
            total = (total + _hash(table, row)) % 2**256
        count += len(rows)
        told(count)
    return Digest(count, total)


def _hash(table: Table, row: Row) -> int:
    values = [row[column.name] for column in table.columns]
    text = json.dumps(values, default=_plain, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), "big")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, (bytes, memoryview))
    return hashlib.sha256(value).hexdigest()
