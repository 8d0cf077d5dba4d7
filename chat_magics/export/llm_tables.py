"""Rows of llm's log, whatever columns its version has, and what is alike in all generations."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from chat_magics.export.foreign import items, moment, table, tokens, usable, word
from chat_magics.export.said import Said
from chat_magics.messages import Usage

__all__ = ["Row", "Tables", "parsed", "reply"]

Row = Mapping[str, object]

_ENDS = MappingProxyType(
    {
        "completed": "stop",
        "end_turn": "stop",
        "incomplete": "length",
        "max_tokens": "length",
        "stop_sequence": "stop",
    }
)
"""Words of several servers for how a reply ended, in those of the API."""

DEEPEST = 20
"""Levels of JSON that are read; the options of a model have two or three."""

_LONGEST_MS = 366 * 24 * 3_600_000


class Tables:
    """The tables of a file.

    Args:
        connection: to the file; closing it is left to the caller.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        self._columns = {name: self._columns_of(name) for (name,) in names.fetchall()}

    def _columns_of(self, name: str) -> set[str]:
        quoted = name.replace('"', '""')
        return {row[1] for row in self._connection.execute(f'PRAGMA table_info("{quoted}")')}

    def has(self, name: str, *columns: str) -> bool:
        """True where the table is there, with all of these columns."""
        return name in self._columns and self._columns[name].issuperset(columns)

    def rows(
        self, name: str, *columns: str, order: str = "", **where: object
    ) -> Iterator[dict[str, object]]:
        """Rows of a table; of a column that this version does not have, None.

        Args:
            name: of the table; where it is not there, there are no rows.
            columns: those wanted.
            order: the column to sort by; empty leaves them as they stand.
            where: the values that columns must have.
        """
        there = self._columns.get(name)
        if not there or not there.issuperset(where):
            return
        wanted = ", ".join(f'"{column}"' if column in there else "NULL" for column in columns)
        query = f'SELECT {wanted} FROM "{name}"'
        if where:
            query += " WHERE " + " AND ".join(f'"{column}" = ?' for column in where)
        if order in there:
            query += f' ORDER BY "{order}"'
        for row in self._connection.execute(query, tuple(where.values())):
            yield dict(zip(columns, row, strict=True))

    def counts(self, name: str, column: str) -> dict[str, int]:
        """How many rows a table has for each value of a column."""
        if not self.has(name, column):
            return {}
        query = f'SELECT "{column}", count(*) FROM "{name}" GROUP BY 1'
        return {str(value): count for value, count in self._connection.execute(query)}


def parsed(text: object) -> dict[str, Any]:
    """The JSON object that a column holds; an empty one where it holds none.

    What no database takes is mended: numbers that are none, texts, and what nests too deep.
    """
    try:
        return table(_mended(json.loads(word(text) or "{}"), DEEPEST))
    except (ValueError, RecursionError):
        return {}


def _mended(value: object, levels: int) -> object:
    if isinstance(value, str):
        return usable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if not isinstance(value, (dict, list)):
        return value
    if not levels:
        return "nested too deep"
    if isinstance(value, list):
        return [_mended(item, levels - 1) for item in value]
    return {usable(name): _mended(item, levels - 1) for name, item in value.items()}


def reply(id: str, parent: str | None, row: Row) -> Said:
    """What the row of one call tells about its reply, without the text.

    Args:
        id: of the reply.
        parent: the id of the message before it.
        row: with the columns that `responses` and `turns` have in common.
    """
    answer = parsed(row.get("response_json"))
    began = moment(row.get("datetime_utc"))
    took = row.get("duration_ms")
    timed = isinstance(took, int) and 0 <= took < _LONGEST_MS
    latency = took / 1000 if timed and isinstance(took, int) else None
    asked = word(row.get("model")) or None
    return Said(
        id,
        parent,
        "assistant",
        created=began,
        ended=began + timedelta(seconds=latency or 0) if began else None,
        asked=asked,
        model=word(row.get("resolved_model")) or asked,
        finish_reason=_finish_reason(answer),
        usage=_usage(row, answer),
        latency=latency,
        options=parsed(row.get("options_json")),
        left_out=("schema of the reply",) if row.get("schema_id") else (),
    )


def _usage(row: Row, answer: Mapping[str, object]) -> Usage | None:
    """The tokens, from the columns or, before there were any, from the server's own answer."""
    told = table(answer.get("usage"))
    prompt, completion = row.get("input_tokens"), row.get("output_tokens")
    if prompt is None and completion is None:
        prompt = told.get("prompt_tokens", told.get("input_tokens"))
        completion = told.get("completion_tokens", told.get("output_tokens"))
    if prompt is None and completion is None:
        return None
    details = parsed(row.get("token_details")) or told
    sent = table(details.get("prompt_tokens_details", details.get("input_tokens_details")))
    came = table(details.get("completion_tokens_details", details.get("output_tokens_details")))
    return Usage(
        prompt_tokens=tokens(prompt),
        completion_tokens=tokens(completion),
        cached_tokens=tokens(sent.get("cached_tokens")),
        reasoning_tokens=tokens(came.get("reasoning_tokens")),
    )


def _finish_reason(answer: Mapping[str, object]) -> str | None:
    choice = table(next(iter(items(answer.get("choices"))), None))
    told = (answer.get("finish_reason"), choice.get("finish_reason"), answer.get("stop_reason"))
    reason = next((word(each) for each in (*told, answer.get("status")) if word(each)), None)
    return _ENDS.get(reason, reason) if reason else None
