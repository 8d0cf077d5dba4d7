"""One database, opened and used with care: transactions, locks, checkpoints, forks."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from chat_magics.errors import StoreError
from chat_magics.file_lock import file_lock
from chat_magics.history.engines import (
    common_engine,
    file_engine,
    give_back,
    memory_engine,
    server_engine,
)
from chat_magics.history.faults import FileUnusable, translated
from chat_magics.history.layout import LAYOUT, Layout, prepare, version_of

__all__ = ["Store", "lock_of", "open_file", "open_memory", "open_server"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

WAL_RESET_FIXED = (3, 51, 3)
"""Before this SQLite, a write and a checkpoint at the same time could corrupt a WAL file."""

CHECKPOINT_EVERY = 256
"""Write transactions of one process between two checkpoints, where the guard makes them."""

CHANGE_SECONDS = 3600.0
"""How long a server may take to bring a large history to a newer layout."""

CHECKED_BYTES = 8_000_000
"""A file up to this size is checked whenever it is opened (about 1 ms per MB)."""


class Store:
    """Runs work in transactions; which database it is, only this class knows.

    Args:
        engine: the database.
        name: how a person calls it: a path, or a URL without its password.
        path: the SQLite file; None in memory and on a server.
        on_close: lets go of the engine; by default its connections are closed.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        path: Path | None = None,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self._engine = engine
        self._let_go = on_close or engine.dispose
        self._pid = os.getpid()
        self._guarded = path is not None and sqlite3.sqlite_version_info < WAL_RESET_FIXED
        self._writes = 0

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads, all of one moment.

        Raises:
            FileUnusable: the file is damaged or gone.
            StoreError: the database does not answer.
        """
        with translated(self.name), self._connect("BEGIN") as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once its changes are on the disk; all of them or none.

        Raises:
            FileUnusable: the file cannot be written.
            StoreError: the database does not answer, or refuses.
        """
        with translated(self.name), self._write_lock():
            result = self.transact(work)
            self._checkpoint()
            return result

    def scrub(self) -> None:
        """Empty the write-ahead log of a file: what was deleted stands there still."""
        if self.path is not None:
            with translated(self.name), self._write_lock():
                self._merge_log("TRUNCATE")

    def transact(self, work: Callable[[Connection], T]) -> T:
        """As `write`, for who holds the file's lock already."""
        with self._connect("BEGIN IMMEDIATE") as connection, connection.begin():
            return work(connection)

    def close(self) -> None:
        """Close the database; the last process that has it open merges its write-ahead log."""
        if os.getpid() != self._pid:
            self._part_from_parent()
        try:
            with self._write_lock():
                self._let_go()
        except (OSError, StoreError) as error:
            _log.warning("%s is closed without its lock: %s", self.name, error)
            self._let_go()

    def _connect(self, begin: str) -> Connection:
        if os.getpid() != self._pid:
            self._part_from_parent()
        return self._engine.connect().execution_options(begin=begin)

    def _part_from_parent(self) -> None:
        """A forked child must not speak on its parent's connection."""
        self._pid = os.getpid()
        if self.path is not None:
            # SQLite would take the parent's file locks for the child's own: forget them first.
            self._engine.dispose()
        elif self._engine.dialect.name != "sqlite":
            # To close a server's connection is to speak on it. (Memory was copied by the fork.)
            self._engine.dispose(close=False)

    def _write_lock(self) -> AbstractContextManager[None]:
        if self.path is None or not self._guarded:
            return nullcontext()
        return file_lock(lock_of(self.path))

    def _checkpoint(self) -> None:
        if not self._guarded:
            return
        if self._writes % CHECKPOINT_EVERY == 0:
            self._merge_log("PASSIVE")
        self._writes += 1

    def _merge_log(self, how: str) -> None:
        try:
            with self._connect("") as connection:
                connection.exec_driver_sql(f"PRAGMA wal_checkpoint({how})")
        except DBAPIError as error:
            # What was committed is safe in the log; the next write meets the same fault.
            _log.warning("checkpoint of %s put off: %s", self.name, error.orig)


def lock_of(path: Path) -> Path:
    """The lock file that stands beside this history file."""
    return path.with_name(path.name + ".lock")


def open_memory() -> Store:
    """An empty store that lives as long as this process."""
    store = Store(memory_engine(), "in memory")
    store.write(prepare)
    return store


def open_server(url: str) -> Store:
    """The store at this PostgreSQL URL, its tables made or brought up to date.

    Raises:
        StoreError: it cannot be reached, its driver is not installed, or it is newer than us.
    """
    store = Store(*common_engine(url), on_close=partial(give_back, url))
    try:
        if store.read(version_of) != LAYOUT.version:
            _make_server_ready(url)
    except BaseException:
        store.close()
        raise
    return store


def _make_server_ready(url: str) -> None:
    unhurried = Store(*server_engine(url, silent_seconds=CHANGE_SECONDS))
    try:
        unhurried.write(prepare)
    finally:
        unhurried.close()


def open_file(path: Path, layout: Layout = LAYOUT) -> Store:
    """The store in this SQLite file, made where it is not there, brought up to date where older.

    Raises:
        FileUnusable: it cannot be made, read or written, or it is damaged.
        StoreError: it was written by a newer chat_magics.
    """
    with translated(str(path)):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two processes that switch one new file to WAL at once fail in spite of any timeout.
        with file_lock(lock_of(path)):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            suspect = _suspect(path)
            engine = file_engine(path, checkpoints=sqlite3.sqlite_version_info >= WAL_RESET_FIXED)
            store = Store(engine, str(path), path)
            try:
                _make_ready(store, engine, layout, suspect=suspect)
            except BaseException:
                engine.dispose()
                raise
            return store


def _suspect(path: Path) -> bool:
    """True where the file was not closed cleanly, is open elsewhere, or is quickly checked."""
    log = path.with_name(path.name + "-wal")
    return path.stat().st_size <= CHECKED_BYTES or (log.exists() and log.stat().st_size > 0)


def _make_ready(store: Store, engine: Engine, layout: Layout, *, suspect: bool) -> None:
    with engine.connect().execution_options(begin="") as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        if suspect and connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
            raise FileUnusable("is damaged", damaged=True)
        ready = version_of(connection) == layout.version
    if not ready:
        store.transact(lambda connection: prepare(connection, layout))
