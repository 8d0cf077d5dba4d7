"""A conversation that comes from elsewhere: taken in whole, or not at all. Nothing is merged."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Table, delete, select

from chat_magics.errors import InvalidRequest
from chat_magics.history import conversations, exchanges
from chat_magics.history.exchange import ConversationRecord, Exchange
from chat_magics.history.schema import conversations as talk_table
from chat_magics.history.schema import exchanges as exchange_table
from chat_magics.history.schema import removed

__all__ = ["Arrival", "put"]

LARGEST = 2**63 - 1
MOST_ATTEMPTS = 2**31 - 1
IDS_AT_ONCE = 500

_ID = re.compile("[0-9a-f]{32}")


class Arrival(NamedTuple):
    """What became of a conversation that was to be taken in.

    Args:
        conversation: its id here.
        outcome: `added`; `present` where it was here with the same exchanges; `different` where
            what is here differs, and nothing was changed.
        note: what must be said, one line; empty where there is nothing to say.
    """

    conversation: str
    outcome: Literal["added", "present", "different"]
    note: str = ""


class _Talk(NamedTuple):
    record: ConversationRecord
    exchanges: tuple[Exchange, ...]
    notes: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        return [exchange.id for exchange in self.exchanges]

    def noted(self, note: str) -> tuple[str, ...]:
        return (*self.notes, note)


def put(
    connection: Connection, owner: str, record: ConversationRecord, given: Sequence[Exchange]
) -> Arrival:
    """Store a conversation with all its exchanges, where it is not here.

    Raises:
        InvalidRequest: they do not belong together, or an id is not one.
    """
    _check(record, given)
    talk = _ended(owner, record, given)
    if _held_by_others(connection, talk):
        talk = _renumbered(owner, talk)
    stored = conversations.locked(connection, owner, talk.record.id)
    if stored is not None:
        return _compared(connection, stored, talk)
    if elsewhere := exchanges.of_ids(connection, owner, talk.ids):
        note = (
            f"{len(elsewhere)} of its {len(given)} exchanges stand in the conversation "
            f"{elsewhere[0].conversation[:8]}: delete that one to take in this one"
        )
        return Arrival(talk.record.id, "different", _line(talk.noted(note)))
    talk = _with_free_name(connection, _with_known_path(connection, talk))
    conversations.add(connection, talk.record)
    exchanges.add_ended(connection, talk.exchanges)
    # It was deleted once, and comes back: what it cost would count twice.
    for some in _chunks(talk.ids):
        connection.execute(delete(removed).where(removed.c.exchange.in_(some)))
    return Arrival(talk.record.id, "added", _line(talk.notes))


def _line(notes: Iterable[str]) -> str:
    return "; ".join(notes)


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE)]


def _check(record: ConversationRecord, given: Sequence[Exchange]) -> None:
    ids = {exchange.id for exchange in given}
    if len(ids) != len(given):
        raise InvalidRequest("Two exchanges of this conversation have one id: it cannot be read")
    for exchange in given:
        if exchange.conversation != record.id:
            raise InvalidRequest(
                f"Exchange {exchange.id} belongs to conversation {exchange.conversation}, "
                f"and not to {record.id}: it cannot be read"
            )
        _check_numbers(exchange)
    for id in (record.id, *ids, *(exchange.supersedes or record.id for exchange in given)):
        if not _ID.fullmatch(id):
            raise InvalidRequest(f"{id[:40]!r} is no id: one has 32 digits 0-9 and a-f")
    _check_circles(given)


def _check_numbers(exchange: Exchange) -> None:
    for usage in (exchange.usage, exchange.wasted):
        if usage and usage.total_tokens + usage.cached_tokens + usage.reasoning_tokens > LARGEST:
            raise InvalidRequest(f"Exchange {exchange.id} has more tokens than can be")
    if not 0 <= exchange.attempts <= MOST_ATTEMPTS:
        raise InvalidRequest(f"Exchange {exchange.id} has {exchange.attempts} attempts")


def _check_circles(given: Sequence[Exchange]) -> None:
    older = {exchange.id: exchange.supersedes for exchange in given}
    while older:
        id, before = older.popitem()
        line = {id}
        while before is not None:
            if before in line:
                raise InvalidRequest(f"Exchange {before} supersedes itself: it cannot be read")
            line.add(before)
            before = older.pop(before, None)


def _ended(owner: str, record: ConversationRecord, given: Sequence[Exchange]) -> _Talk:
    """Ours now, and nothing streams."""
    ours = record.model_copy(update={"owner": owner})
    ended = []
    for exchange in given:
        update: dict[str, object] = {"owner": owner}
        if exchange.status == "streaming":
            update |= {"status": "interrupted", "ended": exchange.ended or exchange.created}
        ended.append(exchange.model_copy(update=update))
    return _Talk(ours, tuple(ended))


def _held_by_others(connection: Connection, talk: _Talk) -> bool:
    wanted = ((talk_table, [talk.record.id]), (exchange_table, talk.ids))
    return any(_others(connection, table, talk.record.owner, ids) for table, ids in wanted)


def _others(connection: Connection, table: Table, owner: str, ids: Sequence[str]) -> bool:
    for some in _chunks(ids):
        query = select(table.c.id).where(table.c.id.in_(some), table.c.owner != owner).limit(1)
        if connection.execute(query).first() is not None:
            return True
    return False


def _renumbered(owner: str, talk: _Talk) -> _Talk:
    """The same with ids of its own: always the same ones, so that it comes once."""

    def new(id: str) -> str:
        digits = hashlib.sha256(f"{owner}\0{id}".encode()).hexdigest()
        return id[:12] + digits[:20]  # an exchange's id begins with its time

    own = {id: new(id) for id in (talk.record.id, *talk.ids)}

    def mapped(ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(own.get(id, id) for id in ids)

    record = talk.record.model_copy(
        update={"id": own[talk.record.id], "path": mapped(talk.record.path)}
    )
    renumbered = tuple(
        exchange.model_copy(
            update={
                "id": own[exchange.id],
                "conversation": record.id,
                "context": mapped(exchange.context),
                "supersedes": exchange.supersedes and mapped([exchange.supersedes])[0],
            }
        )
        for exchange in talk.exchanges
    )
    note = "it has other ids here, since its own are taken in this database"
    return _Talk(record, renumbered, talk.noted(note))


def _compared(connection: Connection, stored: ConversationRecord, talk: _Talk) -> Arrival:
    here = {
        exchange.id: exchange
        for exchange in exchanges.stored(connection, stored.owner, stored.id, None)
    }
    there = {exchange.id: exchange.without_files() for exchange in talk.exchanges}
    if here == there:
        kept = [
            field
            for field in ("name", "title", "path", "tags")
            if getattr(stored, field) != getattr(talk.record, field)
        ]
        note = f"its {', '.join(kept)} stayed as they are here" if kept else ""
        return Arrival(stored.id, "present", note)
    changed = sum(here[id] != there[id] for id in here.keys() & there.keys())
    counts = (
        (len(there.keys() - here.keys()), "only in what came"),
        (len(here.keys() - there.keys()), "only here"),
        (changed, "not the same"),
    )
    differing = ", ".join(f"{count} {where}" for count, where in counts if count)
    note = f"of its exchanges {differing}: delete it here to take in the other"
    return Arrival(stored.id, "different", note)


def _with_known_path(connection: Connection, talk: _Talk) -> _Talk:
    """Without exchanges in its path that are not here, or stand there twice."""
    path = list(dict.fromkeys(talk.record.path))
    strange = [id for id in path if id not in set(talk.ids)]
    found = {found.id for found in exchanges.of_ids(connection, talk.record.owner, strange)}
    known = tuple(id for id in path if id not in strange or id in found)
    if known == talk.record.path:
        return talk
    left_out = len(talk.record.path) - len(known)
    note = f"{left_out} exchanges of its context are not here, and left out of it"
    return talk._replace(
        record=talk.record.model_copy(update={"path": known}), notes=talk.noted(note)
    )


def _with_free_name(connection: Connection, talk: _Talk) -> _Talk:
    name = talk.record.name
    title = talk.record.title
    if not title and talk.exchanges:
        title = conversations.title_of(talk.exchanges[0].prompt)
    record = talk.record.model_copy(update={"title": title})
    if name is None:
        return talk._replace(record=record)
    try:
        usable = conversations.usable_name(name)
        conversations.refuse_taken(connection, record.owner, usable, record.id)
    except InvalidRequest:
        note = f"it came without its name {name[:50]!r}, which is taken here or cannot be a name"
        unnamed = record.model_copy(update={"name": None})
        return talk._replace(record=unnamed, notes=talk.noted(note))
    return talk._replace(record=record.model_copy(update={"name": usable}))
