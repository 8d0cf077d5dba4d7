"""Search over all conversations: what matches, ranked, as rows with snippets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, TableClause, column, select, table

from chat_magics.errors import InvalidRequest, NotFound
from chat_magics.history import conversations as talks
from chat_magics.history import search_index
from chat_magics.history.filters import ALL_OWNERS, Filter
from chat_magics.history.given import number_given
from chat_magics.history.schema import conversations, exchanges, indexed
from chat_magics.history.search_query import Query
from chat_magics.history.search_rank import Hit, looked_at, ranked
from chat_magics.history.search_snippet import snippet

__all__ = ["Found", "find"]

RANKED = 1_000
"""So many matches are ranked, the newest; to rank 300,000 would take seconds."""

LOOKED_AT = 10_000
"""So many texts are looked through where the index does not know phrases."""

_index: TableClause = table("word_index", column("rowid"), column("number"))


@dataclass(frozen=True)
class Found:
    """What a search gave.

    Args:
        columns: as SCHEMA names them for `search`.
        note: what must be said of it, one line; empty where there is nothing to say.
    """

    columns: dict[str, list[Any]]
    note: str = ""


def find(
    connection: Connection, owner: str, query: Query, wanted: Filter, limit: int
) -> Found | None:
    """The best matches; None where exchanges wait to be put into the index first.

    Args:
        connection: in a transaction.
        owner: whose exchanges are meant where the filter names nobody.
        query: as it was typed.
        wanted: what else narrows it.
        limit: rows at most, 1 to 1,000.

    Raises:
        InvalidRequest: the limit is not one, or the value of a field makes no sense.
        StoreError: this SQLite has no full-text search.
    """
    limit = number_given("limit", limit, of="rows", most=RANKED)
    if search_index.is_behind(connection):
        return None
    search_index.check_usable(connection)
    clauses = wanted.where(owner)
    for field, value in query.fields:
        clauses += _meant(connection, owner, wanted, field, value).where(owner)
    hits, note = _newest(connection, query, clauses)
    return Found(_rows(connection, query, ranked(hits)[:limit]), note)


def _meant(connection: Connection, owner: str, wanted: Filter, field: str, value: str) -> Filter:
    """The filter of one field that was typed; a conversation by its name or id."""
    if field == "conversation":
        try:
            whose = owner if wanted.owner in (None, ALL_OWNERS) else str(wanted.owner)
            value = talks.by_ref(connection, whose, value).id
        except NotFound as error:
            raise InvalidRequest(error.message) from None
    return replace(Filter(owner=wanted.owner), **{field: value})


def _newest(
    connection: Connection, query: Query, clauses: Sequence[ColumnElement[bool]]
) -> tuple[list[Hit], str]:
    """The matches that came into history last, at most 1,000, and what must be said of them."""
    own_words = _index.c.rowid if connection.dialect.name == "sqlite" else _index.c.number
    matches: Select[Any] = (
        select(exchanges.c.id, exchanges.c.prompt, exchanges.c.text)
        .select_from(_index)
        .join(indexed, indexed.c.number == own_words)
        .join(exchanges, exchanges.c.id == indexed.c.exchange)
        .where(search_index.matching(connection, query), *clauses)
        .order_by(own_words.desc())
        .limit(LOOKED_AT + 1)
    )
    hits: list[Hit] = []
    rows = connection.execute(matches, execution_options={"yield_per": 100})
    for looked, (id, prompt, reply) in enumerate(rows):
        if looked == LOOKED_AT:
            rows.close()
            return hits, f"only the newest {looked:,} that hold these words were looked through"
        hit = looked_at(id, query, prompt, reply)
        if hit and len(hits) == RANKED:
            rows.close()
            return hits, f"ranked among the newest {RANKED:,} matches; there are more"
        hits += [hit] if hit else []
    return hits, ""


def _rows(
    connection: Connection, query: Query, best: Sequence[tuple[Hit, float]]
) -> dict[str, list[Any]]:
    stored = _stored(connection, [hit.id for hit, _ in best])
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for rank, (hit, score) in enumerate(best, start=1):
        row = stored[hit.id]
        text = row["prompt"] if hit.role == "user" else row["text"]
        values = (
            rank,
            row["conversation"],
            row["name"] or row["title"],
            hit.id,
            hit.role,
            snippet(text, query.terms),
            row["created"],
            row["model"] or row["model_asked"],
            score,
        )
        for name, value in zip(_COLUMNS, values, strict=True):
            columns[name].append(value)
    return columns


_COLUMNS = (
    "rank",
    "conversation",
    "title",
    "exchange",
    "role",
    "snippet",
    "created",
    "model",
    "score",
)


def _stored(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    query = (
        select(
            exchanges.c.id,
            exchanges.c.conversation,
            exchanges.c.prompt,
            exchanges.c.text,
            exchanges.c.created,
            exchanges.c.model,
            exchanges.c.model_asked,
            conversations.c.name,
            conversations.c.title,
        )
        .outerjoin_from(exchanges, conversations, conversations.c.id == exchanges.c.conversation)
        .where(exchanges.c.id.in_(ids))
    )
    return {row["id"]: row for row in connection.execute(query).mappings()}
