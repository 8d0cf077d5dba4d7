"""Reads `conversations.json`, of which the ZIP file of ChatGPT's «Export data» holds the talk.

The help page of OpenAI that offers it («Exporting your ChatGPT history and data») does not describe
the file. What is read here follows what others found in theirs (the «ChatGPT User Data Export
Specification (Unofficial)», versions 2 and 3): an array of conversations, in larger exports spread
over `conversations-000.json` and so on, each a tree of messages in `mapping`, of which
`current_node` is the end that is shown.

Text is taken over, of the reply also the thoughts; custom instructions and other system messages
are the system prompt. Images, voice, and what was said to tools and by them, is listed as unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from chat_magics.export.foreign import conversation_id, json_items, moment, one_line, table, word
from chat_magics.export.openai_messages import said
from chat_magics.export.said import UNKNOWN, Source, left_out
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.export.tree import transcript

__all__ = ["read", "recognises"]

_FILE_NAME = re.compile(r"conversations(-\d+)?\.json", re.IGNORECASE)


def recognises(path: Path, head: bytes) -> bool:
    """True for what looks like `conversations.json`.

    Args:
        path: the file.
        head: its first bytes, a few thousand where it has so many.

    Example:
        >>> recognises(Path("x.json"), b'[{"title": "Hello", "mapping": {')
        True
        >>> recognises(Path("x.json"), b'{"format": "chat_magics"}')
        False
    """
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    named = bool(_FILE_NAME.fullmatch(path.name))
    if begin.startswith(b"["):
        return named or b'"mapping"' in head
    return begin.startswith(b"{") and b'"mapping"' in head and b'"create_time"' in head


def read(path: Path) -> Iterator[Transcript | Unread]:
    """The conversations of the file, and after each what could not be read of it.

    Raises:
        InvalidRequest: the file cannot be opened, or it is damaged; what stood before the damage
            has been given by then.
    """
    for number, value in enumerate(chain.from_iterable(map(_unwrapped, json_items(path))), 1):
        yield from _conversation(number, value)


def _unwrapped(value: object) -> list[object]:
    """The conversations in it: some exports wrap the array."""
    wrapped = table(value).get("conversations")
    return wrapped if isinstance(wrapped, list) else [value]


def _conversation(number: int, value: object) -> Iterator[Transcript | Unread]:
    conversation = table(value)
    title = one_line(word(conversation.get("title")))
    where = f"conversation {number} «{title}»" if title else f"conversation {number}"
    mapping = conversation.get("mapping")
    if not isinstance(mapping, dict):
        yield Unread(where, "it has no messages (no `mapping`)")
        return
    all_said = [said(id, table(node)) for id, node in mapping.items()]
    tip = word(conversation.get("current_node"))
    told = transcript(all_said, _source(conversation), title=title, tip=tip)
    yield told or Unread(where, "nobody says anything in it")
    yield from left_out(where, all_said)


def _source(conversation: dict[str, object]) -> Source:
    id = word(conversation.get("conversation_id")) or word(conversation.get("id"))
    if not id:
        id = "\0".join(table(conversation.get("mapping")))
    return Source(
        tool="ChatGPT",
        place="chatgpt",
        conversation=conversation_id("chatgpt", id),
        asked=word(conversation.get("default_model_slug")) or UNKNOWN,
        created=moment(conversation.get("create_time")),
    )
