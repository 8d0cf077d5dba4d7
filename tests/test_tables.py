"""Table: rows of frames of three libraries, and the same frame with columns of answers."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from chat_magics.batch.other_kinds import arrow_array
from chat_magics.batch.shape import Shape
from chat_magics.batch.tables import Table
from chat_magics.errors import InvalidRequest

KINDS = ["pandas", "polars", "pyarrow"]
ROWS = [
    {"text": "late", "n": 1, "x": 0.5, "on": True},
    {"text": None, "n": None, "x": None, "on": None},
    {"text": "wrong", "n": 3, "x": 2.0, "on": False},
]
MOMENT = datetime(2026, 1, 5, 10, tzinfo=timezone.utc)


def frame_of(kind: str, rows: list[dict[str, Any]]) -> Any:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    if kind == "pandas":
        return table.to_pandas(types_mapper=pd.ArrowDtype)
    return pl.from_arrow(table) if kind == "polars" else table


SCHEMA = pa.schema(
    [("text", pa.string()), ("n", pa.int64()), ("x", pa.float64()), ("on", pa.bool_())]
)


def answers(length: int, given: int | None = 0) -> dict[str, pd.Series[Any]]:
    """Columns of every dtype; all missing but one row."""

    def column(name: str, into: Any, value: Any) -> pd.Series[Any]:
        values = [value if place == given else None for place in range(length)]
        return Shape.of(into, name).frame(values)[name]

    return {
        "kind": column("kind", Literal["a", "b"], "b"),
        "rank": column("rank", Literal[1, 2], 2),
        "count": column("count", int, 2**60),
        "share": column("share", float, 0.25),
        "sure": column("sure", bool, True),
        "note": column("note", str, "Grüße"),
        "at": column("at", datetime, "2026-01-05T10:00:00Z"),
        "tags": column("tags", list[str], ["a"]),
        "any": column("any", dict[str, int], {"a": 1}),
    }


VALUES = ["b", 2, 2**60, 0.25, True, "Grüße", MOMENT, ["a"], {"a": 1}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_rows_come_in_order_in_blocks(kind: str, size: int) -> None:
    table = Table(frame_of(kind, ROWS))
    blocks = list(table.blocks(size))
    assert [row for block in blocks for row in block] == ROWS
    assert {len(block) for block in blocks[:-1]} <= {size}
    assert (table.kind, len(table), table.columns) == (kind, 3, ("text", "n", "x", "on"))


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_columns_that_are_wanted_are_read(kind: str) -> None:
    table = Table(frame_of(kind, ROWS))
    assert next(table.blocks(columns=["n"])) == [{"n": 1}, {"n": None}, {"n": 3}]
    assert next(table.blocks(columns=[])) == [{}, {}, {}]


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_without_rows_has_no_blocks_and_keeps_its_columns(kind: str) -> None:
    table = Table(frame_of(kind, []))
    assert list(table.blocks()) == []
    grown = table.with_columns(answers(0))
    assert list(Table(grown).columns) == ["text", "n", "x", "on", *answers(0)]


def test_whatever_pandas_calls_missing_is_none() -> None:
    frame = pd.DataFrame(
        {
            "object": ["a", None, np.nan, pd.NA],
            "float": [1.5, np.nan, np.inf, 0.0],
            "float32": np.array([1.5, np.nan, 1, 0], dtype="float32"),
            "Float64": pd.array([1.5, None, 2.0, None], dtype="Float64"),
            "time": pd.to_datetime(["2026-01-01", None, None, "2026-01-02"]),
            "category": pd.Categorical(["a", None, "b", "a"]),
            "boolean": pd.array([True, None, False, None], dtype="boolean"),
        }
    )
    (rows,) = Table(frame).blocks()
    gone = [[name for name, value in row.items() if value is None] for row in rows]
    assert gone[0] == []
    assert gone[1] == list(frame.columns)
    assert gone[2] == ["object", "time"]
    assert gone[3] == ["object", "Float64", "boolean"]
    (nan,) = Table(pl.DataFrame({"x": [float("nan"), None, 1.0]})).blocks()
    assert nan == [{"x": None}, {"x": None}, {"x": 1.0}]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pd.Series(["a", None], name="text"), "pandas"),
        (pd.Series(["a", None]), "pandas"),
        (pl.Series("text", ["a", None]), "polars"),
        (pl.Series(["a", None]), "polars"),
        (pa.chunked_array([["a"], [None]]), "pyarrow"),
    ],
)
def test_a_series_is_one_column_called_value(data: Any, kind: str) -> None:
    table = Table(data)
    assert list(table.blocks()) == [[{"value": "a"}, {"value": None}]]
    grown = table.with_columns({"answer": pd.Series(["b", None], dtype="string")})
    name = getattr(data, "name", None) or "value"
    assert Table(grown).kind == kind
    assert list(Table(grown).blocks()) == [
        [{name: "a", "answer": "b"}, {name: None, "answer": None}]
    ]
    with pytest.raises(InvalidRequest, match=f"column {name} already"):
        table.check_new(["answer", name])


def test_pandas_keeps_its_index_its_order_and_every_dtype() -> None:
    index = pd.MultiIndex.from_tuples([("b", 1), ("a", 1), ("b", 1)], names=["l", "n"])
    frame = pd.DataFrame({"text": ["x", "y", "z"], "c": pd.Categorical(["p", "q", "p"])}, index)
    frame.attrs["from"] = "here"
    columns = answers(3, given=1)
    grown = Table(frame).with_columns(columns)
    assert grown.index.equals(index)
    assert grown.index.names == ["l", "n"]
    assert grown.attrs == frame.attrs
    assert list(frame.columns) == ["text", "c"]
    assert {name: grown[name].dtype for name in columns} == {n: c.dtype for n, c in columns.items()}
    assert grown["c"].dtype == frame["c"].dtype
    row = grown.iloc[1]
    assert [row[name] for name in columns] == VALUES
    assert grown.iloc[[0, 2]][list(columns)].isna().all(axis=None)


def test_rows_go_by_place_not_by_the_index_of_what_is_added() -> None:
    frame = pd.DataFrame({"text": ["x", "y"]}, index=[1, 0])
    grown = Table(frame).with_columns({"n": pd.Series([10, 20], index=[0, 1])})
    assert grown["n"].tolist() == [10, 20]
    with pytest.raises(ValueError, match="not as long"):
        Table(frame).with_columns({"n": pd.Series([10])})


@pytest.mark.parametrize("given", [0, None])
def test_polars_gets_its_own_dtypes(given: int | None) -> None:
    grown = Table(frame_of("polars", ROWS)).with_columns(answers(3, given))
    assert isinstance(grown, pl.DataFrame)
    assert list(grown.schema.items())[4:] == [
        ("kind", pl.Enum(["a", "b"])),
        ("rank", pl.Int64()),
        ("count", pl.Int64()),
        ("share", pl.Float64()),
        ("sure", pl.Boolean()),
        ("note", pl.String()),
        ("at", pl.Datetime("us", "UTC")),
        ("tags", pl.List(pl.String)),
        ("any", pl.String()),
    ]
    expected = [*VALUES[:-1], '{"a": 1}'] if given == 0 else [None] * len(VALUES)
    assert list(grown.row(0)[4:]) == expected
    assert set(grown.row(1)[4:]) == {None}


@pytest.mark.parametrize("given", [0, None])
def test_arrow_gets_the_same_types_whatever_the_values_are(given: int | None) -> None:
    grown = Table(frame_of("pyarrow", ROWS)).with_columns(answers(3, given))
    assert isinstance(grown, pa.Table)
    assert [str(type) for type in grown.schema.types[4:]] == [
        "dictionary<values=string, indices=int8, ordered=0>",
        "dictionary<values=int64, indices=int8, ordered=0>",
        "int64",
        "double",
        "bool",
        "string",
        "timestamp[us, tz=UTC]",
        "list<item: string>",
        "string",
    ]
    expected = [*VALUES[:-1], '{"a": 1}'] if given == 0 else [None] * len(VALUES)
    assert list(grown.to_pylist()[0].values())[4:] == expected


@pytest.mark.parametrize("index", [None, pd.Index(["a", "a", "b"], name="id")])
def test_pandas_reads_arrow_tables_with_the_dtypes_of_the_answers(index: Any) -> None:
    frame = pd.DataFrame({"text": ["x", "y", "z"], "kind": [1, 2, 3]}, index)
    for table in (pa.Table.from_pandas(frame), pa.table({"text": ["x"] * 3})):
        columns = answers(3)
        back = Table(table).with_columns(columns, replace=True).to_pandas()
        plain = [name for name in columns if name not in ("tags", "any")]
        found = {name: str(dtype) for name, dtype in back.dtypes.items()}
        expected = {name: str(column.dtype) for name, column in columns.items()}
        assert {name: found[name] for name in plain} == {name: expected[name] for name in plain}
        assert back["tags"].iloc[0].tolist() == ["a"]
    assert Table(pa.Table.from_pandas(frame)).with_columns({}).to_pandas().equals(frame)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_gives_up_its_place_only_where_that_is_meant(kind: str) -> None:
    table = Table(frame_of(kind, ROWS))
    new = {"n": pd.Series([7, None, 9], dtype="Int64")}
    with pytest.raises(InvalidRequest, match="the frame has a column n already"):
        table.with_columns(new)
    grown = Table(table.with_columns(new, replace=True))
    assert grown.columns == table.columns
    assert [row["n"] for row in next(grown.blocks())] == [7, None, 9]
    assert [row["n"] for row in next(table.blocks())] == [1, None, 3]


def test_names_that_are_no_text_are_read_as_text() -> None:
    frame = pd.DataFrame([[1, 2]])
    table = Table(frame)
    assert list(table.blocks()) == [[{"0": 1, "1": 2}]]
    grown = table.with_columns({"answer": pd.Series([3])})
    assert list(grown.columns) == [0, 1, "answer"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"a": [1]}, "dict is no frame: give a DataFrame"),
        ([1], "list is no frame"),
        ("frame", "str is no frame"),
        (None, "NoneType is no frame"),
        (np.zeros((2, 2)), "ndarray is no frame"),
        (pa.record_batch({"a": [1]}), "RecordBatch is no frame"),
        (pl.LazyFrame({"a": [1]}), r"collect\(\) it first"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns named a: rename"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "several columns named 1"),
        (pa.table([[1], [2]], names=["a", "a"]), "several columns named a"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
    ],
)
def test_what_is_no_frame_is_told_in_one_line(data: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        Table(data)
    assert "\n" not in str(caught.value)


def test_a_dask_frame_is_lazy() -> None:
    dask = pytest.importorskip("dask.dataframe")
    with pytest.raises(InvalidRequest, match=r"compute\(\) it first"):
        Table(dask.from_pandas(pd.DataFrame({"a": [1]}), npartitions=1))


def test_python_objects_become_json_text() -> None:
    column = pd.Series([{"a": 1}, None, "text", np.nan, MOMENT], dtype=object)
    assert arrow_array(column).to_pylist() == [
        '{"a": 1}',
        None,
        '"text"',
        None,
        '"2026-01-05 10:00:00+00:00"',
    ]


def test_without_narwhals_the_command_that_brings_it_is_named() -> None:
    script = (
        "import sys; sys.modules['narwhals'] = None\n"
        "import pandas as pd\n"
        "from chat_magics.batch.tables import Table\n"
        "try: Table(pd.DataFrame())\n"
        "except Exception as error: print(error)\n"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "rows need narwhals: pip install 'chat-magics[rows]'\n"
