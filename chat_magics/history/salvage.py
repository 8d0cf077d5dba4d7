"""What is saved from a history file that cannot be used: a copy in memory, the file set aside."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, insert, select, text
from sqlalchemy.exc import DBAPIError

from chat_magics.errors import ChatError
from chat_magics.file_lock import file_lock
from chat_magics.history import search_index
from chat_magics.history.engines import read_only_engine
from chat_magics.history.exchange import now
from chat_magics.history.schema import attachments, conversations, exchanges
from chat_magics.history.store import Store, lock_of

__all__ = ["rescue", "set_aside"]

MOST_CONVERSATIONS = 200
MOST_EXCHANGES = 5_000
"""Memory is not the place for years of history: the newest rows are taken over."""

MOST_FILE_BYTES = 64_000_000
"""Of the files that went with prompts, all together."""

_log = logging.getLogger(__name__)

Rows = dict[str, dict[str, Any]]


def rescue(source: Path, target: Store) -> int:
    """Copy what can be read of the file's newest rows into another store.

    A damaged file is read from both ends towards the damage. A file in a read-only folder cannot
    be opened where it is (its log needs a writable folder), so then a copy is read.

    Args:
        source: the history file.
        target: an empty store.

    Returns:
        how many exchanges were saved.
    """
    for way in (_in_place, _copied):
        try:
            with way(source) as engine:
                talks = _readable(engine, conversations, MOST_CONVERSATIONS)
                asked = _readable(engine, exchanges, MOST_EXCHANGES)
                files = _files(engine, asked)
        except (DBAPIError, OSError) as error:
            _log.warning("%s cannot be read (%s): %s", source, way.__name__.strip("_"), error)
            continue
        target.write(partial(_insert, talks=talks, asked=asked, files=files))
        return len(asked)
    return 0


@contextmanager
def _in_place(source: Path) -> Iterator[Engine]:
    engine = read_only_engine(source)
    try:
        with engine.connect() as connection:
            connection.execute(select(conversations.c.id).limit(1))
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _copied(source: Path) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder:
        for part in _parts(source):
            shutil.copyfile(part, Path(folder, part.name))
        engine = read_only_engine(Path(folder, source.name))
        try:
            yield engine
        finally:
            engine.dispose()


def _readable(engine: Engine, table: Table, most: int) -> Rows:
    """The newest rows by id; where the scan from the end breaks, also those from the beginning."""
    found: Rows = {}
    columns = _columns(engine, table)
    for order in ("rowid DESC", "rowid ASC"):
        query = select(*columns).order_by(text(order)).limit(most)
        try:
            with engine.connect() as connection:
                for row in connection.execution_options(yield_per=1).execute(query).mappings():
                    found[row["id"]] = dict(row)
            break
        except (DBAPIError, ValueError) as error:  # ValueError: a scribbled column
            _log.warning("%s: read %d rows %s, then: %s", table.name, len(found), order, error)
    return found


def _files(engine: Engine, asked: Rows) -> list[dict[str, Any]]:
    """The newest contents of files, of those exchanges, as far as they can be read."""
    found: list[dict[str, Any]] = []
    taken = 0
    if not _columns(engine, attachments):
        return found
    query = select(attachments).order_by(text("rowid DESC"))
    try:
        with engine.connect() as connection:
            for row in connection.execution_options(yield_per=1).execute(query).mappings():
                taken += len(row["content"])
                if taken > MOST_FILE_BYTES:
                    break
                if row["exchange"] in asked:
                    found.append(dict(row))
    except DBAPIError as error:
        _log.warning("attachments: read %d, then: %s", len(found), error)
    return found


def _columns(engine: Engine, table: Table) -> list[Column[Any]]:
    """Those that the file has: an older one that cannot be written keeps its older layout."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql(f"PRAGMA table_info({table.name})")
        names = {name for _, name, *_ in found}
    return [column for column in table.columns if column.name in names]


def _insert(connection: Connection, talks: Rows, asked: Rows, files: list[dict[str, Any]]) -> None:
    for row in talks.values():
        row["path"] = [id for id in row["path"] if id in asked]
    kept = (conversations, list(talks.values())), (exchanges, list(asked.values()))
    for table, rows in (*kept, (attachments, files)):
        if rows:
            connection.execute(insert(table), rows)
    search_index.postpone_all(connection)


def _parts(source: Path) -> list[Path]:
    """The file and its write-ahead log; the third part, `-shm`, is made anew from these."""
    log = source.with_name(source.name + "-wal")
    return [source, log] if log.exists() else [source]


def set_aside(source: Path) -> Path:
    """Rename a damaged file, its log with it, so that a new one can be made in its place.

    Returns:
        where it is now.

    Raises:
        OSError: it cannot be renamed.
    """
    aside = source.with_name(f"{source.name}.damaged-{now():%Y%m%dT%H%M%S%f}")
    try:
        with file_lock(lock_of(source)):
            for part in _parts(source):
                part.rename(aside.with_name(part.name.replace(source.name, aside.name, 1)))
    except ChatError as error:
        raise OSError(str(error)) from error
    return aside
