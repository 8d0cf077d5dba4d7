"""RowKeeping: the part of History that keeps the answers to rows of frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from chat_magics.history import asked_rows, conversations, exchanges
from chat_magics.history.asked_rows import RowAnswer, RowAsked, RowEnded
from chat_magics.history.exchange import RUN, ConversationRecord, Exchange, now
from chat_magics.history.resilient import ResilientStore

__all__ = ["RowKeeping"]


class RowKeeping:
    """What a run over rows needs of history. Made by History, never by itself.

    A run is a conversation of its own whose path stays empty: no row is the context of another.

    Example:
        >>> from chat_magics.history import History
        >>> history = History("sqlite://", on_warning=print)
        >>> run = history.begin_run("Classify {{text}}")
        >>> history.load_conversations(), run.title
        ([], 'Classify {{text}}')
        >>> history.close()
    """

    owner: str
    _store: ResilientStore
    _rows_begun: dict[str, tuple[Exchange, RowAsked]]
    _runs: dict[str, ConversationRecord]

    def begin_run(self, title: str) -> ConversationRecord:
        """A new run, stored.

        Args:
            title: what it is shown as; as a rule the template. It is cut to 60 characters.
        """
        record = conversations.new_record(self.owner, None, RUN)
        record = record.model_copy(update={"title": conversations.title_of(title)})
        self._store.write(lambda connection: conversations.add(connection, record))
        self._runs[record.id] = record
        return record

    def end_run(self, id: str) -> None:
        """Note that a run has ended now.

        Raises:
            NotFound: it was deleted meanwhile.
        """
        self._runs.pop(id, None)
        self._store.write(
            lambda connection: conversations.change(connection, self.owner, id, used=now())
        )

    def row_answers(self, keys: Iterable[str]) -> dict[str, RowAnswer]:
        """The newest answer to each of these requests that was ever given one, by its key."""
        wanted = list(keys)
        return self._store.read(lambda connection: asked_rows.find(connection, self.owner, wanted))

    def begin_rows(self, first: Exchange, rows: Sequence[RowAsked]) -> None:
        """Store a block of rows before they are sent, in one transaction.

        Args:
            first: what they have in common; its conversation is that of a run.
            rows: at least one.
        """
        self._store.write(lambda connection: asked_rows.begin(connection, first, rows))
        self._rows_begun.update((row.id, (first, row)) for row in rows)

    def finish_rows(self, rows: Sequence[RowEnded]) -> None:
        """Store how a group of rows ended, in one transaction; after that they never change.

        Raises:
            StoreError: one of them was not begun, or has ended before.
        """
        self._store.write(lambda connection: asked_rows.finish(connection, rows))
        for row in rows:
            self._rows_begun.pop(row.id, None)

    def drop_rows(self, ids: Sequence[str]) -> None:
        """Take rows away that were begun and never sent."""
        self._store.write(lambda connection: asked_rows.drop(connection, ids))
        for id in ids:
            self._rows_begun.pop(id, None)

    def _add_begun_rows(self, connection: Connection) -> None:
        """What streams now, into a store that takes the place of a file that failed."""
        for run in self._runs.values():
            if conversations.locked(connection, self.owner, run.id) is None:
                conversations.add(connection, run)
        there = {e.id for e in exchanges.of_ids(connection, self.owner, list(self._rows_begun))}
        for id, (first, row) in self._rows_begun.items():
            if id not in there:
                asked_rows.begin(connection, first, [row])
