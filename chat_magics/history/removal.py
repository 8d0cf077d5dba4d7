"""Deleting a conversation: what stands in the way of it, and all that goes with it."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from chat_magics.errors import InvalidRequest
from chat_magics.history import conversations, exchanges, under_way
from chat_magics.history.exchange import ConversationRecord
from chat_magics.history.schema import conversations as talk_table
from chat_magics.history.schema import exchanges as exchange_table

__all__ = ["remove"]


def remove(connection: Connection, owner: str, id: str) -> int:
    """Delete a conversation with all versions of its exchanges; what they cost is kept.

    Returns:
        how many exchanges went.

    Raises:
        InvalidRequest: a reply streams in it, or another conversation has one of its exchanges.
        NotFound: there is no such conversation.
    """
    conversations.locked(connection, owner, id)  # nobody begins an exchange there meanwhile
    record = conversations.get(connection, owner, id)
    under_way.interrupt_dead(connection)
    own = exchange_table.c.conversation == id
    found = connection.execute(select(exchange_table.c.id, exchange_table.c.status).where(own))
    statuses = {row.id: row.status for row in found}
    if "streaming" in statuses.values():
        raise InvalidRequest(f"{_named(record)} is being answered: stop that reply first")
    _refuse_used(connection, record, set(statuses))
    exchanges.remove(connection, id)
    connection.execute(delete(talk_table).where(talk_table.c.id == id))
    return len(statuses)


def _refuse_used(connection: Connection, record: ConversationRecord, ids: set[str]) -> None:
    query = select(talk_table.c.id, talk_table.c.name, talk_table.c.title, talk_table.c.path)
    others = query.where(talk_table.c.owner == record.owner, talk_table.c.id != record.id)
    for other, name, title, path in connection.execute(others):
        if not ids.isdisjoint(path):
            raise InvalidRequest(
                f"{_named(record)} cannot go: its exchanges stand in the conversation "
                f"{(name or title)!r} ({other[:8]}); take them out of that one's context first"
            )


def _named(record: ConversationRecord) -> str:
    return f"The conversation {(record.name or record.title)!r} ({record.id[:8]})"
