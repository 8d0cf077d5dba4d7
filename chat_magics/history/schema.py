"""The tables of the history, and the index of its words."""

from __future__ import annotations

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
    event,
    inspect,
)

from chat_magics.history.columns import Json, Prose, Utc

__all__ = [
    "REQUEST_KEYS",
    "attachments",
    "conversations",
    "exchanges",
    "indexed",
    "layouts",
    "make_word_index",
    "metadata",
    "removed",
    "unindexed",
]

metadata = MetaData()

conversations = Table(
    "conversations",
    metadata,
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
    metadata,
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

REQUEST_KEYS = (
    "CREATE INDEX exchanges_request_key ON exchanges (request_key) WHERE request_key IS NOT NULL"
)
# Not by an Index with `postgresql_where`, which loads that dialect for everybody: 2.5 MB.
event.listen(exchanges, "after_create", DDL(REQUEST_KEYS))  # type: ignore[no-untyped-call]

attachments = Table(
    "attachments",
    metadata,
    Column("exchange", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

# What was spent on exchanges that were deleted: budgets do not forget it. No text is kept.
removed = Table(
    "removed",
    metadata,
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
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("exchange", String(32), nullable=False, unique=True),
    sqlite_autoincrement=True,
)

# Ended exchanges whose words are not in the index yet; the next search puts them there.
unindexed = Table("unindexed", metadata, Column("exchange", String(32), primary_key=True))

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

layouts = Table(
    "chat_magics_layout",
    metadata,
    Column("version", Integer, nullable=False),
    Column("needs", Prose, nullable=False),
)


def make_word_index(connection: Connection) -> None:
    """Make the full-text index, where this database can have one and has none."""
    if connection.dialect.name == "sqlite":
        modules = "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'"
        if not connection.exec_driver_sql(modules).scalar():
            return
    if not inspect(connection).has_table("word_index"):
        for statement in _WORD_INDEX[connection.dialect.name]:
            connection.exec_driver_sql(statement)
