"""The History class: every read and write of conversations and exchanges goes through it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from chat_magics.errors import StoreError
from chat_magics.history import conversations, exchanges
from chat_magics.history.exchange import ConversationRecord, Exchange, PathMoved
from chat_magics.history.keeping import Keeping
from chat_magics.history.living import Living
from chat_magics.history.reading import FrameReading
from chat_magics.history.resilient import ResilientStore
from chat_magics.history.row_keeping import RowKeeping

__all__ = ["History"]


class History(FrameReading, Keeping, Living, RowKeeping):
    """Conversations and exchanges, kept in a SQLite file or a PostgreSQL database.

    It is synchronous and can be called from several threads; calls take turns. What a call wrote
    is on the disk when it returns. Where the file cannot be used (disk full, read-only, damaged),
    the chat goes on in memory with what could be read of it, and one warning tells so.

    Args:
        place: a file path, `sqlite:///PATH`, `sqlite://` (in memory) or a `postgresql://` URL.
        owner: whose history it is where several people share one; nobody else's is seen.
        on_warning: called with one line when the history goes on in memory.

    Raises:
        ConfigError: the URL cannot be used.
        StoreAway: the server does not answer.
        StoreError: a newer chat_magics wrote it.

    Example:
        >>> history = History("sqlite://", on_warning=print)
        >>> talk = history.new_conversation()
        >>> hello = Exchange(
        ...     conversation=talk.id, prompt="Hi", sent="Hi", base_url="demo", model_asked="demo"
        ... )
        >>> history.begin(hello, talk, path=[hello.id]).title
        'Hi'
        >>> history.finish(hello.model_copy(update={"status": "complete", "text": "Hello!"}))
        >>> history.exchange(hello.id).text
        'Hello!'
        >>> history.close()
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        owner: str = "",
        on_warning: Callable[[str], None],
    ) -> None:
        self.owner = owner
        # What streams now: it must outlive a file that fails in the middle of it.
        self._begun: dict[str, tuple[Exchange, ConversationRecord]] = {}
        self._rows_begun = {}
        self._runs = {}
        self._store = ResilientStore(
            os.fspath(place), on_warning=on_warning, replenish=self._add_what_streams
        )
        try:
            self.end_dead()
        except BaseException:
            self._store.close()
            raise

    @property
    def durable(self) -> bool:
        """False where the history lives in this process's memory only."""
        return self._store.durable

    @property
    def place(self) -> str:
        """Where it is kept, for a person: a path, a URL without its password, or `in memory`."""
        return self._store.name

    def new_conversation(self, name: str | None = None, origin: str = "") -> ConversationRecord:
        """A fresh conversation that leaves no row until its first exchange begins, or `add`."""
        return conversations.new_record(self.owner, name, origin)

    def create_conversation(self, name: str | None = None, origin: str = "") -> ConversationRecord:
        """A fresh conversation, stored.

        Args:
            name: unique among this owner's.
            origin: what it belongs to; `latest` finds it by that.

        Raises:
            InvalidRequest: the name is empty, a number, or taken.
        """
        return self.add(self.new_conversation(name, origin))

    def add(self, conversation: ConversationRecord) -> ConversationRecord:
        """Store a conversation that `new_conversation` made.

        Raises:
            InvalidRequest: its name is taken.
        """
        self._refuse_others(conversation.owner)
        self._store.write(lambda connection: conversations.add(connection, conversation))
        return conversation

    def conversation(self, ref: str) -> ConversationRecord:
        """The conversation of this name, id, or beginning of an id (4 digits or more).

        Raises:
            InvalidRequest: several ids begin so.
            NotFound: none is called so; the message tells the nearest names.
        """
        return self._store.read(
            lambda connection: conversations.by_ref(connection, self.owner, ref)
        )

    def load_conversations(
        self, limit: int | None = 50, *, runs: bool = False
    ) -> list[ConversationRecord]:
        """The conversations that were used last, newest first.

        Args:
            limit: so many at most; None for all.
            runs: with the runs over rows of frames, which nobody goes on talking in.
        """
        return self._store.read(
            lambda connection: conversations.newest(connection, self.owner, limit, runs=runs)
        )

    def latest(self, origin: str) -> ConversationRecord | None:
        """The conversation of this origin that was used last; None where it has none."""
        return self._store.read(
            lambda connection: conversations.latest(connection, self.owner, origin)
        )

    def set_path(self, id: str, path: Sequence[str]) -> ConversationRecord:
        """Set the list of exchanges that are a conversation's context now.

        Raises:
            NotFound: no conversation of this id is stored.
        """
        return self._change(id, path=list(path))

    def begin(
        self,
        exchange: Exchange,
        conversation: ConversationRecord,
        path: Sequence[str],
        expected: Sequence[str] | None = None,
    ) -> ConversationRecord:
        """Store an exchange before it is sent, and the conversation's path, in one transaction.

        Args:
            exchange: its status is `streaming`.
            conversation: stored with it where it is new.
            path: ids of the exchanges that are the context now, this one as a rule among them.

            expected: the path as the caller knows it; None where it does not matter.

        Returns:
            the conversation as it is stored now.

        Raises:
            InvalidRequest: the conversation is new, and its name is taken.
            PathMoved: the stored path is not the one expected; nothing is stored.
            StoreError: the exchange is stored already, or has ended.
        """
        self._refuse_others(exchange.owner)
        self._refuse_others(conversation.owner)
        if exchange.status != "streaming":
            raise StoreError(f"Exchange {exchange.id} has ended: begin it before it is sent")

        def work(connection: Connection) -> ConversationRecord:
            exchanges.add(connection, exchange)
            return conversations.touch(connection, conversation, exchange, path, expected)

        record = self._store.write(work)
        self._begun[exchange.id] = (exchange, record)
        return record

    def append_partial(self, exchange_id: str, text: str, reasoning: str = "") -> None:
        """Put all that has come so far in the place of what was stored before.

        Raises:
            NotFound: there is no such exchange.
            StoreError: it has ended.
        """
        self._store.write(
            lambda connection: exchanges.partial(
                connection, self.owner, exchange_id, text, reasoning
            )
        )

    def finish(
        self,
        exchange: Exchange,
        path: Sequence[str] | None = None,
        expected: Sequence[str] | None = None,
    ) -> None:
        """Store how an exchange ended; after that it never changes.

        Args:
            exchange: with its final values.
            path: the conversation's path from now on; None leaves it as it is.
            expected: the path as the caller knows it, looked at where `path` is given.

        Raises:
            NotFound: it was not begun.
            PathMoved: the stored path is not the one expected; nothing is stored.
            StoreError: it has ended before, or its status is still `streaming`.
        """
        self._refuse_others(exchange.owner)
        if exchange.status == "streaming":
            raise StoreError(f"Exchange {exchange.id} still streams: give it a final status")

        def work(connection: Connection) -> None:
            exchanges.finish(connection, exchange)
            if path is not None:
                stored = conversations.get(connection, self.owner, exchange.conversation)
                if expected is not None and stored.path != tuple(expected):
                    raise PathMoved(stored)
                conversations.change(connection, self.owner, stored.id, path=list(path))

        self._store.write(work)
        self._begun.pop(exchange.id, None)

    def exchange(self, id: str) -> Exchange:
        """The exchange of this id.

        Raises:
            NotFound: there is none.
        """
        return self._store.read(lambda connection: exchanges.get(connection, self.owner, id))

    def load_exchanges(
        self,
        conversation: str | None = None,
        ids: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[Exchange]:
        """Exchanges, oldest first; or those of `ids`, in the order given.

        Args:
            conversation: of this conversation's id only.
            ids: these only; those that are not there are left out.
            limit: the newest so many; None for all.
        """
        if ids is not None:
            wanted = list(ids)
            return self._store.read(
                lambda connection: exchanges.of_ids(connection, self.owner, wanted)
            )
        return self._store.read(
            lambda connection: exchanges.stored(connection, self.owner, conversation, limit)
        )

    def versions(self, exchange_id: str) -> list[Exchange]:
        """All exchanges that stood in this one's place, in time order, itself among them.

        Raises:
            NotFound: there is none of this id.
        """
        return self._store.read(
            lambda connection: exchanges.versions(connection, self.owner, exchange_id)
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._store.close()

    def _refuse_others(self, owner: str) -> None:
        if owner != self.owner:
            raise StoreError(f"This is the history of {self.owner!r}: open that of {owner!r}")

    def _add_what_streams(self, connection: Connection) -> None:
        self._add_begun_rows(connection)
        for exchange, record in list(self._begun.values()):
            if not exchanges.of_ids(connection, self.owner, [exchange.id]):
                exchanges.add(connection, exchange)
                conversations.touch(connection, record, exchange, record.path, None)
