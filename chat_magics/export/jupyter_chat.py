"""Reads the `.chat` files of jupyter-chat, the chat documents of JupyterLab and Jupyter AI.

Described by the project's source (`jupyterlab_chat/models.py` and `ychat.py`, 2024 to 2026): JSON
with `messages` in the order of time, `users` by name, `attachments` by id, and `metadata` with the
id of the chat; the oldest files have messages and users only.

Whoever is marked as a bot gives replies; the messages of all others are prompts, each one of its
own, and one that no bot answered before the next is an exchange without a reply. Where a chat has
several people or bots, the notes tell who spoke. The text of an edited message is its last one, as
the file keeps no other. Deleted messages (which are empty), attachments and rich output are listed
as unread.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from chat_magics.export.foreign import (
    conversation_id,
    items,
    moment,
    one_line,
    reading,
    table,
    word,
)
from chat_magics.export.said import Said, Source, left_out
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.export.tree import transcript

__all__ = ["read", "recognises"]

WHERE = "the chat"

_BOT_NAMES = ("jupyter-ai-personas::", "jupyternaut")
"""How the names of Jupyter AI's bots begin: files from before April 2025 mark no bots."""

_TEXTS = ("text/markdown", "text/plain")
"""Kinds of rich output that are text."""


def recognises(path: Path, head: bytes) -> bool:
    """True for what looks like a chat document.

    Args:
        path: the file.
        head: its first bytes, a few thousand where it has so many.

    Example:
        >>> recognises(Path("talk.chat"), b'{"messages": []}')
        True
        >>> recognises(Path("talk.json"), b'{"conversations": []}')
        False
    """
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if path.suffix.lower() == ".chat":
        return not begin or begin.startswith(b"{")
    names = (b'"messages"', b'"sender"', b'"body"')
    return begin.startswith(b"{") and all(name in head for name in names)


def read(path: Path) -> Iterator[Transcript | Unread]:
    """The conversation of the file, and what could not be read of it.

    Raises:
        InvalidRequest: the file cannot be opened, or it is damaged.
    """
    with reading():
        text = path.read_text(encoding="utf-8-sig")
        # A chat that was made and never written to is an empty file.
        chat = table(json.loads(text or "{}"))
    messages = [table(message) for message in items(chat.get("messages"))]
    room = _Room(chat, messages)
    said: list[Said] = []
    unread: list[Unread] = []
    for number, message in enumerate(messages, 1):
        why = _unreadable(message)
        if why:
            unread.append(Unread(f"message {number}", why))
        else:
            said.append(room.said(message, number, said[-1].id if said else None))
    first = said[0] if said else Said("", None, "user")
    id = word(table(chat.get("metadata")).get("id")) or f"{first.id}\0{first.created}"
    source = Source("jupyter-chat", "jupyter-chat", conversation_id("jupyter-chat", id))
    yield transcript(said, source, title=path.stem) or Unread(WHERE, "nobody says anything in it")
    yield from unread
    if said and not room.bots:
        yield Unread(WHERE, "nobody in it is marked as a bot: all messages are taken as prompts")
    yield from left_out(WHERE, said)


class _Room:
    """Who speaks in a chat."""

    def __init__(self, chat: dict[str, object], messages: list[dict[str, object]]) -> None:
        self._users = {name: table(user) for name, user in table(chat.get("users")).items()}
        names = {*self._users, *(_sender(message) for message in messages)}
        self.bots = {name for name in names if self._is_bot(name)}
        people = {_sender(message) for message in messages} - self.bots
        self._named = {*(people if len(people) > 1 else ()), *self.bots}

    def _is_bot(self, name: str) -> bool:
        marked = self._users.get(name, {}).get("bot") is True
        return marked or name.lower().startswith(_BOT_NAMES)

    def said(self, message: dict[str, object], number: int, before: str | None) -> Said:
        """One message, which follows the one of the id `before`."""
        sender = _sender(message)
        bot = sender in self.bots
        text, missing = _text(message)
        missing += ("attachment",) * len(items(message.get("attachments")))
        notes = [f"{'answered' if bot else 'asked'} by {self._name(sender)}"]
        edited = ["the reply was edited" if bot else "the prompt was edited"]
        return Said(
            id=word(message.get("id")) or f"message {number}",
            parent=before,
            role="assistant" if bot else "user",
            text=text,
            created=moment(message.get("time")),
            left_out=missing,
            notes=(
                *(notes if sender in self._named else ()),
                *(edited if message.get("edited") is True else ()),
            ),
        )

    def _name(self, sender: str) -> str:
        user = self._users.get(sender, {})
        names = (word(user.get(name)) for name in ("display_name", "name", "username"))
        return one_line(next((name for name in names if name), sender)) or "somebody"


def _sender(message: Mapping[str, object]) -> str:
    """Who sent it; some versions put the whole user there."""
    sender = message.get("sender")
    return word(table(sender).get("username")) or word(sender)


def _text(message: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    """What it says, and the kinds of rich output that it also had."""
    data = table(table(message.get("mime_model")).get("data"))
    rich = next((word(data[kind]) for kind in _TEXTS if word(data.get(kind))), "")
    others = tuple(f"output of the type {one_line(kind)}" for kind in data if kind not in _TEXTS)
    return word(message.get("body")) or rich, others


def _unreadable(message: Mapping[str, object]) -> str | None:
    if not message:
        return "it is not a message"
    if message.get("deleted") is True:
        return "it was deleted"
    kind = message.get("type", "msg")
    return None if kind == "msg" else f"its type is {kind!r:.40} and not 'msg'"
