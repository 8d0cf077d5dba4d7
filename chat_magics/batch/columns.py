"""Columns of answers: the dtype that a JSON schema asks for, and the values in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..frames import string_dtype, typed_array
from .schemas import resolved

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Anything",
    "Choice",
    "ListOf",
    "Plain",
    "Record",
    "ValueType",
    "native",
    "series",
    "value_type",
]


@dataclass(frozen=True)
class Plain:
    """One value of a type of its own; a moment without an offset is in UTC."""

    kind: Literal["Int64", "Float64", "boolean", "string", "moment", "date"]


@dataclass(frozen=True)
class Choice:
    """One of these values, all of one type."""

    values: tuple[Any, ...]
    kind: Literal["Int64", "Float64", "string"]


@dataclass(frozen=True)
class Record:
    """An object of named fields."""

    fields: tuple[tuple[str, ValueType], ...]


@dataclass(frozen=True)
class ListOf:
    """A list of values of one type."""

    item: ValueType


@dataclass(frozen=True)
class Anything:
    """What has no one type: a union, a free object, a tree that holds trees."""


ValueType: TypeAlias = Plain | Choice | Record | ListOf | Anything

_PLAIN: Mapping[str, Plain] = {
    "integer": Plain("Int64"),
    "number": Plain("Float64"),
    "boolean": Plain("boolean"),
    "string": Plain("string"),
}
_FORMATS: Mapping[str, Plain] = {"date-time": Plain("moment"), "date": Plain("date")}


def value_type(node: Any, root: Mapping[str, Any], above: tuple[str, ...] = ()) -> ValueType:
    """The type of the answers that a JSON schema allows; whether null is one makes no difference.

    Args:
        node: the schema, within `root`.
        root: where references are looked up.
        above: the references that `node` stands in.

    Example:
        >>> value_type({"type": ["integer", "null"]}, {})
        Plain(kind='Int64')
    """
    reference = node.get("$ref") if isinstance(node, Mapping) else None
    if reference in above:
        return Anything()
    above = (*above, reference) if reference else above
    node = resolved(node, root)
    if not isinstance(node, Mapping):
        return Anything()
    for way in ("anyOf", "oneOf", "allOf"):
        if way in node:
            return _common([value_type(each, root, above) for each in node[way] if _is_set(each)])
    if "enum" in node or "const" in node:
        return _choice(node.get("enum", [node.get("const")]))
    kinds = node.get("type", "object" if "properties" in node else ())
    named = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    return _common([_typed(kind, node, root, above) for kind in named])


def _is_set(node: Any) -> bool:
    return not (isinstance(node, Mapping) and node.get("type") == "null")


def _typed(
    kind: str, node: Mapping[str, Any], root: Mapping[str, Any], above: tuple[str, ...]
) -> ValueType:
    if kind == "string":
        return _FORMATS.get(node.get("format", ""), _PLAIN["string"])
    if kind == "array" and "items" in node:
        item = value_type(node["items"], root, above)
        return Anything() if isinstance(item, Anything) else ListOf(item)
    if kind == "object" and node.get("properties"):
        fields = [(name, value_type(f, root, above)) for name, f in node["properties"].items()]
        loose = any(isinstance(each, Anything) for _, each in fields)
        return Anything() if loose else Record(tuple(fields))
    return _PLAIN.get(kind, Anything())


def _common(types: Sequence[ValueType]) -> ValueType:
    """The type that holds the values of all of these."""
    distinct = list(dict.fromkeys(types))
    if len(distinct) == 1:
        return distinct[0]
    kinds = {each.kind for each in distinct if isinstance(each, Plain | Choice)}
    if (
        not distinct
        or len(kinds) == 0
        or any(not isinstance(each, Plain | Choice) for each in distinct)
    ):
        return Anything()
    if kinds <= {"Int64", "Float64"}:
        return _PLAIN["number"] if "Float64" in kinds else _PLAIN["integer"]
    return _PLAIN["string"] if kinds <= {"string", "moment", "date"} else Anything()


def _choice(values: Sequence[Any]) -> ValueType:
    values = tuple(dict.fromkeys(value for value in values if value is not None))
    kinds = {type(value) for value in values}
    if kinds == {str}:
        return Choice(values, "string")
    if kinds == {bool}:
        return _PLAIN["boolean"]
    if kinds and kinds <= {int, float}:
        return Choice(values, "Float64" if float in kinds else "Int64")
    return Anything()


def series(
    name: str, values: Sequence[Any], type: ValueType, index: pd.Index[Any] | None = None
) -> pd.Series[Any]:
    """The values as a column of the dtype that the type asks for.

    A choice becomes a category with all its values; records and lists lie in Arrow memory where
    pyarrow is installed, else they are Python objects.

    Args:
        name: of the column.
        values: as JSON has them; None where one is missing.
        type: of them all.
        index: of the rows; None numbers them.

    Example:
        >>> column = series("age", [41, None], Plain("Int64"))
        >>> str(column.dtype), column.tolist()
        ('Int64', [41, <NA>])
    """
    import pandas as pd

    column: pd.Series[Any] = pd.Series(_array(values, type), index=index, name=name)
    return column


def _array(values: Sequence[Any], type: ValueType) -> Any:
    import pandas as pd

    if isinstance(type, Plain):
        return _plain(values, type.kind)
    if isinstance(type, Choice):
        dtype = {"string": string_dtype(), "Int64": "int64", "Float64": "float64"}[type.kind]
        return pd.Categorical(list(values), categories=pd.Index(list(type.values), dtype=dtype))
    if isinstance(type, Record | ListOf) and find_spec("pyarrow"):
        import pyarrow as pa

        return pd.arrays.ArrowExtensionArray(
            pa.array([native(value, type) for value in values], type=_arrow(type))
        )
    array = pd.array([None] * len(values), dtype=object)
    for place, value in enumerate(values):  # one by one: else lists of one length make a table
        array[place] = value
    return array


def _plain(values: Sequence[Any], kind: Any) -> Any:
    plain = [native(value, Plain(kind)) for value in values]
    if kind == "moment":
        return typed_array(plain, "datetime64[us, UTC]")
    if kind == "date":
        import numpy as np
        import pandas as pd

        return pd.DatetimeIndex(np.array(plain, dtype="datetime64[us]"))
    return typed_array(plain, kind)


def native(value: Any, type: ValueType) -> Any:
    """A value as JSON has it, as Python has it for this type.

    JSON has one type of number: 3.0 is a whole number to it, and 3 any number.

    Raises:
        ValueError, OverflowError: no column of the type can hold it.

    Example:
        >>> native(["2026-01-05T10:00:00+01:00"], ListOf(Plain("moment")))
        [datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.timezone.utc)]
    """
    if value is None or isinstance(type, Anything):
        return value
    if isinstance(type, ListOf):
        return [native(each, type.item) for each in value]
    if isinstance(type, Record):
        return {name: native(value.get(name), field) for name, field in type.fields}
    made = _MADE.get(type.kind)
    return made(value) if made else value


def _arrow(type: ValueType) -> Any:
    import pyarrow as pa

    if isinstance(type, ListOf):
        return pa.list_(_arrow(type.item))
    if isinstance(type, Record):
        return pa.struct([(name, _arrow(field)) for name, field in type.fields])
    assert isinstance(type, Plain | Choice)
    return {
        "Int64": pa.int64(),
        "Float64": pa.float64(),
        "boolean": pa.bool_(),
        "string": pa.string(),
        "moment": pa.timestamp("us", "UTC"),
        "date": pa.date32(),
    }[type.kind]


@cache
def _reader(kind: str) -> Any:
    """Python 3.10 reads no `Z` by itself, and pydantic reads whatever it accepted."""
    from pydantic import TypeAdapter

    return TypeAdapter(datetime if kind == "moment" else date).validate_python


def _whole(value: Any) -> int:
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError(f"{number} is beyond 64 bits")
    return number


def _moment(value: Any) -> datetime:
    moment: datetime = _reader("moment")(value)
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _date(value: Any) -> Any:
    return _reader("date")(value)


_MADE: Mapping[str, Callable[[Any], Any]] = {
    "Int64": _whole,
    "Float64": float,
    "moment": _moment,
    "date": _date,
}
