"""A frame of messages as a context: which exchanges it holds, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["exchanges_in", "row_named"]

NEEDED = ("exchange", "role", "content")


def exchanges_in(frame: DataFrame) -> dict[str, dict[str, str]]:
    """The exchanges of a frame of messages, in its order: id → role → content.

    Args:
        frame: messages, as `chat.frame` gives them; of the columns, `exchange`, `role` and
            `content` are looked at.

    Raises:
        InvalidRequest: a column is not there or empty in a row, or the messages of an exchange are
            not together, the prompt first.

    Example:
        >>> from pandas import DataFrame
        >>> rows = {"exchange": ["e1", "e1"], "role": ["user", "assistant"], "content": ["a", "b"]}
        >>> exchanges_in(DataFrame(rows))
        {'e1': {'user': 'a', 'assistant': 'b'}}
    """
    missing = [name for name in NEEDED if name not in getattr(frame, "columns", ())]
    if missing:
        raise InvalidRequest(
            f"a context is a frame of messages, as chat.frame is; this has no {missing[0]!r} column"
        )
    found: dict[str, dict[str, str]] = {}
    last = None
    for row, (exchange, role, content) in enumerate(_rows(frame)):
        _check(row, exchange, role, content)
        messages = found.setdefault(exchange, {})
        where = row_named(row, messages.get("user", content))
        if exchange != last and messages:
            raise InvalidRequest(
                f"{where}: its prompt and its reply are not together: move them as one"
            )
        if role in messages:
            raise InvalidRequest(f"{where}: this {role} message stands twice")
        if role == "user" and messages:
            raise InvalidRequest(f"{where}: its reply stands before the prompt")
        messages[role] = content
        last = exchange
    return found


def row_named(row: int, prompt: str) -> str:
    """A row as a person finds it: its number and how its prompt begins.

    Example:
        >>> row_named(3, "Why does a left join make more rows than there were before?")
        'row 3 («Why does a left join make more rows tha…»)'
    """
    line = " ".join(prompt.split())
    return f"row {row} («{line if len(line) <= 40 else line[:39] + '…'}»)"


def _rows(frame: DataFrame) -> Any:
    return frame[list(NEEDED)].itertuples(index=False, name=None)


def _check(row: int, exchange: object, role: object, content: object) -> None:
    values: Mapping[str, object] = {"exchange": exchange, "role": role, "content": content}
    for name, value in values.items():
        if not isinstance(value, str):
            raise InvalidRequest(f"row {row}: {name} is {value!r}, and must be text")
    if role not in ("user", "assistant"):
        raise InvalidRequest(f"row {row}: the role {role!r} is neither 'user' nor 'assistant'")
