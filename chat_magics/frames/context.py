"""A frame of messages as a context: which exchanges it holds, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["exchanges_in"]

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
        if exchange != last and exchange in found:
            raise InvalidRequest(
                f"row {row}: the messages of exchange {exchange[:8]} are not together: "
                "move the prompt and its reply as one"
            )
        messages = found.setdefault(exchange, {})
        if role in messages:
            raise InvalidRequest(f"row {row}: the {role} message of {exchange[:8]} stands twice")
        if role == "user" and messages:
            raise InvalidRequest(f"row {row}: the reply of {exchange[:8]} stands before its prompt")
        messages[role] = content
        last = exchange
    return found


def _rows(frame: DataFrame) -> Any:
    return frame[list(NEEDED)].itertuples(index=False, name=None)


def _check(row: int, exchange: object, role: object, content: object) -> None:
    values: Mapping[str, object] = {"exchange": exchange, "role": role, "content": content}
    for name, value in values.items():
        if not isinstance(value, str):
            raise InvalidRequest(f"row {row}: {name} is {value!r}, and must be text")
    if role not in ("user", "assistant"):
        raise InvalidRequest(f"row {row}: the role {role!r} is neither 'user' nor 'assistant'")
