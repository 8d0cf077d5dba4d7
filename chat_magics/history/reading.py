"""FrameReading: what is stored, as pandas frames and as values one after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError
from typing_extensions import Unpack

from chat_magics.frames import SCHEMA, from_arrow, in_time_order, to_frame
from chat_magics.frames.messages import message_batch, message_columns, messages_in_order
from chat_magics.history import bulk, exchanges, rows, statistics, summaries
from chat_magics.history.engines import read_only_engine
from chat_magics.history.exchange import Exchange, Spent
from chat_magics.history.filters import Filter, FilterFields
from chat_magics.history.given import number_given
from chat_magics.history.resilient import ResilientStore
from chat_magics.history.schema import exchanges as table

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["FrameReading"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

PAGE = 2_000
"""Rows that are read at once: about 10 ms, in which nobody else can read or write."""

BULK = 20_000
"""From so many exchanges on, a process of its own for reading is worth its start."""


class FrameReading:
    """The part of History that reads many rows. Made by History, never by itself.

    Its methods narrow by the fields of Filter, as keywords: `conversation`, `exchanges` (ids),
    `since`, `until`, `model`, `owner`, `status`, `surface`, `text`. Its frames have the columns
    and dtypes that `chat_magics.frames.SCHEMA` names, also where they have no rows.

    Example:
        >>> from chat_magics.history import History
        >>> history = History("sqlite://", on_warning=print)
        >>> history.messages(since="2026").empty, int(history.stats()["messages"].item())
        (True, 0)
        >>> history.close()
    """

    owner: str
    _store: ResilientStore

    def messages(self, **filter: Unpack[FilterFields]) -> DataFrame:
        """A row for each prompt, and one for each reply of which any text came, oldest first.

        Args:
            filter: fields of Filter; with `exchanges`, the frame has their order.

        Raises:
            InvalidRequest: a field is not known, or its value makes no sense.
        """
        wanted = Filter.of(filter)
        table = self._bulk(rows.asked_columns(), wanted, message_batch)
        if table is not None:
            return from_arrow("messages", messages_in_order(table))
        found = self._rows(rows.asked_columns(), wanted)
        return to_frame("messages", message_columns(found))

    def exchanges(self, **filter: Unpack[FilterFields]) -> DataFrame:
        """A row for each exchange with all that is known of it, oldest first.

        Args:
            filter: fields of Filter; with `exchanges`, the frame has their order.

        Raises:
            InvalidRequest: a field is not known, or its value makes no sense.
        """
        wanted = Filter.of(filter)
        table = self._bulk(rows.exchange_columns(), wanted)
        if table is not None:
            order = {"created": "ascending", "id": "ascending"}
            return from_arrow("exchanges", in_time_order(table, "created", order, ties=0))
        found = list(self._rows(rows.exchange_columns(), wanted))
        names = [column.name for column in SCHEMA["exchanges"]]
        columns = zip(*found, strict=True) if found else ((),) * len(names)
        return to_frame("exchanges", dict(zip(names, columns, strict=True)))

    def conversations(
        self, *, limit: int | None = None, **filter: Unpack[FilterFields]
    ) -> DataFrame:
        """A row for each conversation, the one that was used last first.

        Args:
            limit: so many at most, those that were used last.
            filter: fields of Filter; figures are of the exchanges that pass, and a conversation
                of which none passes is left out.

        Raises:
            InvalidRequest: a field is not known, or its value makes no sense.
        """
        wanted = Filter.of(filter)
        if limit is not None:
            limit = number_given("limit", limit, of="conversations")
        found = self._aside(
            lambda connection: summaries.columns(connection, wanted, self.owner, limit)
        )
        return to_frame("conversations", found)

    def stats(self, by: str | None = None, **filter: Unpack[FilterFields]) -> DataFrame:
        """Figures over all exchanges that pass, as one row; or a row for each group.

        Args:
            by: `model`, `day`, `conversation`, `surface`, `status` or `error`; a column of that
                name comes first then.
            filter: fields of Filter.

        Raises:
            InvalidRequest: `by` or a field is not known, or its value makes no sense.
        """
        wanted = Filter.of(filter)
        group = statistics.group_of(by)
        found = self._aside(
            lambda connection: statistics.columns(connection, wanted, self.owner, by)
        )
        return to_frame("stats", found, first=group)

    def spent(self, since: datetime, conversation: str | None = None) -> Spent:
        """What this owner spent on exchanges that were asked at or after `since`.

        Args:
            since: an aware moment.
            conversation: on this conversation's id only.

        Returns:
            tokens of all attempts, US dollars, and how many exchanges have no known price.
        """
        return self._store.read(
            lambda connection: exchanges.spent(connection, self.owner, since, conversation)
        )

    def saved(self) -> float:
        """US dollars that cache hits saved this owner, as far as prices are known."""
        return self._store.read(lambda connection: exchanges.saved(connection, self.owner))

    def walk(self, at_once: int = 500, **filter: Unpack[FilterFields]) -> Iterator[Exchange]:
        """The exchanges one after the other, oldest first, in little memory.

        Nothing is held between two pages: others write meanwhile, and what they add at the end
        comes too.

        Args:
            at_once: exchanges of a page.
            filter: fields of Filter; with `exchanges`, in their order.

        Raises:
            InvalidRequest: a field is not known, or its value makes no sense.
        """
        wanted = Filter.of(filter)
        at_once = number_given("at_once", at_once, of="exchanges")
        names = [column.name for column in table.c]
        found = self._rows(list(table.c), wanted, at_once)
        return (exchanges.from_row(dict(zip(names, row, strict=True))) for row in found)

    def _rows(
        self, columns: list[Any], wanted: Filter, at_once: int = PAGE
    ) -> Iterator[tuple[Any, ...]]:
        return rows.in_time_order(self._store.read, columns, wanted, self.owner, at_once)

    def _aside(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads, of a file on a connection of its own: it may take seconds.

        Who streams meanwhile need not wait for it.
        """
        path = self._store.read(lambda _: self._store.path)
        if path is None:
            return self._store.read(work)
        engine = read_only_engine(path)
        try:
            with engine.connect() as connection:
                return work(connection)
        except DBAPIError as error:
            _log.debug("%s is read in turn: %s", path, error.orig)
            return self._store.read(work)
        finally:
            engine.dispose()

    def _bulk(self, columns: list[Any], wanted: Filter, each: Any = None) -> Any:
        """An Arrow table, where there are rows enough for it and it can be had; else None."""
        path = self._store.path
        if path is None or wanted.exchanges is not None or not bulk.available():
            return None
        own = self.owner
        if not self._store.read(lambda connection: rows.more_than(connection, BULK, wanted, own)):
            return None
        clauses = self._store.read(lambda connection: rows.bulk_clauses(connection, wanted, own))
        return bulk.read_table(path, select(*columns).where(*clauses), each)
