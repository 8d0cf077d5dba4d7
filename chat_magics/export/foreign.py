"""What is alike in the files of other tools: values made usable, ids, JSON item by item, faults."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TextIO

from chat_magics.errors import InvalidRequest

__all__ = [
    "EPOCH",
    "conversation_id",
    "exchange_id",
    "items",
    "joined",
    "json_items",
    "moment",
    "one_line",
    "reading",
    "table",
    "tokens",
    "usable",
    "word",
]

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

LATEST = 253_402_000_000
"""Seconds from 1970 to the last days of the year 9999: more is no time."""

MOST_TOKENS = 2**53

CHUNK = 1 << 20

_UNUSABLE = re.compile("[\0\ud800-\udfff]")
_BLANKS = re.compile(r"[ \t\r\n]*")


def usable(text: str) -> str:
    r"""The text with U+FFFD in place of what no database and no file can hold: NUL, half a pair.

    Example:
        >>> usable("a\0b") == "a\ufffdb"
        True
    """
    return _UNUSABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    r"""The text on one line, without what a title cannot show.

    Example:
        >>> one_line(" Two\n lines\t")
        'Two lines'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in usable(text)).split())


def joined(texts: Iterable[str]) -> str:
    """The texts that are not empty, with an empty line between."""
    return "\n\n".join(text for text in texts if text)


def word(value: object) -> str:
    """The value where it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def table(value: object) -> dict[str, object]:
    """The value where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """The value where it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def tokens(value: object) -> int:
    """The value where it is a number of tokens, else 0."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 <= value < MOST_TOKENS else 0


def moment(value: object) -> datetime | None:
    """The time that is meant (UTC): seconds since 1970, or ISO text; without a zone it is UTC.

    Example:
        >>> moment(1_700_000_000.5).isoformat()
        '2023-11-14T22:13:20.500000+00:00'
        >>> moment("2023-11-14 22:13:20").isoformat()
        '2023-11-14T22:13:20+00:00'
        >>> moment("noon") is None, moment(float("nan")) is None
        (True, True)
    """
    if isinstance(value, str):
        return _from_iso(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return EPOCH + timedelta(seconds=value) if 0 < value < LATEST else None


def _from_iso(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        zoned = time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time
        return zoned.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def conversation_id(tool: str, id: str) -> str:
    """The id of an imported conversation, 32 hex digits: each import gives it the same one.

    Example:
        >>> conversation_id("llm", "1") == conversation_id("llm", "1")
        True
        >>> conversation_id("llm", "1") == conversation_id("llm", "2")
        False
    """
    return _digest(f"{tool}\0{id}")[:32]


def exchange_id(conversation: str, id: str, created: datetime, place: int) -> str:
    """The id of an imported exchange, in the layout of UUIDv7, so that it stands at its time.

    Args:
        conversation: the id of its conversation here.
        id: what names it in its source.
        created: when it was asked.
        place: how many stand before it; so those of one moment keep their order.

    Example:
        >>> first, second = (exchange_id("c", "x", EPOCH, place) for place in (0, 1))
        >>> len(first), first < second
        (32, True)
    """
    milliseconds = max((created - EPOCH) // timedelta(milliseconds=1), 0)
    digest = _digest(f"{conversation}\0{id}")
    return f"{milliseconds:012x}7{place % 4096:03x}{'89ab'[int(digest[0], 16) % 4]}{digest[1:16]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def reading() -> Iterator[None]:
    """Turns what goes wrong while a file is read as JSON into one line.

    Raises:
        InvalidRequest: the file cannot be opened, or it is damaged.
    """
    try:
        yield
    except OSError as error:
        raise InvalidRequest(f"the file cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        at = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "it"
        raise InvalidRequest(f"the file is damaged: {at} is not JSON; export it anew") from None


def json_items(path: Path) -> Iterator[object]:
    """The items of the array that a file holds, one at a time; of anything else, the whole.

    So an archive of gigabytes takes the memory of its largest conversation.

    Raises:
        InvalidRequest: the file cannot be opened, or it is damaged; what stood before the damage
            has been given by then.
    """
    with reading(), path.open(encoding="utf-8-sig") as file:
        text = file.read(CHUNK).lstrip()
        if text.startswith("["):
            yield from _Array(file, text)
        else:
            yield json.loads(text + file.read())


class _Array:
    """A JSON array in a file, of which one item after the other is decoded."""

    def __init__(self, file: TextIO, text: str) -> None:
        self._file = file
        self._text = text
        self._at = 1
        self._decoder = json.JSONDecoder()

    def __iter__(self) -> Iterator[object]:
        if self._mark() != "]":
            yield self._item()
            while self._mark() == ",":
                self._at += 1
                self._mark()
                yield self._item()
        if self._mark() != "]" or (self._text[self._at + 1 :] + self._file.read()).strip():
            raise ValueError("something else than the end of the array")

    def _mark(self) -> str:
        """The next character that is not blank."""
        while True:
            self._at = _blank_end(self._text, self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(CHUNK):
                raise ValueError("the array has no end")

    def _item(self) -> object:
        size = CHUNK
        while True:
            item, end = self._decoded()
            if end is not None and _blank_end(self._text, end) < len(self._text):
                self._at = end
                return item
            # It may only be that the rest of the item is not read yet.
            if not self._more(size):
                raise ValueError("an item has no end")
            size *= 2

    def _decoded(self) -> tuple[object, int | None]:
        try:
            return self._decoder.raw_decode(self._text, self._at)
        except ValueError:
            return None, None

    def _more(self, size: int) -> bool:
        more = self._file.read(size)
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)


def _blank_end(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at
