"""Parquet in: a file or a folder of them, read a block at a time, however large it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InvalidRequest
from ..export.files import path_text
from ..export.parquet_file import check_installed

__all__ = ["ParquetRows"]

_BLOCK = 1000
_READ_AHEAD = 2**20


class _Part(NamedTuple):
    """One file of a dataset, and the columns that the name of its folder gives."""

    path: str
    rows: int
    keys: dict[str, Any]


class ParquetRows:
    """A Parquet file or a folder of them, read a block at a time, never the whole.

    Folders named `column=value` give that column, as other programs write them.

    Args:
        path: the file or the folder.

    Raises:
        InvalidRequest: it is not there, no Parquet, its files differ in the type of a column, or
            pyarrow is not installed.

    Example:
        >>> import pyarrow as pa
        >>> from pyarrow.parquet import write_table
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_table(pa.table({"n": [1, 2, 3]}), f"{folder}/in.parquet")
        ...     rows = ParquetRows(folder)
        ...     [block["n"].to_pylist() for block in rows.blocks(2)]
        [[1, 2], [3]]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        check_installed()
        self.path = Path(path_text(path)).expanduser()
        if not self.path.exists():
            raise InvalidRequest(f"there is no {self.path}")
        with _told(self.path):
            self.schema, self._parts = _found(self.path)
        self.columns: tuple[str, ...] = tuple(self.schema.names)

    def __len__(self) -> int:
        return sum(part.rows for part in self._parts)

    def blocks(self, size: int = _BLOCK, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The rows in order, as Arrow tables of one schema; at least one, which may have no rows.

        Args:
            size: rows of a block, at most.
            columns: that are wanted; None for all.

        Raises:
            InvalidRequest: a file is damaged.
        """
        import pyarrow as pa

        names = list(self.columns if columns is None else columns)
        schema = _only(self.schema, names)
        waiting, yielded = schema.empty_table(), False
        for part in self._parts:  # of small files, several make a block
            for batch in self._batches(part, size, names):
                waiting = pa.concat_tables([waiting, _fitted(batch, schema, part.keys)])
                while waiting.num_rows >= size:
                    yielded = True
                    yield waiting.slice(0, size)
                    waiting = waiting.slice(size)
        if waiting.num_rows or not yielded:
            yield waiting

    @staticmethod
    def _batches(part: _Part, size: int, names: list[str]) -> Iterator[Any]:
        from pyarrow.parquet import ParquetFile

        # Not by pyarrow.dataset, which decodes a row group as a whole: 0.7 GB of a million rows.
        with (
            _told(Path(part.path)),
            ParquetFile(part.path, buffer_size=_READ_AHEAD, pre_buffer=False) as file,
        ):
            own = [name for name in names if name in file.schema_arrow.names]
            batches = file.iter_batches(batch_size=size, columns=own, use_threads=False)
            yield from batches


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Faults of pyarrow as ours, in one line."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as problem:
        why = " ".join(str(problem).split())
        raise InvalidRequest(f"{path} cannot be read as Parquet: {why}") from None


def _found(path: Path) -> tuple[Any, list[_Part]]:
    """The schema over all files of a dataset, and the files in order."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    partitioning = "hive" if path.is_dir() else None
    dataset = ds.dataset(path, format="parquet", partitioning=partitioning)
    parts, schemas = [], []
    for fragment in dataset.get_fragments():
        keys = ds.get_partition_keys(fragment.partition_expression)
        parts.append(_Part(fragment.path, fragment.metadata.num_rows, keys))
        schemas.append(fragment.physical_schema)
    if not parts:
        raise InvalidRequest(f"{path} holds no Parquet file")
    first = schemas[0]
    fields = [dataset.schema.field(name) for name in parts[0].keys]
    try:
        whole = pa.unify_schemas([*schemas, pa.schema(fields)])
    except (pa.ArrowTypeError, pa.ArrowInvalid) as problem:
        why = " ".join(str(problem).split())
        raise InvalidRequest(f"the files in {path} differ in their columns: {why}") from None
    return whole.with_metadata(first.metadata), parts


def _only(schema: Any, names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in names], metadata=schema.metadata)


def _fitted(batch: Any, schema: Any, keys: dict[str, Any]) -> Any:
    """The batch with all columns of the schema, those that its file does not have among them."""
    import pyarrow as pa

    arrays = []
    for field in schema:
        if field.name in batch.schema.names:
            arrays.append(batch.column(field.name).cast(field.type))
        elif field.name in keys:
            arrays.append(pa.repeat(pa.scalar(keys[field.name], field.type), batch.num_rows))
        else:
            arrays.append(pa.nulls(batch.num_rows, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
