"""State: what changes in a conversation, its record, its path and what is known of that.

It changes on the private loop only, under the turn; surfaces read it and post what they want.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..errors import NotFound
from .watching import Asked, Change, PathChanged, Watchers

if TYPE_CHECKING:
    from ..history import ConversationRecord, Exchange, History
    from .reply import Reply
    from .session import Session

__all__ = ["State"]


class State:
    """The one mutable part of a conversation.

    Args:
        session: whose history keeps it.
        on_record: told of the record each time that it is another.
    """

    def __init__(self, session: Session, on_record: Callable[[ConversationRecord], None]) -> None:
        self._session = session
        self._on_record = on_record
        self._turn = (os.getpid(), asyncio.Lock())
        self._known: dict[str, Exchange] = {}
        self.watchers: Watchers[Change] = Watchers()
        self.replies: list[Reply] = []
        self.record: ConversationRecord | None = None
        self.loaded = True

    @property
    def turn(self) -> asyncio.Lock:
        """Held by the reply that is under way; a forked child does not wait for its parent's."""
        if self._turn[0] != os.getpid():
            self._turn = (os.getpid(), asyncio.Lock())
        return self._turn[1]

    @property
    def path(self) -> tuple[str, ...]:
        """Ids of the exchanges that are the context now, in order."""
        return self.record.path if self.record else ()

    @property
    def known(self) -> Mapping[str, Exchange]:
        """The exchanges of the path by id, once `load` ran."""
        return self._known

    def keep(self, record: ConversationRecord) -> None:
        """Takes in the record as it is stored now."""
        before, self.record = self.path, record
        self._on_record(record)
        if record.path != before:
            self.watchers.tell(PathChanged(record.path))

    def asked(self, reply: Reply) -> None:
        """Takes in that something is asked; it streams now, or waits for its turn."""
        self.replies.append(reply)
        self.watchers.tell(Asked(reply))

    def answered(self, reply: Reply) -> None:
        """Takes in that it has ended."""
        self.replies.remove(reply)

    def took(self, exchange: Exchange, record: ConversationRecord) -> None:
        """Takes in what a turn stored."""
        self._known[exchange.id] = exchange
        self.keep(record)

    async def load(self) -> ConversationRecord:
        """Reads what is not known yet: the record of a new one, the exchanges of an opened one."""
        origin = self._session.origin
        if self.record is None:
            new = await self._session.store(lambda h: h.new_conversation(None, origin))
            if self.record is None:  # another may have waited for it as well
                self.keep(new)
        assert self.record is not None
        if not self.loaded:
            await self._know(self.record.path)
            self.loaded = True
        return self.record

    async def moved(self, record: ConversationRecord) -> None:
        """Takes in that another kernel asked here meanwhile."""
        await self._know([id for id in record.path if id not in self._known])
        self.keep(record)

    async def catch_up(self) -> None:
        """Takes in what became of replies that were under way elsewhere when they were read.

        Another kernel may have asked here, and may have died since.
        """
        own = {reply.id for reply in self.replies}
        elsewhere = [
            id
            for id in self.path
            if id not in own and id in self._known and self._known[id].status == "streaming"
        ]
        if elsewhere:
            await self._session.store(lambda history: history.end_dead())
            await self._know(elsewhere)

    async def change_path(self, change: Callable[[Sequence[str]], Sequence[str]]) -> None:
        """Makes another path the context, after the reply that is under way.

        Raises:
            NotFound: an exchange of it is not in history; nothing is changed.
        """
        async with self.turn:
            own = await self.load()
            path = change(self.path)
            await self._know(path)
            if strange := [id for id in path if id not in self._known]:
                raise NotFound(f"there is no exchange {strange[0]!r}: nothing is changed")
            self.keep(await self._session.store(partial(_set_path, own=own, path=path)))

    async def _know(self, path: Sequence[str]) -> None:
        found = await self._session.store(lambda history: history.load_exchanges(ids=path))
        self._known.update({exchange.id: exchange for exchange in found})


def _set_path(
    history: History, *, own: ConversationRecord, path: Sequence[str]
) -> ConversationRecord:
    try:
        return history.set_path(own.id, path)
    except NotFound:
        if own.path:
            raise
        history.add(own)  # nothing was asked in it yet, so that it is not stored
        return history.set_path(own.id, path)
