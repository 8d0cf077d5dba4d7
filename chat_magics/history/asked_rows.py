"""Rows of frames that were asked: begun in blocks, ended in groups, found by what was asked.

Each is an exchange like any other, with the key of its request besides. Runs in a transaction
given; every function that reads takes the owner, and sees no other owner's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from chat_magics.errors import StoreError
from chat_magics.history import search_index
from chat_magics.history.exchange import Exchange, Status, now
from chat_magics.history.exchanges import marked
from chat_magics.history.expressions import owned_by
from chat_magics.history.schema import exchanges as table
from chat_magics.messages import Completion, Usage

__all__ = ["MISFIT", "RowAnswer", "RowAsked", "RowEnded", "begin", "drop", "find", "finish"]

MISFIT = "AnswerUnfit"
"""The kind of error of a reply that came, was paid for, and is not of the shape that was wanted."""

KEYS_AT_ONCE = 500


class RowAsked(NamedTuple):
    """A row before it is sent: id of its exchange, key of its request, its prompt."""

    id: str
    key: str
    prompt: str


class RowEnded(NamedTuple):
    """How a row ended.

    Args:
        id: of its exchange.
        status: `complete` or `error`.
        completion: the answer; None where none came.
        cost: US dollars; None where unknown.
        attempts: HTTP requests made.
        latency: seconds from its beginning to its end.
        error_type: class name of the error that ended it.
        error: that error's message.
        ended: when (UTC).
    """

    id: str
    status: Status
    completion: Completion | None
    cost: float | None
    attempts: int
    latency: float
    error_type: str | None
    error: str | None
    ended: datetime


class RowAnswer(NamedTuple):
    """The answer that a request was given before, with what it took then."""

    key: str
    text: str
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None
    latency: float | None
    attempts: int
    finish_reason: str | None
    error_type: str | None
    error: str | None


_COLUMNS = (
    table.c.request_key,
    table.c.text,
    table.c.model,
    table.c.usage_prompt_tokens,
    table.c.usage_completion_tokens,
    table.c.cost,
    table.c.latency,
    table.c.attempts,
    table.c.finish_reason,
    table.c.error_type,
    table.c.error,
)


def find(connection: Connection, owner: str, keys: Iterable[str]) -> dict[str, RowAnswer]:
    """The newest answer to each of these requests that has one, by its key.

    A reply that did not fit counts as one: it was paid for. What failed without a reply does not.
    """
    found: dict[str, RowAnswer] = {}
    left = iter(keys)
    answered = or_(table.c.status == "complete", table.c.error_type == MISFIT)
    query = select(*_COLUMNS).where(
        table.c.request_key.in_(bindparam("keys", expanding=True)),
        owned_by(table.c.owner, owner),
        answered,
    )
    query = query.order_by(table.c.created)
    while some := list(islice(left, KEYS_AT_ONCE)):
        rows = connection.execute(query, {"keys": some})
        found.update((row[0], RowAnswer._make(row)) for row in rows)
    return found


def begin(connection: Connection, first: Exchange, rows: Sequence[RowAsked]) -> None:
    """Store rows before they are sent, with the mark of this process.

    Args:
        connection: in a transaction.
        first: what the rows have in common; its id and prompt are not looked at.
        rows: at least one.
    """
    (common,) = marked([first])
    connection.execute(
        insert(table),
        [
            {**common, "id": id, "prompt": prompt, "sent": prompt, "request_key": key}
            for id, key, prompt in rows
        ],
    )


def finish(connection: Connection, rows: Sequence[RowEnded]) -> None:
    """Store how rows ended, and have their words indexed with the next search.

    Raises:
        StoreError: one of them was not begun, or has ended before.
    """
    streams = table.c.status == "streaming"
    change = update(table).where(table.c.id == bindparam("row"), streams)
    changed = connection.execute(change, [_values(row) for row in rows]).rowcount
    if changed != len(rows):
        raise StoreError(f"{len(rows) - changed} rows of this run are gone from the history")
    search_index.postpone(connection, [row.id for row in rows])


def drop(connection: Connection, ids: Sequence[str]) -> None:
    """Take rows away that were begun and never sent."""
    for start in range(0, len(ids), KEYS_AT_ONCE):
        some = ids[start : start + KEYS_AT_ONCE]
        connection.execute(delete(table).where(table.c.id.in_(some), table.c.status == "streaming"))


_NO_USAGE = Usage()


def _values(row: RowEnded) -> dict[str, Any]:
    came = row.completion
    values: dict[str, Any] = {
        "row": row.id,
        "status": row.status,
        "ended": row.ended,
        "touched": now(),
        "cost": row.cost,
        "attempts": row.attempts,
        "latency": row.latency,
        "error_type": row.error_type,
        "error": row.error,
        "model": came and came.model,
        "text": came.text if came else "",
        "reasoning": came.reasoning if came else "",
        "finish_reason": came and came.finish_reason,
        "request_id": came and came.request_id,
        "notes": list(came.notes) if came else [],
    }
    for kind, usage in (("usage", came and came.usage), ("wasted", came and came.wasted)):
        told = usage or _NO_USAGE
        known = usage is not None
        values[f"{kind}_prompt_tokens"] = told.prompt_tokens if known else None
        values[f"{kind}_completion_tokens"] = told.completion_tokens if known else None
        values[f"{kind}_cached_tokens"] = told.cached_tokens if known else None
        values[f"{kind}_reasoning_tokens"] = told.reasoning_tokens if known else None
        values[f"{kind}_estimated"] = told.estimated if known else None
    return values
