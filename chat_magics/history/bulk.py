"""The fast way to many rows of a SQLite file: ADBC reads them as Arrow, in a process of its own.

In this process it would endanger the file. ADBC's driver brings its own SQLite, and when that one
closes the file, the operating system drops the locks that Python's SQLite holds on it, which are
the process's (POSIX). Tried: the next process that closed the history then took itself for the
last one and deleted the write-ahead log that we went on writing into.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from sqlalchemy import Boolean, Float, Integer, Select
from sqlalchemy.dialects import sqlite

from chat_magics.history import bulk_child
from chat_magics.history.columns import Prose, Utc

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["available", "read_table"]

_log = logging.getLogger(__name__)

_DIALECT = sqlite.dialect()

_PIPE_BYTES = 1_048_576
"""Where the system lets us choose: so both processes wait for each other less often."""


BATCH_ROWS = 8_192
"""Larger ones take longer: they do not fit into the processor's caches."""

_LARGE_BYTES = 65_536
"""Smaller pieces are descriptions of batches, which Arrow may keep."""


def available() -> bool:
    """True where the packages of the extra `arrow` are installed."""
    return bool(sys.executable) and all(map(find_spec, ("pyarrow", "adbc_driver_sqlite")))


def read_table(
    path: Path, query: Select[Any], each: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None
) -> pa.Table | None:
    """The rows of a query as an Arrow table; None where they cannot be read this way.

    Moments are `timestamp[us, UTC]`, flags `bool`, text is as it was before it was stored.

    Args:
        path: the history file; it stays as it is.
        query: over the tables of history, without an order: rows come as they lie in the file,
            which is as a rule the order they were written in.
        each: makes of a batch of rows the one that the table is to hold, whose memory has to be
            its own: that of the batch is used again for the next one.
    """
    import pyarrow as pa

    columns = list(query.selected_columns)
    batches: list[pa.RecordBatch] = []
    with _child(path, _statement(query, columns)) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            source = child.stdout if each is None else _Reused(child.stdout)
            for batch in pa.ipc.open_stream(source):
                # The first row of all only tells the types.
                rows = _as_given(batch if batches else batch.slice(1), columns)
                batches.append(rows if each is None else each(rows))
        except pa.ArrowInvalid as error:
            _log.debug("%s gives rows that Arrow cannot read: %s", path, error)
            child.kill()
        except BaseException:
            child.kill()
            raise
        words = child.stderr.read().decode(errors="replace").strip()
    # A stream that broke off looks like one that ended: only the status tells them apart.
    if child.returncode == 0 and batches:
        return pa.Table.from_batches(batches)
    _log.debug("%s is read without Arrow: %s", path, words)
    return None


class _Reused:
    """What comes by a pipe, each large piece in the place of the one before.

    In a virtual machine the first touch of fresh memory takes longer than the reading itself.

    Args:
        pipe: the readable end.
    """

    closed = False

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = cast(BufferedReader, pipe)
        self._place = bytearray()

    def readable(self) -> bool:
        """True, as Arrow asks."""
        return True

    def read(self, size: int) -> bytes | memoryview:
        """So many bytes, fewer at the end."""
        if size < _LARGE_BYTES:
            return self._pipe.read(size)
        if size > len(self._place):
            self._place = bytearray(size)
        piece = memoryview(self._place)[:size]
        return piece[: self._pipe.readinto(piece)]


def _child(path: Path, sql: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", bulk_child.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.endswith("_KEY")},
        pipesize=_PIPE_BYTES,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    order = {
        "sys_path": sys.path,
        "uri": f"{path.absolute().as_uri()}?mode=ro",
        "sql": sql,
        "batch_rows": BATCH_ROWS,
    }
    assert child.stdin is not None
    try:
        with child.stdin as pipe:
            pipe.write(json.dumps(order).encode())
    except BrokenPipeError:
        _log.debug("the process that reads %s ended at once", path)
    return child


def _statement(query: Select[Any], columns: list[Any]) -> str:
    # Values stand in the text: the types of ours that make them fit for SQLite are not ADBC's.
    rows = query.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
    # ADBC takes the types from the first rows, and a column that is empty there for one of numbers.
    types = ", ".join(f"{_sample(column.type)} AS {column.name}" for column in columns)
    return f"SELECT {types} UNION ALL {rows}"


def _sample(type: Any) -> str:
    if isinstance(type, Float):
        return "0.0"
    return "0" if isinstance(type, (Boolean, Integer)) else "''"


def _as_given(batch: pa.RecordBatch, columns: list[Any]) -> pa.RecordBatch:
    import pyarrow as pa

    arrays = [_array(batch.column(place), column.type) for place, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def _array(array: pa.Array, type: Any) -> pa.Array:
    import pyarrow as pa

    if isinstance(type, Utc):
        return array.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    if isinstance(type, Boolean):
        return array.cast(pa.bool_())
    if not pa.types.is_string(array.type):
        return array
    array.validate(full=True)  # damage shows as text that is no UTF-8
    if isinstance(type, Prose) and _may_hold_escapes(array):
        return pa.array(
            [type.process_result_value(text, _DIALECT) for text in array.to_pylist()],
            type=array.type,
        )
    return array


def _may_hold_escapes(array: pa.Array) -> bool:
    text = array.buffers()[2]
    # A copy that fits into the processor's caches, and ten times as fast as a search by `re`.
    return text is not None and b"\x10" in text.to_pybytes()
