"""Expressions of SQL that several figures are made of, alike on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Double,
    Integer,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    type_coerce,
)

from chat_magics.history.schema import exchanges as table

__all__ = [
    "TOKENS",
    "answered",
    "answering_model",
    "cost_sum",
    "day",
    "length",
    "list_length",
    "owned_by",
    "price_unknown",
    "saved_sum",
    "seconds",
    "spent_tokens",
    "truncated",
]

TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


def answering_model() -> Any:
    """The model that answered; where none did, the one that was asked."""
    return func.coalesce(table.c.model, table.c.model_asked)


def answered() -> Any:
    """True where any text came."""
    return table.c.text != ""


def truncated() -> Any:
    """True where text came and the reply was cut: a limit, a stop, or a broken stream."""
    reason = table.c.finish_reason
    cut = or_(reason.is_(None), reason == "length")
    return and_(answered(), table.c.status != "streaming", cut)


def owned_by(column: Any, owner: str) -> Any:
    """True for rows of this owner, where other conditions leave few rows.

    Of an expression and not of the column: else SQLite, which knows nothing of how many rows an
    owner has, takes the index of owners and goes through all of them.
    """
    return func.coalesce(column, "") == owner


def price_unknown() -> Any:
    """True where something was asked of a server, and nobody knows what it cost."""
    nothing_came = and_(
        table.c.status == "error",
        table.c.usage_prompt_tokens.is_(None),
        table.c.wasted_prompt_tokens.is_(None),
    )
    asked = and_(not_(table.c.cached), table.c.status != "streaming", not_(nothing_came))
    return and_(asked, table.c.cost.is_(None))


def cost_sum() -> Any:
    """US dollars of the exchanges whose price is known; NULL where something has no price at all.

    Nothing asked costs nothing: that is 0.
    """
    priceless = func.coalesce(func.sum(case((price_unknown(), 1), else_=0)), 0)
    total = func.sum(table.c.cost)
    return case((priceless > 0, total), else_=func.coalesce(total, 0.0))


def saved_sum() -> Any:
    """US dollars that the cache saved; 0 where it gave no reply, NULL where no price is known."""
    hits = func.coalesce(func.sum(case((table.c.cached, 1), else_=0)), 0)
    total = func.sum(table.c.saved)
    return case((hits > 0, total), else_=func.coalesce(total, 0.0))


def spent_tokens(count: str) -> Any:
    """Tokens of one of TOKENS, broken attempts counted; 0 for a reply from the cache."""
    parts = (table.c[f"{kind}_{count}"] for kind in ("usage", "wasted"))
    used, wasted = (func.coalesce(part, 0) for part in parts)
    return case((table.c.cached, 0), else_=used + wasted)


def length(column: Any) -> Any:
    """Characters of a text, as they were before NUL and DLE were escaped (see columns.Prose)."""
    stored = type_coerce(column, Text)
    once = func.replace(func.replace(stored, "\x10\x10", "-"), "\x100", "-")
    return case((stored.like("%\x10%"), func.length(once)), else_=func.length(stored))


def list_length(connection: Connection, column: Any) -> Any:
    """How many values a JSON list has."""
    if connection.dialect.name == "postgresql":
        return func.json_array_length(cast(type_coerce(column, Text), JSON), type_=Integer)
    return func.json_array_length(type_coerce(column, Text), type_=Integer)


def seconds(connection: Connection, moment: Any) -> Any:
    """Seconds from 1970 to a moment, to the microsecond."""
    if connection.dialect.name == "postgresql":
        return cast(func.extract("epoch", moment), Double)
    # SQLite has it as text: 2026-01-05 14:30:00.123456, and would round to a thousandth.
    text = type_coerce(moment, Text)
    fraction = cast(literal("0") + func.substr(text, 20), Double)
    return cast(func.strftime("%s", func.substr(text, 1, 19)), Integer) + fraction


def day(connection: Connection, moment: Any) -> Any:
    """The day of a moment in UTC, as text: 2026-01-05."""
    if connection.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD", type_=Text)
    return func.substr(type_coerce(moment, Text), 1, 10, type_=Text)
