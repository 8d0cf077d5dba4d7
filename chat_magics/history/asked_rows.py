"""Rows of frames that were asked: begun in blocks, ended in groups, found by what was asked.

Each is an exchange like any other, with the key of its request besides. Runs in a transaction
given; every function that reads takes the owner, and sees no other owner's rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    Connection,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from chat_magics.errors import StoreError
from chat_magics.history import search_index, under_way
from chat_magics.history.columns import escaped
from chat_magics.history.exchange import Exchange, Status
from chat_magics.history.exchanges import marked
from chat_magics.history.expressions import owned_by
from chat_magics.history.schema import exchanges as table
from chat_magics.messages import Completion, Usage

__all__ = ["MISFIT", "RowAnswer", "RowAsked", "RowEnded", "begin", "drop", "find", "finish"]

MISFIT = "AnswerUnfit"
"""The kind of error of a reply that came, was paid for, and is not of the shape that was wanted."""

KEYS_AT_ONCE = 500

CHARACTERS_AT_ONCE = 8_000_000


class RowAsked(NamedTuple):
    """A row before it is sent: id of its exchange, key of its request, its prompt."""

    id: str
    key: str
    prompt: str


class RowEnded(NamedTuple):
    """How a row ended.

    Args:
        id: of its exchange.
        status: `complete`, `error` or `stopped`.
        completion: the answer; None where none came.
        cost: US dollars; None where unknown.
        attempts: HTTP requests made.
        latency: seconds from its beginning to its end.
        error_type: class name of the error that ended it.
        error: that error's message, or what must be said of it else.
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
    ended: datetime | None


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
    table.c.ended,
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
    id, key, prompt = rows[0]
    own = {"id": id, "prompt": prompt, "sent": prompt, "request_key": key}
    connection.execute(insert(table), common | own)
    for some in _lists(rows[1:]):
        connection.execute(_further(connection.dialect.name), {"rows": some, "first": id})


def _lists(rows: Sequence[RowAsked]) -> Iterator[str]:
    """Rows as JSON lists, none longer than a database takes as one text."""
    some: list[tuple[str, str, str]] = []
    characters = 0
    for row in rows:
        some.append((row.id, escaped(row.prompt), row.key))
        characters += len(row.prompt)
        if characters > CHARACTERS_AT_ONCE or row is rows[-1]:
            # Not as ASCII: half of a surrogate pair is refused by the driver, and never kept.
            yield json.dumps(some, ensure_ascii=False)
            some, characters = [], 0


@cache
def _further(dialect: str) -> Any:
    """Rows with their own id, prompt and key, all else as in the row `first`.

    One statement for all of them, to which they go as one text: a statement each took three times
    as long, and gave the interpreter's lock away at each.
    """
    each, (id, prompt, key) = _given(dialect)
    own = {"id": id, "prompt": prompt, "sent": prompt, "request_key": key}
    others = [column for column in table.c if column.name not in own]
    source = table.alias("source")
    copied = select(*own.values(), *(source.c[column.name] for column in others))
    copied = copied.select_from(each.join(source, source.c.id == bindparam("first")))
    return insert(table).from_select([*own, *(column.name for column in others)], copied)


def _given(dialect: str) -> tuple[Any, list[Any]]:
    """The lists in the JSON list `rows`, and the three values of each."""
    rows = bindparam("rows", type_=Text)
    if dialect == "postgresql":
        each = func.json_array_elements(cast(rows, JSON)).table_valued("value", name="each")
        return each, [func.json_extract_path_text(each.c.value, str(place)) for place in range(3)]
    each = func.json_each(rows).table_valued("value", name="each")
    return each, [func.json_extract(each.c.value, f"$[{place}]") for place in range(3)]


def finish(connection: Connection, rows: Sequence[RowEnded]) -> None:
    """Store how rows ended, and have their words indexed with the next search.

    Those that have ended so already are passed over: a server that went away may have stored them.

    Raises:
        StoreError: one of them was not begun, or has ended otherwise.
    """
    changed = _change(connection, rows)
    if changed != len(rows):
        left = _not_ended_so(connection, rows)
        under_way.revive(connection, [row.id for row in left])
        if _change(connection, left) != len(left):
            raise StoreError(f"{len(left)} rows of this run are gone from the history")
        search_index.remove(connection, [row.id for row in rows])  # what ended so already is there
    search_index.postpone(connection, [row.id for row in rows])


def _change(connection: Connection, rows: Sequence[RowEnded]) -> int:
    streams = table.c.status == "streaming"
    change = update(table).where(table.c.id == bindparam("row"), streams)
    return sum(connection.execute(change, some).rowcount for some in _alike(rows))


def _not_ended_so(connection: Connection, rows: Sequence[RowEnded]) -> list[RowEnded]:
    ended: dict[str, tuple[str, datetime | None]] = {}
    for start in range(0, len(rows), KEYS_AT_ONCE):
        some = [row.id for row in rows[start : start + KEYS_AT_ONCE]]
        query = select(table.c.id, table.c.status, table.c.ended).where(table.c.id.in_(some))
        ended |= {id: (status, when) for id, status, when in connection.execute(query)}
    return [row for row in rows if ended.get(row.id) != (row.status, row.ended)]


def drop(connection: Connection, ids: Sequence[str]) -> None:
    """Take rows away that were begun and never sent."""
    for start in range(0, len(ids), KEYS_AT_ONCE):
        some = ids[start : start + KEYS_AT_ONCE]
        connection.execute(delete(table).where(table.c.id.in_(some), table.c.status == "streaming"))


def _alike(rows: Sequence[RowEnded]) -> list[list[dict[str, Any]]]:
    """The values that change, in lists of rows in which the same ones do."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        values = _values(row)
        alike.setdefault(tuple(values), []).append(values)
    return list(alike.values())


def _values(row: RowEnded) -> dict[str, Any]:
    """What changes; what stays as a row began is left out, for each value costs time."""
    values: dict[str, Any] = {
        "row": row.id,
        "status": row.status,
        "ended": row.ended,
        "cost": row.cost,
        "attempts": row.attempts,
        "latency": row.latency,
    }
    if row.error is not None:
        values |= {"error_type": row.error_type, "error": row.error}
    came = row.completion
    if came is None:
        return values
    values |= {
        "model": came.model,
        "text": came.text,
        "finish_reason": came.finish_reason,
        "request_id": came.request_id,
        **_tokens("usage", came.usage),
    }
    if came.reasoning:
        values["reasoning"] = came.reasoning
    if came.notes:
        values["notes"] = list(came.notes)
    if came.wasted is not None:
        values |= _tokens("wasted", came.wasted)
    if came.cached:
        values |= {"cached": True, "stored_at": came.stored_at}
    return values


def _tokens(kind: str, usage: Usage) -> dict[str, Any]:
    return {
        f"{kind}_prompt_tokens": usage.prompt_tokens,
        f"{kind}_completion_tokens": usage.completion_tokens,
        f"{kind}_cached_tokens": usage.cached_tokens,
        f"{kind}_reasoning_tokens": usage.reasoning_tokens,
        f"{kind}_estimated": usage.estimated,
    }
