"""JSON: every field of every exchange, one exchange to a line; it is read back as it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from chat_magics.errors import InvalidRequest
from chat_magics.export.json_stream import members
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.export.values import (
    FORMAT,
    VERSION,
    check_version,
    conversation_values,
    exchange_values,
    transcript_of,
)

__all__ = ["read", "recognises", "write"]


def write(transcripts: Iterable[Transcript], out: TextIO) -> None:
    """Write conversations one after the other, with one of them in memory."""
    out.write(f'{{"format": "{FORMAT}", "version": {VERSION}, "conversations": [')
    between = ""
    for record, exchanges in transcripts:
        head = _json(conversation_values(record)).removesuffix("}")
        out.write(f'{between}\n{head}, "exchanges": [')
        for number, exchange in enumerate(exchanges):
            out.write(("," if number else "") + "\n" + _json(exchange_values(exchange)))
        out.write("\n]}")
        between = ","
    out.write("\n]}\n")


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)


def recognises(path: Path, head: bytes) -> bool:
    """True for a JSON object that seems to be ours.

    Args:
        path: the file.
        head: how it begins.
    """
    names = (b'"format"', b'"conversations"', b'"version"')
    return head.lstrip().startswith(b"{") and any(name in head for name in names)


def read(path: Path) -> Iterator[Transcript | Unread]:
    """What a file holds, with one conversation of it in memory at a time.

    Raises:
        InvalidRequest: it is not ours, or of a newer release.
        ValueError: it is damaged.
    """
    told: dict[str, Any] = {}
    number = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        for name, value in members(file, listed="conversations"):
            if name != "conversations":
                told[name] = value
                continue
            if not number:
                _check_so_far(told)
            number += 1
            yield from _conversation(f"conversation {number}", value)
    _check_format(told)
    check_version(told.get("version"))


def _check_so_far(told: dict[str, Any]) -> None:
    """Before the first conversation; a file whose names were sorted tells the rest at its end."""
    if "format" in told:
        _check_format(told)
    if "version" in told:
        check_version(told["version"])


def _check_format(told: dict[str, Any]) -> None:
    if told.get("format") != FORMAT:
        raise InvalidRequest("the file was not written by chat_magics")


def _conversation(where: str, values: object) -> Iterator[Transcript | Unread]:
    if not isinstance(values, dict) or not isinstance(values.get("exchanges"), list):
        yield Unread(where, "it has no list of exchanges")
        return
    exchanges = values.pop("exchanges")
    parts = transcript_of(where, values, exchanges)
    yield from parts.unread
    if parts.transcript is not None:
        yield parts.transcript
