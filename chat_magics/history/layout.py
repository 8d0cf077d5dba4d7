"""The versions of the tables: how a database of an older one becomes one of this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, inspect, select

from chat_magics.errors import StoreError
from chat_magics.history.schema import (
    REQUEST_KEYS,
    attachments,
    exchanges,
    indexed,
    layouts,
    make_word_index,
    metadata,
    removed,
    unindexed,
)

__all__ = [
    "LAYOUT",
    "MOVING",
    "Layout",
    "prepare",
    "refuse_newer",
    "stamp",
    "version_of",
]

Step = Callable[[Connection], None]


@dataclass(frozen=True)
class Layout:
    """A version of the tables, and the steps that lead to it.

    Args:
        version: counts the layouts, from 1.
        needs: the first release of chat_magics that reads it; told to older ones.
        steps: `steps[n]` changes a database of version n to n + 1.

    Example:
        >>> LAYOUT.version in LAYOUT.steps
        False
    """

    version: int
    needs: str
    steps: Mapping[int, Step]


def _to_search(connection: Connection) -> None:
    """Layout 2: tags, search, attachments, what deleted exchanges cost, a better index."""
    for table, column in (("conversations", "tags"), ("exchanges", "attachments")):
        connection.exec_driver_sql(
            f"ALTER TABLE {table} ADD COLUMN {column} TEXT DEFAULT '[]' NOT NULL"
        )
    metadata.create_all(connection, tables=[attachments, removed, indexed, unindexed])
    make_word_index(connection)
    connection.exec_driver_sql("DROP INDEX exchanges_conversation")
    connection.exec_driver_sql(
        "CREATE INDEX exchanges_conversation ON exchanges (conversation, owner, created)"
    )
    connection.exec_driver_sql(
        "CREATE INDEX conversations_origin ON conversations (owner, origin, used)"
    )
    ended = select(exchanges.c.id).where(exchanges.c.status != "streaming")
    connection.execute(insert(unindexed).from_select(["exchange"], ended))


def _to_rows(connection: Connection) -> None:
    """Layout 3: answers to rows of frames are found by what was asked."""
    connection.exec_driver_sql("ALTER TABLE exchanges ADD COLUMN request_key VARCHAR(64)")
    connection.exec_driver_sql(REQUEST_KEYS)


LAYOUT = Layout(version=3, needs="0.3.0", steps={1: _to_search, 2: _to_rows})

MOVING = 1_000_000
"""The version of a database into which a history is being moved: no program opens it till then."""

_ADVISORY_LOCK = 0x63686174
"""Our number for PostgreSQL's advisory lock: one process at a time makes or changes tables."""


def version_of(connection: Connection) -> int:
    """The layout version of this database; 0 where it has none of our tables."""
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if not inspect(connection).has_table(layouts.name):
        return 0
    return int(connection.execute(select(layouts.c.version)).scalar_one())


def prepare(connection: Connection, layout: Layout = LAYOUT) -> None:
    """Make the tables, or bring them to `layout`, within the transaction that is open.

    Raises:
        StoreError: the database was written by a newer chat_magics.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    found = refuse_newer(connection, layout)
    if found == layout.version:
        return
    if found == 0:
        metadata.create_all(connection)
        make_word_index(connection)
    else:
        for version in range(found, layout.version):
            layout.steps[version](connection)
    stamp(connection, layout.version, layout.needs)


def stamp(connection: Connection, version: int, needs: str) -> None:
    """Note of which version the tables are, and what older programs are told that they need."""
    connection.execute(delete(layouts))
    connection.execute(insert(layouts).values(version=version, needs=needs))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {version:d}")


def refuse_newer(connection: Connection, layout: Layout = LAYOUT) -> int:
    """The version of the tables, which this program knows.

    Raises:
        StoreError: the database was written by a newer chat_magics, or is being moved into.
    """
    found = version_of(connection)
    if found > layout.version:
        raise StoreError(_too_new(connection, found, layout))
    return found


def _too_new(connection: Connection, found: int, layout: Layout) -> str:
    if found == MOVING:
        return (
            "A history is being moved here and is not whole yet: let chat-magics move end, or run "
            "the same command again where it was cut off"
        )
    known = inspect(connection).has_table(layouts.name)
    needs = connection.execute(select(layouts.c.needs)).scalar() if known else None
    wanted = f"chat_magics {needs} or newer" if needs else "a newer chat_magics"
    return (
        f"This history was written by a newer chat_magics (layout {found}, this one knows "
        f"{layout.version}); it needs {wanted}: pip install -U chat-magics"
    )
