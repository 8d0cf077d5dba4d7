"""Markdown that reads well where it is shown, and is read back to the letter.

What a reader need not see stands in HTML comments, as JSON. Each text stands between a comment
that begins it and one that ends it; the number of the latter is chosen so that it does not occur
in the text, so whatever a reply holds, it ends where it ended. The first also holds a hash: a text
that was edited by hand is not taken for what was said.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from chat_magics.caption import caption, heading
from chat_magics.errors import InvalidRequest
from chat_magics.export.fences import left_open
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

__all__ = ["read", "recognises", "write"]

_MARK = re.compile(r"^<!-- chat_magics:(\w+) (.*) -->$", re.MULTILINE)

# What an editor, git or the reading of a text file may change: line ends and their likes, other
# control characters, a byte order mark, half of a pair of surrogates.
_FRAGILE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")

_EDITED = "its text was changed in the file; what was said never changes: ask it anew"


def write(transcripts: Iterable[Transcript], out: TextIO) -> None:
    """Write conversations one after the other, the path of each first, then what left it."""
    out.write(_mark("file", {"version": VERSION}))
    for transcript in transcripts:
        _write_conversation(transcript, out)


def _write_conversation(transcript: Transcript, out: TextIO) -> None:
    record = transcript.conversation
    out.write("\n" + _mark("conversation", conversation_values(record)))
    out.write(f"\n# {_plain(heading(record.name, record.title))}\n")
    places = {exchange.id: at for at, exchange in enumerate(transcript.exchanges)}
    standing, left = in_and_out(transcript)
    for exchange in standing:
        _write_exchange(exchange, places[exchange.id], out)
    if left:
        out.write("\n---\n\n*Not in the conversation any more, or never: earlier versions, ")
        out.write("and what was asked alone.*\n")
    for exchange in left:
        _write_exchange(exchange, places[exchange.id], out)


def _write_exchange(exchange: Exchange, place: int, out: TextIO) -> None:
    values = exchange_values(exchange, terse=True)
    shown = {name: values.pop(name, "") for name in ("prompt", "text")}
    out.write("\n" + _mark("exchange", {"place": place, **values}))
    out.write(f"\n## You\n\n{_framed('prompt', shown['prompt'])}")
    if exchange.attachments:
        out.write(f"\n*{_plain(attached_line(exchange))}*\n")
    out.write(f"\n## Assistant\n\n{_framed('text', shown['text'])}")
    out.write(f"\n*{_plain(caption(exchange, dated=True))}*\n")


def _framed(name: str, text: str) -> str:
    visible = _FRAGILE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    number = 0
    while _end(number) in visible:
        number += 1
    closing = left_open(visible)
    told = {"end": number, "sha256": _hash(visible), "closing": closing or None}
    if visible != text:
        told["exact"] = text
    head = _mark(name, {key: value for key, value in told.items() if value is not None})
    return f"{head}{visible}\n{closing}\n{_end(number)}\n"


def _mark(kind: str, values: dict[str, Any]) -> str:
    """A comment that no value can end early, on one line."""
    text = json.dumps(values, ensure_ascii=False)
    for character in set("<>" + "".join(_FRAGILE.findall(text))):
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"<!-- chat_magics:{kind} {text} -->\n"


def _end(number: int) -> str:
    return f"<!-- chat_magics:end {number} -->"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(line: str) -> str:
    """The line with nothing in it that Markdown would take for markup."""
    return re.sub(r"([\\`*_\[\]<>#&|~$])", r"\\\1", _FRAGILE.sub("\ufffd", line))


def recognises(path: Path, head: bytes) -> bool:
    """True for a text that begins as ours does.

    Args:
        path: the file.
        head: how it begins.
    """
    return b"<!-- chat_magics:file " in head


def read(path: Path) -> Iterator[Transcript | Unread]:
    """The conversations of a file, in its order.

    Raises:
        InvalidRequest: it is not ours, or of a newer release.
        ValueError: it is not UTF-8.
    """
    document = path.read_text(encoding="utf-8-sig")  # line ends of any system become LF
    current: _Found | None = None
    seen = False
    for kind, values in _pieces(document):
        if kind == "file":
            check_version(values.get("version"))
            seen = True
        elif kind == "conversation":
            yield from _closed(current)
            current = _Found(f"conversation {values.get('name') or values.get('id')}", values)
        elif current is not None:
            current.take(kind, values)
    yield from _closed(current)
    if not seen:
        raise InvalidRequest("there is no conversation of chat_magics in it")


def _pieces(document: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The marks of a document in order; each text with its mark, under `shown`."""
    at = 0
    while match := _MARK.search(document, at):
        at = match.end() + 1
        values = _loaded(match[2])
        if match[1] in ("prompt", "text"):
            end = document.find(f"\n{_end(values.get('end', 0))}", at - 1)
            values["shown"] = None if end < 0 else document[at : max(at, end)]
            at = max(at, end)
        yield match[1], values


def _loaded(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {"damaged": True}
    return values if isinstance(values, dict) else {"damaged": True}


class _Text(NamedTuple):
    """A text as it was said, or None and why it is not known."""

    said: str | None
    why: str = ""


def _said(values: dict[str, Any]) -> _Text:
    shown = values.get("shown")
    if shown is None:
        return _Text(None, "its end is missing")
    visible = shown.removesuffix(f"\n{values.get('closing', '')}")
    if _hash(visible) != values.get("sha256"):
        return _Text(None, _EDITED)
    return _Text(values.get("exact", visible))


class _Found:
    """A conversation while it is read."""

    def __init__(self, where: str, values: dict[str, Any]) -> None:
        self.where = where
        self.values = values
        self.exchanges: list[dict[str, Any]] = []
        self.problems: dict[int, str] = {}

    def take(self, kind: str, values: dict[str, Any]) -> None:
        """Adds an exchange, or a text to the last one."""
        if kind == "exchange":
            self.exchanges.append(values)
        elif kind in ("prompt", "text") and self.exchanges:
            text = _said(values)
            self.exchanges[-1][kind] = text.said
            if text.said is None:
                self.problems[len(self.exchanges) - 1] = text.why

    def whole(self) -> tuple[list[dict[str, Any]], list[Unread]]:
        """The exchanges that are as they were, in the order they were asked, and the others."""
        good: list[dict[str, Any]] = []
        bad: list[Unread] = []
        for number, values in enumerate(self.exchanges):
            spot = f"{self.where}, exchange {values.get('id', number + 1)}"
            if number in self.problems:
                bad.append(Unread(spot, self.problems[number]))
            elif values.get("damaged") or "prompt" not in values or "text" not in values:
                bad.append(Unread(spot, "a comment of it is damaged or missing"))
            else:
                good.append(values)
        good.sort(key=lambda values: values.get("place", 0))
        return [_without_place(values) for values in good], bad


def _without_place(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "place"}


def _closed(found: _Found | None) -> Iterator[Transcript | Unread]:
    if found is None:
        return
    good, bad = found.whole()
    parts = transcript_of(found.where, found.values, good)
    yield from [*bad, *parts.unread]
    if parts.transcript is not None:
        yield parts.transcript
