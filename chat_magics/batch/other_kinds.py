"""A column of pandas as Arrow and polars hold it, its type the same whatever its values are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["arrow_array", "polars_series", "with_dtypes"]


def arrow_array(column: pd.Series[Any]) -> Any:
    """A column as an Arrow array, its type the same whatever the values are.

    Python objects become JSON text: Arrow would guess their type from those that are there.

    Example:
        >>> import pandas as pd
        >>> str(arrow_array(pd.Series([None, None], dtype="string")).type)
        'string'
    """
    import pyarrow as pa

    if column.dtype == object:
        return pa.array(_json_texts(column), pa.string())
    array = pa.Array.from_pandas(column)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.cast(_widely_known(array.type))


def _widely_known(type: Any) -> Any:
    """The type with plain strings: some readers of Parquet do not know those of pandas."""
    import pyarrow as pa

    if pa.types.is_large_string(type):
        return pa.string()
    if pa.types.is_dictionary(type):
        return pa.dictionary(type.index_type, _widely_known(type.value_type), type.ordered)
    return type


def with_dtypes(schema: Any, columns: Mapping[str, pd.Series[Any]]) -> dict[bytes, Any]:
    """The metadata by which pandas reads the columns as it wrote them, such as Int64 for int64.

    Not those of Arrow memory, whose dtype pandas writes and then does not know.
    """
    import pandas as pd
    import pyarrow as pa

    simple = {
        name: column.iloc[:0].reset_index(drop=True)
        for name, column in columns.items()
        if column.dtype != object and not isinstance(column.dtype, pd.ArrowDtype)
    }
    told = pa.Schema.from_pandas(pd.DataFrame(simple), preserve_index=False).pandas_metadata
    own = schema.pandas_metadata or {**told, "index_columns": [], "columns": []}
    kept = [each for each in own["columns"] if each["field_name"] not in columns]
    merged = {**own, "columns": [*kept, *told["columns"]]}
    return {**(schema.metadata or {}), b"pandas": json.dumps(merged).encode()}


def _json_texts(column: pd.Series[Any]) -> list[str | None]:
    return [
        None if gone else json.dumps(value, ensure_ascii=False, default=str)
        for value, gone in zip(column.tolist(), _missing(column), strict=True)
    ]


def _missing(column: pd.Series[Any]) -> list[bool]:
    return [bool(gone) for gone in column.isna()]


def polars_series(name: str, column: pd.Series[Any]) -> Any:
    """A column as polars has it, under this name.

    Example:
        >>> import pandas as pd
        >>> polars_series("n", pd.Series([1, None], dtype="Int64")).to_list()
        [1, None]
    """
    import polars as pl

    if column.dtype == object:
        return pl.Series(name, _json_texts(column), dtype=pl.String)
    dtype = _polars_dtype(column)
    if dtype is None:
        return pl.Series(name, pl.from_arrow(arrow_array(column)))
    values = zip(column.tolist(), _missing(column), strict=True)
    return pl.Series(name, [None if gone else value for value, gone in values], dtype=dtype)


def _polars_dtype(column: pd.Series[Any]) -> Any:
    """The polars dtype of what needs no pyarrow; None for structs, lists and what is rare."""
    import polars as pl

    if str(column.dtype) == "category":
        kinds = {type(value) for value in column.cat.categories}
        numbers = pl.Float64 if float in kinds else pl.Int64
        return pl.Enum(column.cat.categories.tolist()) if kinds <= {str} else numbers
    return {
        "Int64": pl.Int64(),
        "Float64": pl.Float64(),
        "boolean": pl.Boolean(),
        "string": pl.String(),
        "datetime64[us, UTC]": pl.Datetime("us", "UTC"),
        "datetime64[us]": pl.Datetime("us"),
    }.get(str(column.dtype))
