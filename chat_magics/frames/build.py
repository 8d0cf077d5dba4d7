"""Frames of the columns and dtypes that SCHEMA names: from plain values or from an Arrow table.

Text lies in Arrow memory where pyarrow is installed, else in Python objects; its dtype is `string`
either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .schema import SCHEMA, Column, Dtype, Kind

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["empty", "from_arrow", "in_time_order", "string_dtype", "to_frame", "typed_array"]


def to_frame(
    kind: Kind, columns: Mapping[str, Sequence[Any]], *, first: Column | None = None
) -> pd.DataFrame:
    """The frame of this kind with these values.

    Args:
        kind: of SCHEMA.
        columns: the values of every column, in any order; None where one is missing. Moments are
            aware `datetime` objects.
        first: a column that stands before those of SCHEMA.

    Raises:
        ValueError: columns are missing, unknown, or of unequal length.

    Example:
        >>> from datetime import datetime, timezone
        >>> found = {
        ...     "rank": [1], "conversation": ["c0ffee"], "title": ["Joins"], "exchange": ["e1"],
        ...     "role": ["user"], "snippet": ["a left join"], "model": [None], "score": [0.5],
        ...     "created": [datetime(2026, 1, 5, tzinfo=timezone.utc)],
        ... }
        >>> frame = to_frame("search", found)
        >>> frame.loc[0, "snippet"], str(frame["created"].dtype)
        ('a left join', 'datetime64[us, UTC]')
    """
    import pandas as pd  # half a second: not for who only chats

    wanted = (*([first] if first else []), *SCHEMA[kind])
    _check(kind, [column.name for column in wanted], columns)
    arrays = {column.name: typed_array(columns[column.name], column.dtype) for column in wanted}
    frame: pd.DataFrame = pd.DataFrame(arrays)
    return frame


def empty(kind: Kind, *, first: Column | None = None) -> pd.DataFrame:
    """The frame of this kind without rows.

    Example:
        >>> empty("messages").empty, str(empty("messages")["content"].dtype)
        (True, 'string')
    """
    names = [column.name for column in (*([first] if first else []), *SCHEMA[kind])]
    return to_frame(kind, {name: [] for name in names}, first=first)


def from_arrow(kind: Kind, table: pa.Table) -> pd.DataFrame:
    """The frame of this kind with the columns of an Arrow table, text not copied.

    Args:
        kind: of SCHEMA.
        table: columns of the names and types that SCHEMA names, moments as `timestamp[us, UTC]`;
            others are left out.

    Raises:
        ValueError: columns are missing.
    """
    import pandas as pd
    import pyarrow as pa

    names = [column.name for column in SCHEMA[kind]]
    _check(kind, names, {name: () for name in table.column_names if name in names})
    dtypes = {
        pa.string(): string_dtype(),
        pa.large_string(): string_dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    frame: pd.DataFrame = table.select(names).to_pandas(types_mapper=dtypes.get)
    return frame


def in_time_order(table: pa.Table, moment: str, order: Mapping[str, str], ties: int) -> pa.Table:
    """The table, sorted where it is not in time order already.

    Args:
        table: as it was read.
        moment: the column whose values should never fall from one row to the next.
        order: of each column to sort by, `ascending` or `descending`.
        ties: so many rows have the moment of the row before; where there are more, `order` says
            what of them comes first.
    """
    import numpy as np
    import pyarrow as pa

    steps = np.diff(table[moment].cast("int64").to_numpy())
    if not (steps < 0).any() and np.count_nonzero(steps == 0) <= ties:
        return table
    # The offsets of `string` reach to 2 GB only, and a sorted column is one piece.
    wide = [
        field.with_type(pa.large_string()) if pa.types.is_string(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(wide)).sort_by(list(order.items()))


def _check(kind: Kind, wanted: Iterable[str], columns: Mapping[str, Sequence[Any]]) -> None:
    differing = set(wanted) ^ set(columns)
    if differing:
        raise ValueError(f"columns of {kind} missing or unknown: {', '.join(sorted(differing))}")


def typed_array(values: Sequence[Any], dtype: Dtype) -> Any:
    """The values as a pandas array of this dtype, the same on every version of pandas.

    Args:
        values: None where one is missing; moments are aware `datetime` objects.
        dtype: as SCHEMA names it.

    Example:
        >>> typed_array([1, None], "Int64").tolist()
        [1, <NA>]
    """
    import pandas as pd

    if dtype == "datetime64[us, UTC]":
        return _moments(values)
    return pd.array(list(values), dtype=string_dtype() if dtype == "string" else dtype)


def string_dtype() -> Any:
    """The dtype `string`, its text in Arrow memory where pyarrow is installed.

    Example:
        >>> str(string_dtype())
        'string'
    """
    # By name: what pandas takes without one differs between its versions.
    import pandas as pd

    return pd.StringDtype("pyarrow" if find_spec("pyarrow") else "python")


def _moments(values: Sequence[Any]) -> pd.DatetimeIndex:
    # By way of NumPy: pandas 2 would go by nanoseconds, which hold the years 1678 to 2262 only.
    import numpy as np
    import pandas as pd

    plain = [None if moment is None else _naive_utc(moment) for moment in values]
    index: pd.DatetimeIndex = pd.DatetimeIndex(np.array(plain, dtype="datetime64[us]"))
    return index.tz_localize("UTC")


def _naive_utc(moment: Any) -> Any:
    from datetime import timezone

    return moment.astimezone(timezone.utc).replace(tzinfo=None)
