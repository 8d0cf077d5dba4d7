"""Rows of conversations: written, found by name or id prefix, listed. Runs in a transaction given.

Every function takes the owner, and sees no other owner's rows.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from sqlalchemy import Connection, Select, and_, insert, select, update

from chat_magics.errors import InvalidRequest, NotFound
from chat_magics.history.exchange import RUN, ConversationRecord, Exchange, PathMoved, now
from chat_magics.history.expressions import owned_by
from chat_magics.history.given import text_given
from chat_magics.history.schema import conversations as table
from chat_magics.history.schema import removed

__all__ = [
    "add",
    "by_ref",
    "change",
    "chosen_name",
    "get",
    "latest",
    "locked",
    "new_record",
    "newest",
    "refuse_taken",
    "title_of",
    "touch",
    "usable_name",
]

TITLE_CHARS = 60
NAME_CHARS = 100
SHORTEST_PREFIX = 4
NAMES_TOLD = 3


def new_record(owner: str, name: str | None, origin: str) -> ConversationRecord:
    """A conversation that is not stored yet.

    Its id is random, not time-ordered: the first digits of two are to differ.
    """
    moment = now()
    return ConversationRecord(
        id=uuid.uuid4().hex,
        owner=owner,
        name=None if name is None else chosen_name(name),
        created=moment,
        used=moment,
        origin=origin,
    )


def chosen_name(name: str) -> str:
    """The name that a person gives now, without blanks around it.

    Raises:
        InvalidRequest: it cannot be one, or is a number, which is for the rows of a list.
    """
    usable = usable_name(name)
    if usable.isdecimal():
        raise InvalidRequest(
            f"{usable!r} is no name: numbers are for the rows of a list; add a word to it"
        )
    return usable


def usable_name(name: str) -> str:
    """The name without blanks around it.

    Raises:
        InvalidRequest: nothing is left, or it is too long or not printable.
    """
    name = text_given("a name", name).strip()
    if not name:
        raise InvalidRequest("A conversation's name cannot be empty: give it a word or two")
    if len(name) > NAME_CHARS or not name.isprintable():
        raise InvalidRequest(
            f"A conversation's name has at most {NAME_CHARS} characters, on one line"
        )
    return name


def add(connection: Connection, record: ConversationRecord) -> None:
    """Store a new conversation.

    Raises:
        InvalidRequest: its name is taken.
    """
    if record.name is not None:
        refuse_taken(connection, record.owner, record.name, record.id)
    connection.execute(insert(table).values(record.model_dump()))


def touch(
    connection: Connection,
    record: ConversationRecord,
    exchange: Exchange,
    path: Sequence[str],
    expected: Sequence[str] | None,
) -> ConversationRecord:
    """Note that the conversation was asked: path, time, title; store it where it is new.

    Raises:
        InvalidRequest: it is new, and its name is taken.
        NotFound: it was deleted.
        PathMoved: its stored path is not the one expected.
    """
    stored = locked(connection, record.owner, record.id)
    if stored is None:
        _refuse_removed(connection, record.id)
        add(connection, record)
        stored = record
    elif expected is not None and stored.path != tuple(expected):
        raise PathMoved(stored)
    title = stored.title or title_of(exchange.prompt)
    changed = {"path": list(path), "used": exchange.created, "title": title}
    connection.execute(_update(record.owner, record.id), changed)
    return stored.model_copy(update={**changed, "path": tuple(path)})


def title_of(prompt: str) -> str:
    """The beginning of a prompt, on one line, at most 60 characters."""
    line = " ".join(prompt.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"


def change(connection: Connection, owner: str, id: str, **values: Any) -> ConversationRecord:
    """Set columns of one conversation.

    Raises:
        InvalidRequest: the name is taken.
        NotFound: there is no such conversation.
    """
    if values.get("name") is not None:
        refuse_taken(connection, owner, values["name"], id)
    connection.execute(_update(owner, id).values(**values))
    return get(connection, owner, id)


def get(connection: Connection, owner: str, id: str) -> ConversationRecord:
    """The conversation of this id.

    Raises:
        NotFound: there is none.
    """
    record = _by_id(connection, owner, id)
    if record is None:
        raise NotFound(f"No conversation {id}: it is not stored yet, or belongs to somebody else")
    return record


def locked(connection: Connection, owner: str, id: str) -> ConversationRecord | None:
    """The conversation of this id, unchanged by others until the transaction ends; or None."""
    query = _owned(owner).where(table.c.id == id).with_for_update()
    return next(iter(_records(connection, query)), None)


def by_ref(connection: Connection, owner: str, ref: str) -> ConversationRecord:
    """The conversation of this name, else of this id or beginning of an id.

    Raises:
        InvalidRequest: several ids begin so.
        NotFound: none is called so.
    """
    ref = text_given("what names a conversation", ref).strip()
    named = _records(connection, _owned(owner).where(table.c.name == ref))
    if named:
        return named[0]
    if re.fullmatch(f"[0-9a-fA-F]{{{SHORTEST_PREFIX},32}}", ref):
        first = ref.lower()
        # From the first to what follows the last of them, as SQLite finds no beginning by index.
        begins = and_(table.c.id >= first, table.c.id < first + "g")
        query = select(table).where(owned_by(table.c.owner, owner), begins).order_by(table.c.id)
        found = _records(connection, query)
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(_known_as(record, len(ref) + 4) for record in found[:NAMES_TOLD])
            raise InvalidRequest(f"Several conversations begin with {ref}: {several}; give more")
    shown = ref if len(ref) <= NAME_CHARS else ref[:NAME_CHARS] + "…"
    raise NotFound(f"No conversation is called {shown!r}{_nearest(connection, owner, ref)}")


def newest(
    connection: Connection, owner: str, limit: int | None, *, runs: bool = False
) -> list[ConversationRecord]:
    """The conversations that were used last, newest first; runs over rows only where wanted."""
    query = _newest_first(owner).limit(limit)
    return _records(connection, query if runs else query.where(table.c.origin != RUN))


def latest(connection: Connection, owner: str, origin: str) -> ConversationRecord | None:
    """The conversation of this origin that was used last."""
    found = _newest_first(owner).where(table.c.origin == origin).limit(1)
    return next(iter(_records(connection, found)), None)


def _owned(owner: str) -> Select[Any]:
    return select(table).where(table.c.owner == owner)


def _newest_first(owner: str) -> Select[Any]:
    return _owned(owner).order_by(table.c.used.desc(), table.c.created.desc(), table.c.id)


def _update(owner: str, id: str) -> Any:
    return update(table).where(table.c.owner == owner, table.c.id == id)


def _records(connection: Connection, query: Select[Any]) -> list[ConversationRecord]:
    rows = connection.execute(query).mappings()
    return [ConversationRecord.model_validate(dict(row)) for row in rows]


def _by_id(connection: Connection, owner: str, id: str) -> ConversationRecord | None:
    return next(iter(_records(connection, _owned(owner).where(table.c.id == id))), None)


def refuse_taken(connection: Connection, owner: str, name: str, id: str) -> None:
    """Do nothing where no other conversation has this name.

    Raises:
        InvalidRequest: one has.
    """
    taken = _owned(owner).where(table.c.name == name, table.c.id != id)
    if _records(connection, taken):
        raise InvalidRequest(
            f"A conversation is called {name!r} already: open that one, or choose another name"
        )


def _refuse_removed(connection: Connection, id: str) -> None:
    # Stored anew, it would go on with a path of exchanges that are gone.
    query = select(removed.c.exchange).where(removed.c.conversation == id).limit(1)
    if connection.execute(query).first() is not None:
        raise NotFound(
            "This conversation was deleted meanwhile, and nothing was sent: start a new one"
        )


def _known_as(record: ConversationRecord, digits: int) -> str:
    label = record.name or record.title
    return f"{record.id[:digits]} ({label})" if label else record.id[:digits]


def _nearest(connection: Connection, owner: str, ref: str) -> str:
    query = select(table.c.name).where(table.c.owner == owner, table.c.name.is_not(None))
    names: list[str] = list(connection.execute(query).scalars())
    near = get_close_matches(ref, names, n=NAMES_TOLD, cutoff=0.4)
    return "; the nearest names: " + ", ".join(near) if near else ""
