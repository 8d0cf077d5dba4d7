"""Column types that hold the same values on SQLite and PostgreSQL: text, JSON, moments."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator

__all__ = ["Json", "Prose", "Utc", "escaped"]

# PostgreSQL refuses NUL in text. It is stored as DLE 0 (DLE: data link escape, U+0010), and a DLE
# as two, on both databases: so a file can be moved, and text without either stays readable.
_DLE = "\x10"
_ESCAPES = {"\x00": _DLE + "0", _DLE: _DLE + _DLE}
_PLAIN = {escape: character for character, escape in _ESCAPES.items()}


def escaped(text: str) -> str:
    """Text as it is stored, which no database refuses."""
    return re.sub("[\x00\x10]", lambda found: _ESCAPES[found[0]], text)


class Prose(TypeDecorator[str]):
    """Any text, NUL included."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escaped(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return re.sub("\x10[0\x10]", lambda found: _PLAIN[found[0]], value)


class Json(TypeDecorator[Any]):
    """A JSON value as text; PostgreSQL's own JSON types refuse NUL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Utc(TypeDecorator[datetime]):
    """An aware moment; SQLite keeps it as text in UTC, which sorts as the moments do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=timezone.utc)
        return value.astimezone(timezone.utc)
