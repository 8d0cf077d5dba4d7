"""Frames of pandas, polars and pyarrow: rows in blocks, and the same kind with more columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest
from .other_kinds import arrow_array, polars_series, with_dtypes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SERIES_COLUMN", "Table"]

SERIES_COLUMN = "value"
"""The name of the one column of a series."""

_BLOCK = 1000
_WANTED = "give a DataFrame or Series of pandas or polars, or a pyarrow Table"


class Table:
    """A frame or a series as rows; the data stay where they are, and are never changed.

    Args:
        data: a DataFrame or Series of pandas or polars, a Table or ChunkedArray of pyarrow.

    Raises:
        InvalidRequest: it is nothing of these, two of its columns have one name, or narwhals is
            not installed.

    Example:
        >>> import pandas as pd
        >>> table = Table(pd.DataFrame({"text": ["late", None], "id": [1, 2]}, index=["a", "a"]))
        >>> table.columns, len(table)
        (('text', 'id'), 2)
        >>> list(table.blocks(columns=["text"]))
        [[{'text': 'late'}, {'text': None}]]
        >>> table.with_columns({"kind": pd.Series(["delay", None], dtype="string")})
           text  id   kind
        a  late   1  delay
        a   NaN   2   <NA>
    """

    def __init__(self, data: Any) -> None:
        frame = _read(data)
        self._data = data
        self._is_series = hasattr(frame, "to_frame")
        self.kind: str = frame.implementation.value
        if self._is_series:
            frame = frame.alias(SERIES_COLUMN).to_frame()
        self.columns: tuple[str, ...] = tuple(frame.columns)
        self._frame = frame

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called in what comes of it: a series becomes a frame."""
        return (self._series_name(),) if self._is_series else self.columns

    def __len__(self) -> int:
        return len(self._frame)

    def blocks(
        self, size: int = _BLOCK, columns: Sequence[str] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """The rows in order, a list of dicts at a time; what is missing or not a number is None.

        Args:
            size: rows of a block.
            columns: that are wanted; None for all.
        """
        names = list(self.columns if columns is None else columns)
        for start in range(0, len(self), size):
            block = self._frame[start : start + size]
            values = [_values(block[name]) for name in names]
            rows = zip(*values, strict=True) if values else [()] * len(block)
            yield [dict(zip(names, row, strict=True)) for row in rows]

    def check_new(self, names: Sequence[str]) -> None:
        """Refuses names of new columns that the frame has already.

        Raises:
            InvalidRequest: the message names them.
        """
        taken = [name for name in names if name in self.names]
        if taken:
            raise InvalidRequest(
                f"the frame has {'columns' if len(taken) > 1 else 'a column'} "
                f"{', '.join(taken)} already: rename what is there, or drop it"
            )

    def with_columns(self, columns: Mapping[str, pd.Series[Any]], *, replace: bool = False) -> Any:
        """A frame of the same kind with these columns behind its own, index and order kept.

        Rows go by their place, not by the index of the new columns. What pandas holds as Python
        objects is JSON text in polars and pyarrow, which have no such type.

        Args:
            columns: as long as the frame.
            replace: a column of that name gives up its place to the new one.

        Raises:
            InvalidRequest: there is one of that name already, and not `replace`.
        """
        if not replace:
            self.check_new(list(columns))
        wrong = [name for name, column in columns.items() if len(column) != len(self)]
        if wrong:
            raise ValueError(f"columns {wrong} are not as long as the frame, {len(self)} rows")
        return getattr(self, f"_with_{self.kind}")(columns)

    def typed_as(self, columns: Mapping[str, pd.Series[Any]]) -> Table:
        """The same whose columns of these names have these types, as before it was saved.

        Args:
            columns: as the frame had them once; only their types are looked at.

        Raises:
            InvalidRequest: the values of one are of another type altogether.
        """
        import pandas as pd

        typed = {}
        for name, column in columns.items():
            if column.dtype == object or self._has_dtype(name, column):
                continue
            try:
                values = _values(self._frame[name])
                if str(column.dtype).startswith("list") and any(type(v) is str for v in values):
                    raise ValueError("text is no list")
                typed[name] = pd.Series(values, dtype=column.dtype)
            except (TypeError, ValueError, NotImplementedError, OverflowError) as problem:
                raise InvalidRequest(
                    f"the column {name} holds no {column.dtype} as ask gave it "
                    f"({' '.join(str(problem).split())[:100]}): save frames as Parquet"
                ) from None
        return Table(self.with_columns(typed, replace=True)) if typed else self

    def _has_dtype(self, name: str, column: pd.Series[Any]) -> bool:
        return self.kind == "pandas" and bool(self._data[name].dtype == column.dtype)

    def mended(self, columns: Mapping[str, pd.Series[Any]], rows: Sequence[int]) -> Any:
        """A frame of the same kind in which these rows have new values in these columns.

        Args:
            columns: as long as the frame, of the types that its own columns of these names have;
                only the values of `rows` are looked at.
            rows: their places.
        """
        import narwhals as nw

        fresh = _read(self.with_columns(columns, replace=True))
        chosen = set(rows)
        mask = [place in chosen for place in range(len(self))]
        mended = self._frame
        for name in columns:
            new, old = fresh[name], self._frame[name]
            which = nw.new_series("mask", mask, nw.Boolean, backend=self._frame.implementation)
            if self.kind == "pandas":
                which = nw.from_native(
                    which.to_native().set_axis(self._data.index), series_only=True
                )
            mended = mended.with_columns(new.zip_with(which, old).alias(name))
        native = mended.to_native()
        if self.kind == "pandas":
            native.columns = self._data.columns  # labels may be numbers
        return native

    def _series_name(self) -> str:
        name = getattr(self._data, "name", None)
        return SERIES_COLUMN if name in (None, "") else str(name)

    def _with_pandas(self, columns: Mapping[str, pd.Series[Any]]) -> Any:
        frame = self._data.to_frame(self._series_name()) if self._is_series else self._data
        grown = frame.copy(deep=not _copies_on_write())
        for name, column in columns.items():
            grown[name] = column.array  # a Series would be matched by its index
        return grown

    def _with_polars(self, columns: Mapping[str, pd.Series[Any]]) -> Any:
        named = self._series_name()
        frame = self._data.alias(named).to_frame() if self._is_series else self._data
        return frame.with_columns([polars_series(*each) for each in columns.items()])

    def _with_pyarrow(self, columns: Mapping[str, pd.Series[Any]]) -> Any:
        import pyarrow as pa

        grown = pa.table({SERIES_COLUMN: self._data}) if self._is_series else self._data
        for name, column in columns.items():
            place, array = grown.schema.get_field_index(name), arrow_array(column)
            there = place >= 0
            grown = (
                grown.set_column(place, name, array) if there else grown.append_column(name, array)
            )
        return grown.replace_schema_metadata(with_dtypes(grown.schema, columns))


def _copies_on_write() -> bool:
    """Whether a shallow copy is safe: always from pandas 3 on."""
    import pandas as pd

    return int(pd.__version__.split(".")[0]) >= 3 or pd.options.mode.copy_on_write is True


def _read(data: Any) -> Any:
    """The data as narwhals sees them."""
    try:
        import narwhals as nw
    except ImportError:
        raise InvalidRequest("rows need narwhals: pip install 'chat-magics[rows]'") from None
    lazy = next((way for way in ("collect", "compute") if hasattr(data, way)), None)
    if lazy:
        raise InvalidRequest(f"a lazy frame has no rows yet: {lazy}() it first")
    known = nw.dependencies
    frames = known.is_pandas_dataframe, known.is_polars_dataframe, known.is_pyarrow_table
    series = known.is_pandas_series, known.is_polars_series, known.is_pyarrow_chunked_array
    if any(is_series(data) for is_series in series):
        return nw.from_native(data, series_only=True)
    if not any(is_frame(data) for is_frame in frames):
        raise InvalidRequest(f"{type(data).__name__} is no frame: {_WANTED}")
    _check_names(data)
    if known.is_pandas_dataframe(data) and any(not isinstance(each, str) for each in data.columns):
        data = data.copy(deep=False)
        data.columns = [str(name) for name in data.columns]
    return nw.from_native(data, eager_only=True)


def _check_names(data: Any) -> None:
    names = data.column_names if hasattr(data, "column_names") else data.columns
    if getattr(names, "nlevels", 1) > 1:
        raise InvalidRequest("the frame's columns have several levels: give each one name")
    counted = Counter(str(name) for name in names)
    twice = [name for name, times in counted.items() if times > 1]
    if twice:
        raise InvalidRequest(
            f"the frame has several columns named {', '.join(twice)}: rename all but one"
        )


def _values(series: Any) -> list[Any]:
    values: list[Any] = series.to_list()
    missing = series.is_null()
    if missing.any():
        marked = zip(values, missing.to_list(), strict=True)
        values = [None if gone else value for value, gone in marked]
    if series.dtype.is_float():
        values = [None if value != value else value for value in values]
    if str(series.dtype) == "Float32":  # 0.1 is no 0.10000000149011612
        values = [None if value is None else _short(value) for value in values]
    return values


def _short(value: float) -> float:
    from numpy import float32

    return float(str(float32(value)))
