"""The two places of a move: a source that is only read, and a target that is none until the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    func,
    insert,
    inspect,
    select,
    update,
)

from chat_magics.errors import ConfigError, InvalidRequest, NotFound, StoreError
from chat_magics.file_lock import file_lock
from chat_magics.history.columns import Prose
from chat_magics.history.copying import TABLES
from chat_magics.history.engines import file_engine, read_only_engine, server_engine
from chat_magics.history.faults import FileUnusable, translated
from chat_magics.history.layout import (
    LAYOUT,
    MOVING,
    prepare,
    refuse_newer,
    stamp,
    version_of,
)
from chat_magics.history.process import ProcessMark, this_process
from chat_magics.history.resilient import file_of
from chat_magics.history.schema import conversations, exchanges
from chat_magics.history.store import Store, lock_of

__all__ = ["Source", "Target"]

PATIENCE = 600.0
"""Seconds that a server may take to count a large table."""

T = TypeVar("T")

_mark = Table(
    "chat_magics_move",
    MetaData(),
    Column("source", Prose, nullable=False),
    Column("layout", Integer, nullable=False),
    Column("host", Prose, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_started", Double),
)


class Source:
    """The history that is copied, as it was at one moment.

    Args:
        place: a path or a URL.

    Raises:
        ConfigError: the URL cannot be used.
        NotFound: there is no history.
        StoreError: it cannot be read, or is newer than this program.
    """

    def __init__(self, place: str) -> None:
        path = _path(place)
        if path is None:
            self._engine, self.name = server_engine(place, PATIENCE)
            self._engine = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        else:
            self.name = str(path.resolve())
            if not path.is_file():
                raise NotFound(f"there is no history at {path}")
            self._engine = read_only_engine(path)
        self._connection: Connection | None = None
        self._state: Any = None
        try:
            version = self._told(lambda: self._opened(version_of))
            if not version:
                raise NotFound(f"there is no history at {self.name}")
            self.read(refuse_newer)
        except BaseException:
            self.close()
            raise

    def begin(self) -> None:
        """From now on it is read as it is at this moment."""
        self._state = self._told(lambda: self._opened(_state))

    def is_unchanged(self) -> bool:
        """True where nobody has written to it since `begin`; it is read as it is now then."""
        before = self._state
        self.begin()
        return bool(before == self._state)

    def read(self, work: Callable[[Connection], T]) -> T:
        """What work reads.

        Raises:
            StoreError: it cannot be read.
        """
        assert self._connection is not None
        connection = self._connection
        return self._told(lambda: work(connection))

    def _opened(self, work: Callable[[Connection], T]) -> T:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._engine.connect()
        return work(self._connection)

    def _told(self, work: Callable[[], T]) -> T:
        try:
            with translated(self.name):
                return work()
        except FileUnusable as fault:
            raise StoreError(f"{self.name} {fault.message}") from None
        except ValueError as error:  # a value that somebody else wrote, or a damaged one
            raise StoreError(f"{self.name} holds what cannot be read: {error}") from None

    def close(self) -> None:
        """Lets go of it."""
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


def _state(connection: Connection) -> tuple[Any, ...]:
    """Is another one once anybody wrote."""
    found = set(inspect(connection).get_table_names())
    counts = [select(func.count()).select_from(table) for table in TABLES if table.name in found]
    last = [select(func.max(exchanges.c.touched)), select(func.max(conversations.c.used))]
    return tuple(connection.execute(query).scalar() for query in (*counts, *last))


class Target:
    """Where it is copied to: an empty place, or one where an earlier move was cut off.

    Args:
        place: a path or a URL.
        source: from where, for a person; noted there.

    Raises:
        ConfigError: the URL cannot be used.
        InvalidRequest: it holds other things, or another process moves there now.
        StoreError: it cannot be written.
    """

    def __init__(self, place: str, source: str) -> None:
        path = _path(place)
        if path is None:
            self._store = Store(*server_engine(place, PATIENCE))
        else:
            self._store = _file(path.resolve())
        self.name = self._store.name
        self._taken = False
        try:
            if self.name == source:
                raise InvalidRequest(f"source and target are both {source}")
            if path is not None and not self.read(_names):
                _log_ahead(path)
            self.write(lambda connection: self._take(connection, source))
            self._taken = True
        except BaseException:
            self.close()
            raise

    def read(self, work: Callable[[Connection], T]) -> T:
        """What work reads.

        Raises:
            StoreError: it cannot be read.
        """
        return self._told(lambda: self._store.read(work))

    def write(self, work: Callable[[Connection], T]) -> T:
        """What work returns, once its changes are on the disk; all of them or none.

        Raises:
            StoreError: it cannot be written.
        """
        return self._told(lambda: self._store.write(work))

    def finish(self) -> None:
        """Makes it a history."""
        self.write(_finish)

    def _told(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except FileUnusable as fault:
            raise StoreError(f"{self.name} {fault.message}") from None

    def _take(self, connection: Connection, source: str) -> None:
        names = _names(connection)
        if not names:
            prepare(connection)
            _mark.create(connection)
            mark = this_process()
            connection.execute(
                insert(_mark).values(
                    source=source,
                    layout=LAYOUT.version,
                    host=mark.host,
                    pid=mark.pid,
                    process_started=mark.started,
                )
            )
            stamp(connection, MOVING, "(its move to end, by chat-magics move)")
        elif _mark.name in names:
            self._take_up(connection, source)
        elif version_of(connection):
            raise InvalidRequest(f"{self.name} holds a history already: give an empty place")
        else:
            some = ", ".join(sorted(names)[:3])
            raise InvalidRequest(f"{self.name} holds other things ({some}): give an empty place")

    def _take_up(self, connection: Connection, source: str) -> None:
        begun = connection.execute(select(_mark)).one()
        if begun.source != source:
            raise InvalidRequest(
                f"{self.name} holds a part of {begun.source}: go on with that, or empty it"
            )
        if begun.layout != LAYOUT.version:
            raise InvalidRequest(
                f"another version of chat_magics began to move {source} there: empty {self.name}, "
                "and begin anew"
            )
        mark, own = ProcessMark(begun.host, begun.pid, begun.process_started), this_process()
        if mark != own and mark.alive:
            raise InvalidRequest(f"process {begun.pid} is moving {source} there now")
        connection.execute(
            update(_mark).values(host=own.host, pid=own.pid, process_started=own.started)
        )

    def close(self) -> None:
        """Lets go of it; where it is not whole, another call may go on."""
        if self._taken:
            with suppress(StoreError):
                self._store.write(_let_go)
        self._store.close()


def _finish(connection: Connection) -> None:
    _mark.drop(connection)
    stamp(connection, LAYOUT.version, LAYOUT.needs)


def _path(place: str) -> Path | None:
    """Of a file; None for a server."""
    if place.startswith("sqlite:"):
        place = file_of(place)
    elif "://" in place:
        return None
    if place in ("", ":memory:"):
        raise ConfigError("a history in memory cannot be moved: write sqlite:///PATH")
    return Path(place).expanduser()


def _let_go(connection: Connection) -> None:
    own = this_process()
    if inspect(connection).has_table(_mark.name):
        mine = (_mark.c.host == own.host) & (_mark.c.pid == own.pid)
        connection.execute(update(_mark).where(mine).values(host="", pid=0))


def _names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _file(path: Path) -> Store:
    try:
        with translated(str(path)):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except FileUnusable as fault:
        raise StoreError(f"{path} {fault.message}") from None
    return Store(file_engine(path, checkpoints=False), str(path), path)


def _log_ahead(path: Path) -> None:
    """Has an empty file written as histories are, where two processes may do so at once."""
    engine = file_engine(path, checkpoints=False)
    with file_lock(lock_of(path)), engine.connect().execution_options(begin="") as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    engine.dispose()
