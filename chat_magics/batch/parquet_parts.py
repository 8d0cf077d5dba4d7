"""Parquet out: blocks into a file or a folder of them, which is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..export.files import checked_target, path_text, whole_file
from ..export.parquet_file import check_installed
from ..export.scratch import scratch

__all__ = ["ParquetParts", "whole_parquet"]

_ENDINGS = (".parquet", ".parq", ".pq")
_GROUP_ROWS, _GROUP_BYTES = 65_536, 16 * 2**20
"""A row group is written when it has so many rows or takes so much memory."""
_PART_ROWS = 1_000_000


class ParquetParts:
    """What takes the blocks that are written; made by `whole_parquet`.

    Args:
        folder: where the files go, named in their order; None for one file.
        file: the one file.
        part_rows: rows of a file in a folder.
    """

    def __init__(self, folder: Path | None, file: Path | None, part_rows: int) -> None:
        self._folder = folder
        self._file = file
        self._part_rows = part_rows
        self._schema: Any = None
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._rows = 0
        self._bytes = 0
        self._written = 0
        self._number = 0

    def write(self, table: Any) -> None:
        """Takes the next rows, an Arrow table of the same columns and types as the first one.

        Raises:
            InvalidRequest: it has others.
        """
        if self._schema is None:
            self._schema = table.schema
        elif not table.schema.equals(self._schema):
            raise InvalidRequest(
                "a block has other columns or types than the first: "
                f"{_difference(self._schema, table.schema)}"
            )
        self._waiting.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._waiting:
            return
        group = pa.concat_tables(self._waiting)
        self._waiting, self._rows, self._bytes = [], 0, 0
        while group.num_rows or not self._number:  # a frame without rows is a file as well
            writer = self._writer or self._open()
            fitting = group.slice(0, self._part_rows - self._written if self._folder else None)
            writer.write_table(fitting)
            self._written += fitting.num_rows
            group = group.slice(fitting.num_rows)
            if self._folder and self._written >= self._part_rows:
                self._end_part()

    def _open(self) -> Any:
        from pyarrow.parquet import ParquetWriter

        target = self._file
        if self._folder is not None:
            target = self._folder / f"part-{self._number:05}.parquet"
        self._writer = ParquetWriter(target, self._schema, compression="zstd")
        self._written = 0
        self._number += 1
        return self._writer

    def _end_part(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.close()
        with open(writer.where, "rb") as file:
            os.fsync(file.fileno())

    def close(self, *, whole: bool) -> None:
        """Ends the last file.

        Args:
            whole: what waits is to be written as well.
        """
        try:
            if whole and self._schema is None:
                raise InvalidRequest(
                    "nothing was written: there is no block, not even an empty one"
                )
            if whole:
                self._flush()
        finally:
            self._end_part()


def _difference(first: Any, other: Any) -> str:
    told = [f"{f.name} was {f.type}" for f in first if f not in list(other)]
    new = [f"{f.name} is {f.type}" for f in other if f not in list(first)]
    return ", ".join(told + new) or "their order"


@contextmanager
def whole_parquet(
    path: str | os.PathLike[str], *, force: bool = False, part_rows: int = _PART_ROWS
) -> Iterator[ParquetParts]:
    """Takes blocks for a Parquet file or a folder of them, which is there when the block ends well.

    Until then all lies beside it under another name, which is removed where something fails; what
    a killed program left so is removed by the next one.

    Args:
        path: a file where it ends in `.parquet`, else a folder.
        force: replace what is there; a folder only where nothing else is in it.
        part_rows: rows of each file in a folder.

    Raises:
        InvalidRequest: it is there and not `force`, it cannot be written, nothing was written, or
            pyarrow is not installed.
    """
    check_installed()
    target = Path(path_text(path)).expanduser()
    one_file = target.suffix.lower() in _ENDINGS and not target.is_dir()
    with ExitStack() as stack:
        if one_file:
            checked = checked_target(target, force=force)
            temporary = stack.enter_context(whole_file(checked, force=force))
            parts = ParquetParts(None, temporary, part_rows)
        else:
            _check_folder(target, force)
            temporary = stack.enter_context(_whole_folder(target, force))
            parts = ParquetParts(temporary, None, part_rows)
        yield stack.enter_context(_ending(parts))


@contextmanager
def _ending(parts: ParquetParts) -> Iterator[ParquetParts]:
    whole = False
    try:
        yield parts
        whole = True
    finally:
        parts.close(whole=whole)


def _check_folder(target: Path, force: bool) -> None:
    if not target.name or not target.parent.is_dir():
        raise InvalidRequest(f"there is no folder {target.parent}: make it first")
    if not os.path.lexists(target):
        return
    if not force:
        raise InvalidRequest(
            f"{target} is there already: choose another name, or force it (--force, force=True)"
        )
    if target.is_symlink() or not target.is_dir():
        raise InvalidRequest(
            f"{target} is no folder: name another one, or one that ends in .parquet"
        )
    foreign = [each.name for each in target.iterdir() if each.suffix.lower() not in _ENDINGS]
    if foreign:
        raise InvalidRequest(
            f"{target} holds {foreign[0]}, which is no Parquet: name another folder"
        )


@contextmanager
def _whole_folder(target: Path, force: bool) -> Iterator[Path]:
    try:
        with scratch(target) as beside:
            _check_folder(target, force)  # what a killed program put aside may be back
            new, old = beside / "new", beside / "old"
            new.mkdir()
            yield new
            _check_folder(target, force)  # another program may have made it meanwhile
            if os.path.lexists(target):
                target.rename(old)
            try:
                new.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
    except OSError as problem:
        why = problem.strerror or problem
        raise InvalidRequest(f"{target} cannot be written: {why}") from problem
