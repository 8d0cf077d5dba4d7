"""Keeping: the part of History that searches, tags, deletes and takes in whole conversations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from typing_extensions import Unpack

from chat_magics.errors import InvalidRequest
from chat_magics.history import (
    arrivals,
    attached,
    conversations,
    removal,
    search,
    search_index,
)
from chat_magics.history.arrivals import Arrival
from chat_magics.history.exchange import ConversationRecord, Exchange
from chat_magics.history.filters import Filter, FilterFields
from chat_magics.history.given import text_given
from chat_magics.history.resilient import ResilientStore
from chat_magics.history.search_query import read_query

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Keeping"]

TAG_CHARS = 50


class Keeping:
    """What can be done with conversations as a whole. Made by History, never by itself."""

    owner: str
    _store: ResilientStore

    def search(self, words: str, limit: int = 50, **filter: Unpack[FilterFields]) -> DataFrame:
        """The prompts and replies that hold all these words, the best first.

        Args:
            words: words, `"a phrase"`, `begin*`; `model:`, `since:`, `until:`, `status:`,
                `surface:`, `conversation:` (name or id) and `role:` (user or assistant) narrow.
            limit: rows at most, 1 to 1,000.
            filter: fields of Filter; they narrow as well.

        Returns:
            a frame with the columns of `SCHEMA["search"]`, one row for each exchange.
            `attrs["note"]` tells what must be said of it, such as that there are more than the
            1,000 newest matches, which are ranked; empty where there is nothing to say.

        Raises:
            InvalidRequest: there is no word in it, or a field has a value that makes no sense.
            StoreError: this SQLite has no full-text search.

        Example:
            >>> from chat_magics.history import History
            >>> history = History("sqlite://", on_warning=print)
            >>> history.search("joins since:2026").empty
            True
            >>> history.close()
        """
        from chat_magics.frames import to_frame  # pandas takes half a second: at the first frame

        query, wanted = read_query(words), Filter.of(filter)

        def work(connection: Connection) -> search.Found | None:
            return search.find(connection, self.owner, query, wanted, limit)

        while (found := self._store.read(work)) is None:
            self._store.write(search_index.catch_up)
        frame = to_frame("search", found.columns)
        frame.attrs["note"] = found.note
        return frame

    def rename(self, id: str, name: str | None) -> ConversationRecord:
        """Give a stored conversation a name; None takes its name away.

        Raises:
            InvalidRequest: the name is empty, a number, or taken.
            NotFound: no conversation of this id is stored.
        """
        usable = None if name is None else conversations.chosen_name(name)
        return self._change(id, name=usable)

    def set_title(self, id: str, title: str) -> ConversationRecord:
        """Set what a conversation is shown as.

        Raises:
            InvalidRequest: it is no text.
            NotFound: no conversation of this id is stored.
        """
        return self._change(id, title=text_given("a title", title))

    def tag(self, id: str, *tags: str) -> ConversationRecord:
        """Add tags to a stored conversation.

        Args:
            id: of the conversation.
            tags: words of at most 50 characters, without blanks and commas.

        Raises:
            InvalidRequest: one is not such a word.
            NotFound: no conversation of this id is stored.
        """
        return self._set_tags(id, added=[_usable_tag(tag) for tag in tags])

    def untag(self, id: str, *tags: str) -> ConversationRecord:
        """Take tags from a stored conversation; those that it does not have are passed over.

        Raises:
            NotFound: no conversation of this id is stored.
        """
        return self._set_tags(id, dropped=tags)

    def _set_tags(
        self, id: str, added: Sequence[str] = (), dropped: Sequence[str] = ()
    ) -> ConversationRecord:
        def work(connection: Connection) -> ConversationRecord:
            conversations.locked(connection, self.owner, id)
            own = conversations.get(connection, self.owner, id).tags
            tags = sorted({*own, *added} - set(dropped))
            return conversations.change(connection, self.owner, id, tags=tags)

        return self._store.write(work)

    def _change(self, id: str, **values: Any) -> ConversationRecord:
        return self._store.write(
            lambda connection: conversations.change(connection, self.owner, id, **values)
        )

    def delete(self, id: str) -> int:
        """Delete a conversation, with every version of its exchanges, for good.

        What they cost still counts for the budgets.

        Returns:
            how many exchanges went.

        Raises:
            InvalidRequest: a reply streams in it, or another conversation's context has one of
                its exchanges.
            NotFound: no conversation of this id is stored.
        """
        gone = self._store.write(lambda connection: removal.remove(connection, self.owner, id))
        # In pieces, so that nobody waits long for a turn to write.
        begin = True
        while self._store.write(partial(search_index.purge, begin=begin)):
            begin = False
        self._store.scrub()
        return gone

    def with_files(self, exchanges: Sequence[Exchange]) -> list[Exchange]:
        """The same exchanges with the contents of the files that went with their prompts.

        Args:
            exchanges: as they were read; all others read no contents.
        """
        if not any(exchange.attachments for exchange in exchanges):
            return list(exchanges)
        return self._store.read(
            lambda connection: attached.filled(connection, self.owner, exchanges)
        )

    def put(self, record: ConversationRecord, exchanges: Sequence[Exchange]) -> Arrival:
        """Take in a whole conversation that was exported, or leave everything as it is.

        Nothing is merged: where the conversation is here already, it stays as it is.

        Args:
            record: its owner becomes that of this history; its name is dropped where it is taken.
            exchanges: all of it, every version; one that streams becomes `interrupted`.

        Raises:
            InvalidRequest: they do not belong together, or an id is not one.
        """
        return self._store.write(
            lambda connection: arrivals.put(connection, self.owner, record, exchanges)
        )


def _usable_tag(tag: str) -> str:
    word = isinstance(tag, str) and tag.isprintable() and "," not in tag and " " not in tag
    if not word or not 1 <= len(tag) <= TAG_CHARS:
        raise InvalidRequest(
            f"A tag is one word of at most {TAG_CHARS} characters, without blanks and commas"
        )
    return tag
