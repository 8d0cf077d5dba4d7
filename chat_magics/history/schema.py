"""The tables, and how a database of an older layout becomes one of this layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
)

from chat_magics.errors import StoreError
from chat_magics.history.columns import Json, Prose, Utc

__all__ = [
    "LAYOUT",
    "MOVING",
    "Layout",
    "attachments",
    "conversations",
    "exchanges",
    "indexed",
    "make_word_index",
    "prepare",
    "refuse_newer",
    "removed",
    "stamp",
    "unindexed",
    "version_of",
]

_metadata = MetaData()

conversations = Table(
    "conversations",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", Prose, nullable=False),
    Column("name", Prose),
    Column("title", Prose, nullable=False),
    Column("created", Utc, nullable=False),
    Column("used", Utc, nullable=False),
    Column("path", Json, nullable=False),
    Column("origin", Prose, nullable=False),
    Column("tags", Json, nullable=False, server_default="[]"),
    UniqueConstraint("owner", "name"),
    Index("conversations_used", "owner", "used"),
    Index("conversations_origin", "owner", "origin", "used"),
)


def _tokens(kind: str) -> list[Column[int]]:
    counts = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    return [Column(f"{kind}_{count}", BigInteger) for count in counts]


exchanges = Table(
    "exchanges",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("conversation", String(32), nullable=False),
    Column("owner", Prose, nullable=False),
    Column("prompt", Prose, nullable=False),
    Column("sent", Prose, nullable=False),
    Column("system", Prose),
    Column("context", Json, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created", Utc, nullable=False),
    Column("ended", Utc),
    Column("base_url", Prose, nullable=False),
    Column("api", String(16), nullable=False),
    Column("model_asked", Prose, nullable=False),
    Column("model", Prose),
    Column("options", Json, nullable=False),
    Column("text", Prose, nullable=False),
    Column("reasoning", Prose, nullable=False),
    Column("finish_reason", Prose),
    *_tokens("usage"),
    Column("usage_estimated", Boolean),
    *_tokens("wasted"),
    Column("wasted_estimated", Boolean),
    Column("cost", Double),
    Column("saved", Double),
    Column("latency", Double),
    Column("time_to_first_token", Double),
    Column("attempts", Integer, nullable=False),
    Column("cached", Boolean, nullable=False),
    Column("stored_at", Utc),
    Column("request_id", Prose),
    Column("error_type", Prose),
    Column("error", Prose),
    Column("notes", Json, nullable=False),
    Column("surface", String(16), nullable=False),
    Column("cell", Prose),
    Column("execution", Prose),
    Column("supersedes", String(32)),
    # What is told of them; their contents are in a table of their own, and seldom read.
    Column("attachments", Json, nullable=False, server_default="[]"),
    # The process that writes a streaming row, and its last sign of life.
    Column("host", Prose, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_started", Double),
    Column("touched", Utc, nullable=False),
    # What a row of a frame asked: the same request finds its answer by it, in any later run.
    Column("request_key", String(64)),
    # With the owner in it, else SQLite may take the next one, and go through all of an owner's.
    Index("exchanges_conversation", "conversation", "owner", "created"),
    Index("exchanges_created", "owner", "created"),
    Index("exchanges_status", "status"),
    Index("exchanges_supersedes", "supersedes"),
)

_REQUEST_KEYS = (
    "CREATE INDEX exchanges_request_key ON exchanges (request_key) WHERE request_key IS NOT NULL"
)
# Not by an Index with `postgresql_where`, which loads that dialect for everybody: 2.5 MB.
event.listen(exchanges, "after_create", DDL(_REQUEST_KEYS))  # type: ignore[no-untyped-call]

attachments = Table(
    "attachments",
    _metadata,
    Column("exchange", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

# What was spent on exchanges that were deleted: budgets do not forget it. No text is kept.
removed = Table(
    "removed",
    _metadata,
    Column("exchange", String(32), primary_key=True),
    Column("conversation", String(32), nullable=False),
    Column("owner", Prose, nullable=False),
    Column("created", Utc, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("cost", Double, nullable=False),
    Column("priceless", Boolean, nullable=False),
    Index("removed_created", "owner", "created"),
    Index("removed_conversation", "conversation"),
)

# The words of an exchange stand under its number in `word_index`: SQLite's own row numbers would
# not do, since VACUUM changes them.
indexed = Table(
    "indexed",
    _metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("exchange", String(32), nullable=False, unique=True),
    sqlite_autoincrement=True,
)

# Ended exchanges whose words are not in the index yet; the next search puts them there.
unindexed = Table("unindexed", _metadata, Column("exchange", String(32), primary_key=True))

_WORD_INDEX = {
    # The words are made by search_words: here they are only split at blanks. They stay lists of
    # places; the text itself is stored once, in `exchanges`.
    "sqlite": (
        "CREATE VIRTUAL TABLE word_index"
        " USING fts5(prompt, reply, content='', columnsize=0, tokenize='ascii')",
    ),
    "postgresql": (
        "CREATE TABLE word_index (number BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
        "CREATE INDEX word_index_words ON word_index USING gin (words)",
    ),
}

_layout = Table(
    "chat_magics_layout",
    _metadata,
    Column("version", Integer, nullable=False),
    Column("needs", Prose, nullable=False),
)

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


def make_word_index(connection: Connection) -> None:
    """Make the full-text index, where this database can have one and has none."""
    if connection.dialect.name == "sqlite":
        modules = "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'"
        if not connection.exec_driver_sql(modules).scalar():
            return
    if not inspect(connection).has_table("word_index"):
        for statement in _WORD_INDEX[connection.dialect.name]:
            connection.exec_driver_sql(statement)


def _to_search(connection: Connection) -> None:
    """Layout 2: tags, search, attachments, what deleted exchanges cost, a better index."""
    for table, column in (("conversations", "tags"), ("exchanges", "attachments")):
        connection.exec_driver_sql(
            f"ALTER TABLE {table} ADD COLUMN {column} TEXT DEFAULT '[]' NOT NULL"
        )
    _metadata.create_all(connection, tables=[attachments, removed, indexed, unindexed])
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
    connection.exec_driver_sql(_REQUEST_KEYS)


LAYOUT = Layout(version=3, needs="0.3.0", steps={1: _to_search, 2: _to_rows})

MOVING = 1_000_000
"""The version of a database into which a history is being moved: no program opens it till then."""

_ADVISORY_LOCK = 0x63686174
"""Our number for PostgreSQL's advisory lock: one process at a time makes or changes tables."""


def version_of(connection: Connection) -> int:
    """The layout version of this database; 0 where it has none of our tables."""
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if not inspect(connection).has_table(_layout.name):
        return 0
    return int(connection.execute(select(_layout.c.version)).scalar_one())


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
        _metadata.create_all(connection)
        make_word_index(connection)
    else:
        for version in range(found, layout.version):
            layout.steps[version](connection)
    stamp(connection, layout.version, layout.needs)


def stamp(connection: Connection, version: int, needs: str) -> None:
    """Note of which version the tables are, and what older programs are told that they need."""
    connection.execute(delete(_layout))
    connection.execute(insert(_layout).values(version=version, needs=needs))
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
    known = inspect(connection).has_table(_layout.name)
    needs = connection.execute(select(_layout.c.needs)).scalar() if known else None
    wanted = f"chat_magics {needs} or newer" if needs else "a newer chat_magics"
    return (
        f"This history was written by a newer chat_magics (layout {found}, this one knows "
        f"{layout.version}); it needs {wanted}: pip install -U chat-magics"
    )
