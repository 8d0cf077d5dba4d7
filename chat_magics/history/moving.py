"""Moving: a whole history into an empty place, in batches that may be cut off at any moment.

The target bears a mark until all of it is there, and is no history until then: who opens it is told
so, and the same call takes it up again. What stands there already is compared, and not copied
again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, insert

from chat_magics.errors import InvalidRequest, StoreError
from chat_magics.history import search_index
from chat_magics.history.copying import TABLES, Digest, batches, counted, digest, remove, rows_of
from chat_magics.history.moving_places import Source, Target
from chat_magics.history.schema import exchanges, unindexed

__all__ = ["Moved", "Progress", "move"]

ROUNDS = 3
"""How often what was written meanwhile is copied too, before that is given up."""

Progress = Callable[[str, int, int], None]


class Moved(NamedTuple):
    """What was moved.

    Args:
        source: from where, for a person: without a password.
        target: to where, the same.
        rows: how many of each table, verified by count and by hash.
    """

    source: str
    target: str
    rows: dict[str, int]


def move(source: str, target: str, progress: Progress = lambda what, done, of: None) -> Moved:
    """Copies all conversations of all owners into another place; the source is only read.

    Args:
        source: a path, `sqlite:///PATH` or a `postgresql://` URL.
        target: the same; empty, or what an earlier call that was cut off left there.
        progress: called with what is done now, how much of it is, and of how much.

    Raises:
        ConfigError: one of the URLs cannot be used.
        NotFound: there is no history at the source.
        InvalidRequest: the target holds other things, or the source is written to all the time.
        StoreError: one of them cannot be used, or what is there is not what was copied.

    Example:
        >>> import tempfile
        >>> from chat_magics.history import History
        >>> folder = tempfile.mkdtemp()
        >>> history = History(f"{folder}/old.db", on_warning=print)
        >>> _ = history.create_conversation("one")
        >>> history.close()
        >>> move(f"{folder}/old.db", f"{folder}/new.db").rows["conversations"]
        1
    """
    with closing(Source(source)) as old, closing(Target(target, old.name)) as new:
        old.begin()
        for _ in range(ROUNDS):
            found = {table.name: _copied(old, new, table, progress) for table in TABLES}
            if old.is_unchanged():
                break
        else:
            raise InvalidRequest(
                f"{old.name} is written to all the time: end what uses it, and run the same again"
            )
        _index(new, progress)
        new.finish()
        return Moved(old.name, new.name, {name: each.rows for name, each in found.items()})


def _copied(old: Source, new: Target, table: Table, progress: Progress) -> Digest:
    """A table, once it is the same in both."""
    done, of = 0, old.read(partial(counted, table=table))
    if new.read(partial(counted, table=table)):
        _take_away(old, new, table, progress)
    for keys in batches(old.read, table):
        there = new.read(partial(rows_of, table=table, keys=keys))
        missing = [key for key in keys if key not in there]
        if missing:
            rows = old.read(partial(rows_of, table=table, keys=missing))
            new.write(partial(_add, table=table, rows=list(rows.values())))
        done += len(keys)
        progress(f"copying {table.name}", done, of)

    def told(read: int) -> None:
        progress(f"verifying {table.name}", read, of)

    wanted, found = digest(old.read, table, told), digest(new.read, table, told)
    if wanted != found:
        raise StoreError(
            f"{table.name} at {new.name} are not those of {old.name} ({found.rows:,} and "
            f"{wanted.rows:,}): somebody writes there; end that, and run the same again"
        )
    return found


def _take_away(old: Source, new: Target, table: Table, progress: Progress) -> None:
    """What an earlier run copied, and what changed or went there since."""
    done, of = 0, new.read(partial(counted, table=table))
    for keys in batches(new.read, table):
        copied = new.read(partial(rows_of, table=table, keys=keys))
        wanted = old.read(partial(rows_of, table=table, keys=keys))
        gone = [key for key, row in copied.items() if row != wanted.get(key)]
        if gone:
            new.write(partial(remove, table=table, keys=gone))
        done += len(keys)
        progress(f"comparing {table.name}", done, of)


def _add(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(insert(table), rows)
    if table is exchanges:
        ended = [row["id"] for row in rows if row["status"] != "streaming"]
        search_index.postpone(connection, ended)


def _index(new: Target, progress: Progress) -> None:
    """Puts the words of all exchanges into the target's index, where it can have one."""
    try:
        new.read(search_index.check_usable)
    except StoreError:
        return
    of = new.read(_left)
    while left := new.read(_left):
        progress("indexing", of - left, of)
        new.write(search_index.catch_up)


def _left(connection: Connection) -> int:
    return counted(connection, unindexed)
