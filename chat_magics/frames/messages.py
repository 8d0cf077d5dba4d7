"""From exchanges to messages: a row for the prompt, and one for the reply where any text came.

What belongs to both stands on both rows; figures stand on the reply's row only, so that sums are
right. The same is written twice: for Arrow batches, and for plain values where pyarrow is not
installed; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .build import in_time_order
from .schema import SCHEMA

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ASKED", "message_batch", "message_columns", "messages_in_order"]

_ON_BOTH = ("conversation", "exchange", "model", "status", "surface")
_OF_EACH = {"content": ("prompt", "text"), "created": ("created", "ended")}
_NAMES = tuple(column.name for column in SCHEMA["messages"])
_FIGURES = tuple(name for name in _NAMES if name not in (*_ON_BOTH, *_OF_EACH, "role"))

ASKED: tuple[str, ...] = (*_ON_BOTH, "prompt", "text", "created", "ended", *_FIGURES)
"""What has to be known of each exchange, in this order; `exchange` is its id."""


def message_columns(exchanges: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """The columns of the messages of these exchanges.

    Args:
        exchanges: of each, the values that ASKED names.

    Example:
        >>> asked = dict.fromkeys(ASKED) | {"prompt": "Hi", "text": "Hello!", "cost": 0.5}
        >>> found = message_columns([tuple(asked.values())])
        >>> found["role"], found["content"], found["cost"]
        (['user', 'assistant'], ['Hi', 'Hello!'], [None, 0.5])
    """
    rows: list[tuple[Any, ...]] = []
    for exchange in exchanges:
        known = dict(zip(ASKED, exchange, strict=True))
        rows.append(_message(known, "user", 0))
        if known["text"]:
            rows.append(_message(known, "assistant", 1))
    columns = zip(*rows, strict=True) if rows else ((),) * len(_NAMES)
    return {name: list(values) for name, values in zip(_NAMES, columns, strict=True)}


def _message(known: dict[str, Any], role: str, which: int) -> tuple[Any, ...]:
    told = {name: known[name] for name in (_ON_BOTH if role == "user" else _ON_BOTH + _FIGURES)}
    told |= {name: known[sources[which]] for name, sources in _OF_EACH.items()}
    told["role"] = role
    return tuple(map(told.get, _NAMES))


def message_batch(exchanges: pa.RecordBatch) -> pa.RecordBatch:
    """The messages of a batch of exchanges.

    Args:
        exchanges: with the columns that ASKED names.

    Returns:
        the columns of SCHEMA, and `asked`: on both rows, when it was asked.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    count = exchanges.num_rows
    answered = pc.not_equal(exchanges["text"], "").to_numpy(zero_copy_only=False)
    messages = 1 + answered
    rows = np.repeat(np.arange(count), messages)
    is_reply = np.zeros(len(rows), dtype=bool)
    is_reply[np.cumsum(messages) - 1] = answered
    both, of_reply = pa.array(rows), pa.array(rows, mask=~is_reply)
    either = pa.array(rows + count * is_reply)
    found = {name: exchanges[name].take(both) for name in _ON_BOTH}
    found |= {name: exchanges[name].take(of_reply) for name in _FIGURES}
    for name, (prompt, reply) in _OF_EACH.items():
        found[name] = pa.concat_arrays([exchanges[prompt], exchanges[reply]]).take(either)
    found["role"] = pa.array(["user", "assistant"]).take(pa.array(is_reply.astype("int8")))
    found["asked"] = exchanges["created"].take(both)
    return pa.RecordBatch.from_pydict({name: found[name] for name in (*_NAMES, "asked")})


def messages_in_order(table: pa.Table) -> pa.Table:
    """The messages of many batches in time order, a prompt before its reply."""
    import pyarrow.compute as pc

    replies = pc.sum(pc.equal(table["role"], "assistant")).as_py() or 0
    order = {"asked": "ascending", "exchange": "ascending", "role": "descending"}
    return in_time_order(table, "asked", order, ties=replies)
