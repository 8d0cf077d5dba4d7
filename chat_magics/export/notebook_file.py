"""A Jupyter notebook: prompts as cells to run or to read, replies, their Python as code cells.

The record of each exchange is kept in the metadata of its prompt's cell, and what is read back is
that record: a cell that was edited since is told of, and is not what was said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

from chat_magics.caption import caption, heading
from chat_magics.errors import InvalidRequest
from chat_magics.export.fences import left_open
from chat_magics.export.neutral import neutral
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.export.values import (
    VERSION,
    attached_line,
    check_version,
    conversation_values,
    exchange_values,
    in_and_out,
    transcript_of,
)
from chat_magics.history.exchange import Exchange
from chat_magics.markdown import code_blocks

__all__ = ["Prompts", "read", "recognises", "write"]

Prompts = Literal["cells", "markdown"]
"""How prompts are written: as `%%chat` cells, which ask again when they are run, or as text."""

_KEY = "chat_magics"

_PYTHON = frozenset({"py", "python", "python3", "ipython", "ipython3"})

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
    _KEY: {"version": VERSION},
}


class _Cell(NamedTuple):
    kind: Literal["code", "markdown"]
    source: str
    told: dict[str, Any]


def write(transcripts: Iterable[Transcript], out: TextIO, *, prompts: Prompts = "cells") -> None:
    """Write a notebook (nbformat 4.5), with one conversation in memory at a time.

    Args:
        transcripts: what is written.
        out: where to.
        prompts: as cells that ask again, or as text.
    """
    head = {"nbformat": 4, "nbformat_minor": 5, "metadata": _METADATA}
    out.write(_json(head).removesuffix("}") + ', "cells": [')
    for number, cell in enumerate(_cells(transcripts, prompts)):
        out.write(("," if number else "") + "\n" + _json(_as_json(cell, number)))
    out.write("\n]}\n")


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)


def _as_json(cell: _Cell, number: int) -> dict[str, Any]:
    told = {**cell.told, "sha256": _hash(cell.source)}
    values = {
        "cell_type": cell.kind,
        "id": f"chat-{number}",
        "metadata": {_KEY: told},
        "source": cell.source,
    }
    return values if cell.kind == "markdown" else {**values, "execution_count": None, "outputs": []}


def _hash(source: str) -> str:
    """Of the source as every program keeps it: an editor may change line ends and the last ones."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def _cells(transcripts: Iterable[Transcript], prompts: Prompts) -> Iterator[_Cell]:
    if prompts == "cells":
        yield _Cell("code", "%load_ext chat_magics", {"part": "start"})
    for transcript in transcripts:
        record = transcript.conversation
        title = f"# {neutral(heading(record.name, record.title))}"
        yield _Cell("markdown", title, {"conversation": conversation_values(record)})
        places = {exchange.id: at for at, exchange in enumerate(transcript.exchanges)}
        standing, left = in_and_out(transcript)
        for exchange in standing:
            yield from _turn(exchange, places[exchange.id], prompts)
        if left:
            yield _Cell(
                "markdown", "*Not in the conversation any more, or never:*", {"part": "left"}
            )
        for exchange in left:
            yield from _turn(exchange, places[exchange.id], None)


def _turn(exchange: Exchange, place: int, prompts: Prompts | None) -> Iterator[_Cell]:
    """The cells of an exchange; with None, nothing of it can be run."""
    told = {"exchange": exchange_values(exchange, terse=True), "place": place}
    if prompts == "cells":
        yield _Cell("code", f"%%chat\n{exchange.prompt}", told)
    else:
        yield _Cell("markdown", f"**You**\n\n{neutral(exchange.prompt)}", told)
    shown = neutral(exchange.text)
    told_below = " · ".join(filter(None, [attached_line(exchange), caption(exchange, dated=True)]))
    line = f"<small>{neutral(told_below)}</small>"
    yield _Cell("markdown", f"{shown}\n{left_open(shown)}\n\n{line}", {"part": "reply"})
    for block in code_blocks(exchange.text) if prompts else ():
        if block.language in _PYTHON:
            yield _Cell("code", block.code, {"part": "code"})


def recognises(path: Path, head: bytes) -> bool:
    """True for a notebook, ours or not.

    Args:
        path: the file.
        head: how it begins.
    """
    names = (b'"nbformat"', b'"cells"')
    return head.lstrip().startswith(b"{") and any(name in head for name in names)


def read(path: Path) -> Iterator[Transcript | Unread]:
    """The conversations of a notebook, in its order.

    Raises:
        InvalidRequest: it is not ours, or of a newer release.
        ValueError: it is damaged.
    """
    notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    cells = _checked_cells(notebook)
    found: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    foreign: list[int] = []
    for number, cell in enumerate(cells, 1):
        told = cell.get("metadata", {}).get(_KEY) if isinstance(cell, dict) else None
        if not isinstance(told, dict):
            foreign.append(number)
            continue
        if told.get("sha256") != _hash(_source(cell)):
            yield Unread(f"cell {number}", "it was edited: what was said before is taken")
        if "conversation" in told:
            found.append((told["conversation"], []))
        elif "exchange" in told and found:
            found[-1][1].append(told)
        elif "exchange" in told:
            yield Unread(f"cell {number}", "it stands before the title of its conversation")
    if foreign:
        cells_told = ", ".join(map(str, foreign[:10])) + (", …" if len(foreign) > 10 else "")
        yield Unread(f"cells {cells_told}", "they were added by hand, no part of a conversation")
    for record, turns in found:
        yield from _conversation(record, turns)


def _checked_cells(notebook: Any) -> list[Any]:
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise InvalidRequest("the file is no notebook")
    told = notebook.get("metadata", {}).get(_KEY)
    if not isinstance(told, dict):
        raise InvalidRequest("the notebook was not exported by chat_magics")
    check_version(told.get("version"))
    return cells


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _conversation(record: Any, turns: list[dict[str, Any]]) -> Iterator[Transcript | Unread]:
    named = record.get("name") or record.get("id") if isinstance(record, dict) else None
    turns.sort(key=lambda told: told.get("place", 0))
    parts = transcript_of(f"conversation {named}", record, [told["exchange"] for told in turns])
    yield from parts.unread
    if parts.transcript is not None:
        yield parts.transcript
