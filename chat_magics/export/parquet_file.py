"""Parquet: messages in typed columns, written in pieces, so that a large history fits in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from chat_magics.errors import InvalidRequest
from chat_magics.export.files import checked_target, whole_file
from chat_magics.export.rows import messages_of
from chat_magics.export.transcript import Transcript
from chat_magics.frames import empty, to_frame

if TYPE_CHECKING:
    import pyarrow
    from pandas import DataFrame

__all__ = ["check_installed", "write", "write_parquet"]

_WANTED = "write_parquet takes a list of frames, or what gives them in turn"


def check_installed() -> None:
    """Refuse where pyarrow is missing.

    Raises:
        InvalidRequest: with the command that installs it.
    """
    try:
        import pyarrow  # noqa: F401 - only whether it is there
    except ImportError:
        raise InvalidRequest(
            "Parquet needs pyarrow: pip install 'chat-magics[arrow]', or choose another format"
        ) from None


def write(transcripts: Iterable[Transcript], path: Path) -> None:
    """Write the messages, columns as `SCHEMA["messages"]`, over a file that is there."""
    columns = messages_of(transcripts)
    _write(path, (to_frame("messages", each) for each in columns))


def write_parquet(
    frames: Iterable[DataFrame], path: str | os.PathLike[str], *, force: bool = False
) -> int:
    """Write frames into one file, each as a row group or several; gives the number of rows.

    The file is written whole or not at all.

    Args:
        frames: of the same columns, one after the other; of the messages where there is none.
        path: the file.
        force: replace a file that is there.

    Raises:
        InvalidRequest: pyarrow is not installed, the file is there or cannot be written, or the
            frames are none or differ in their columns.
    """
    check_installed()
    if not isinstance(frames, Iterable):
        raise InvalidRequest(_WANTED)
    checked = checked_target(path, force=force)
    with whole_file(checked, force=force) as temporary:
        return _write(temporary, frames)


def _write(path: Path, frames: Iterable[DataFrame]) -> int:
    from pyarrow.parquet import ParquetWriter  # an extra, and a tenth of a second

    writer: ParquetWriter | None = None
    rows = 0
    try:
        for number, frame in enumerate(frames, 1):
            table = _table(frame)
            writer = writer or ParquetWriter(path, table.schema, compression="zstd")
            if not table.schema.equals(writer.schema):
                raise InvalidRequest(
                    f"frame {number} has other columns or types than the first: write frames of "
                    "one kind into a file"
                )
            writer.write_table(table)
            rows += table.num_rows
        if writer is None:
            table = _table(empty("messages"))
            writer = ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
    return rows


def _table(frame: DataFrame) -> pyarrow.Table:
    import pandas
    import pyarrow

    if not isinstance(frame, pandas.DataFrame):
        raise InvalidRequest(_WANTED)
    try:
        table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    except pyarrow.ArrowException as problem:
        why = " ".join(str(problem).split())
        raise InvalidRequest(f"a frame is nothing for Parquet: {why}") from problem
    # Text of pandas is large_string, which some readers do not know.
    schema = table.schema
    for at, field in enumerate(schema):
        if pyarrow.types.is_large_string(field.type):
            schema = schema.set(at, field.with_type(pyarrow.string()))
    return table.cast(schema)
