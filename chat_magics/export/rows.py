"""Exchanges as messages, in the columns of SCHEMA, for the formats that are tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from chat_magics.export.transcript import Transcript
from chat_magics.frames.messages import ASKED, message_columns
from chat_magics.history.exchange import Exchange

__all__ = ["messages_of"]

_AT_ONCE = 10_000
"""Exchanges in memory; pandas and Arrow hold each once more."""


def messages_of(transcripts: Iterable[Transcript]) -> Iterator[dict[str, list[Any]]]:
    """The columns of the messages, some thousand rows at a time; nothing where there is none."""
    asked = (_values(exchange) for transcript in transcripts for exchange in transcript.exchanges)
    while some := list(islice(asked, _AT_ONCE)):
        yield message_columns(some)


def _values(exchange: Exchange) -> tuple[Any, ...]:
    known = dict(exchange)
    known |= {"exchange": exchange.id, "model": exchange.model or exchange.model_asked}
    if exchange.usage is not None:
        known |= dict(exchange.usage) | {"tokens_estimated": exchange.usage.estimated}
    return tuple(known.get(name) for name in ASKED)
