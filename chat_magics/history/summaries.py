"""Conversations summed up by the database: queries, tokens, cost, models and duration of each."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select

from chat_magics.frames import SCHEMA
from chat_magics.history.expressions import (
    answering_model,
    cost_sum,
    list_length,
    seconds,
    spent_tokens,
)
from chat_magics.history.filters import ALL_OWNERS, Filter
from chat_magics.history.schema import conversations as talks
from chat_magics.history.schema import exchanges as table

__all__ = ["columns"]

_NOTHING_ASKED = {"queries": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost": 0.0}


def columns(
    connection: Connection, filter: Filter, own: str, limit: int | None
) -> dict[str, list[Any]]:
    """The columns of a frame of conversations, the one that was used last first.

    Args:
        connection: in a transaction.
        filter: the exchanges that count; where it only names an owner or conversations, those
            without any exchange are listed too.
        own: the owner that is meant where the filter names none.
        limit: so many at most; None for all.
    """
    listed = _listed(connection, filter, own, limit).cte("listed")
    clauses = filter.where(own)
    if limit is not None:
        clauses.append(table.c.conversation.in_(select(listed.c.id)))
    figures = _figures(connection, clauses).subquery()
    query = select(listed, *(column for column in figures.c if column.name != "conversation"))
    query = query.outerjoin_from(listed, figures, figures.c.conversation == listed.c.id)
    found = connection.execute(query.order_by(*_newest_first(listed))).mappings().all()
    models = _models(connection, clauses)
    filled: dict[str, list[Any]] = {column.name: [] for column in SCHEMA["conversations"]}
    for row in found:
        told = {**row, "tags": ", ".join(row["tags"]), "models": models.get(row["id"], "")}
        if not told["queries"]:
            told |= _NOTHING_ASKED
        for name, values in filled.items():
            values.append(told[name])
    return filled


def _listed(connection: Connection, filter: Filter, own: str, limit: int | None) -> Select[Any]:
    told = (talks.c[name] for name in ("id", "name", "title", "tags", "created", "used"))
    query = select(*told, list_length(connection, talks.c.path).label("in_path"))
    if filter.owner != ALL_OWNERS:
        query = query.where(talks.c.owner == (own if filter.owner is None else filter.owner))
    if filter.conversation is not None:
        query = query.where(talks.c.id.in_(filter.conversation))
    if filter.of_exchanges:
        query = query.where(exists().where(table.c.conversation == talks.c.id, *filter.where(own)))
    return query.order_by(*_newest_first(talks)).limit(limit)


def _newest_first(of: Any) -> tuple[Any, ...]:
    return of.c.used.desc(), of.c.created.desc(), of.c.id


def _figures(connection: Connection, clauses: list[ColumnElement[bool]]) -> Select[Any]:
    first = func.min(table.c.created)
    last = func.max(func.coalesce(table.c.ended, table.c.created))
    return (
        select(
            table.c.conversation,
            func.count().label("queries"),
            func.sum(spent_tokens("prompt_tokens")).label("prompt_tokens"),
            func.sum(spent_tokens("completion_tokens")).label("completion_tokens"),
            cost_sum().label("cost"),
            (seconds(connection, last) - seconds(connection, first)).label("duration"),
        )
        .where(*clauses)
        .group_by(table.c.conversation)
    )


def _models(connection: Connection, clauses: list[ColumnElement[bool]]) -> dict[str, str]:
    """Of each conversation its models, in the order of the alphabet."""
    each = select(table.c.conversation, answering_model().label("model")).where(*clauses).distinct()
    names: dict[str, list[str]] = defaultdict(list)
    for conversation, model in connection.execute(each):
        names[conversation].append(model)
    return {
        conversation: ", ".join(sorted(filter(None, models)))
        for conversation, models in names.items()
    }
