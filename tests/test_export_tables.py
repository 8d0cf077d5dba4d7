"""CSV and Parquet: typed columns, cells that no spreadsheet runs, and text as it was."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chat_magics.errors import InvalidRequest
from chat_magics.export import export, read_csv, write_parquet
from chat_magics.frames import SCHEMA, empty
from tests.export_samples import MOMENT, talk

NAMES = [column.name for column in SCHEMA["messages"]]
SIGNS = st.sampled_from([*"=+-@'\"\t\r\n,;＝", "''", "NA", "nan", "None", "True", "1", "\r\n"])
TEXT = st.lists(SIGNS | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=5)


def cells_of(prompt: str) -> list[str]:
    table = io.StringIO()
    export([talk(prompt=prompt)], table, format="csv")
    return [row["content"] for row in csv.DictReader(io.StringIO(table.getvalue()))]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "＝", "'"])
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(sign: str) -> None:
    formula = f'{sign}cmd|" /C calc"!A0'
    assert f"'{formula}" in cells_of(formula)
    assert formula not in cells_of(formula)


@given(prompt=TEXT.map("".join))
@settings(max_examples=200, derandomize=True)
@example(prompt="hello;=1+1")
@example(prompt='a;"=1+1"')
@example(prompt="- one\n- two\r\n;'=3\t@x")
def test_no_cell_runs_where_semicolons_or_tabs_part_them(prompt: str) -> None:
    table = io.StringIO()
    export([talk(prompt=prompt)], table, format="csv")
    for mark in (";", "\t"):
        rows = csv.reader(io.StringIO(table.getvalue(), newline=""), delimiter=mark)
        assert [cell for row in rows for cell in row if cell.startswith(tuple("=+-@＝"))] == []


@given(prompt=TEXT.map("".join), reply=TEXT.map("".join), model=TEXT.map("".join))
@settings(max_examples=30, derandomize=True)
@example(prompt="'=1", reply="x" * 200_000, model="-")
@example(prompt=";''=1\n'=2\n'3", reply='- a\n- b;"=1"', model="a\t'\"=")
def test_csv_is_read_back_as_it_was(prompt: str, reply: str, model: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = talk(reply, prompt, model=model or None)
        path = export([wanted], Path(folder, "talk.csv")).path
        rows = read_csv(path)
    newer = rows[rows["exchange"] == wanted.exchanges[1].id]
    said = [prompt, reply] if reply else [prompt]
    assert list(newer["content"]) == [text.replace("\0", "\ufffd") for text in said]
    assert newer["model"].iloc[0] == (model or "demo").replace("\0", "\ufffd")


def test_csv_opens_in_a_spreadsheet_with_its_letters() -> None:
    export([talk("Grüße")], "talk.csv")
    assert Path("talk.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert "Grüße" in set(pd.read_csv("talk.csv")["content"])


def test_csv_of_others_is_refused_in_one_line() -> None:
    export([talk()], "talk.csv")
    good = Path("talk.csv").read_text()
    for name, text in {
        "other.csv": "a,b\n1,2\n",
        "empty.csv": "",
        "changed.csv": good.replace("0.25", "a quarter"),
    }.items():
        Path(name).write_text(text)
        with pytest.raises(InvalidRequest, match=name) as caught:
            read_csv(name)
        assert "\n" not in str(caught.value)
    with pytest.raises(InvalidRequest):
        read_csv("nothing.csv")


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_table_has_the_columns_and_types_of_messages(format: str) -> None:
    for name, talks in {"some": [talk()], "none": []}.items():
        path = export(talks, f"{name}.{format}").path
        frame = read_csv(path) if format == "csv" else pd.read_parquet(path)
        assert list(frame.columns) == NAMES
        wanted = [str(dtype) for dtype in empty("messages").dtypes]
        assert [str(dtype) for dtype in frame.dtypes] == wanted


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_figures_stand_on_the_row_of_the_reply(format: str) -> None:
    path = export([talk()], f"talk.{format}").path
    frame = read_csv(path) if format == "csv" else pd.read_parquet(path)
    assert list(frame["role"]) == ["user", "assistant"] * 2 + ["user"]
    assert frame["prompt_tokens"].sum() == 12
    assert frame["cost"].sum() == 0.25
    assert frame["created"].iloc[0] == MOMENT
    assert frame["latency"].count() == 1


def test_parquet_keeps_microseconds_of_utc_and_plain_strings() -> None:
    export([talk()], "talk.parquet")
    kinds = {field.name: str(field.type) for field in pq.read_schema("talk.parquet")}
    assert kinds["created"] == "timestamp[us, tz=UTC]"
    assert kinds["content"] == "string"
    assert kinds["prompt_tokens"] == "int64"


def test_frames_are_written_one_after_the_other() -> None:
    export([talk()], "talk.parquet")
    frame = pd.read_parquet("talk.parquet")
    assert write_parquet(iter([frame, frame, frame]), "three.parquet") == 3 * len(frame)
    assert pq.ParquetFile("three.parquet").num_row_groups == 3


def test_a_parquet_file_is_replaced_only_by_force_and_as_a_whole() -> None:
    frame = pd.DataFrame({"a": [1]})
    assert write_parquet([frame], "a.parquet") == 1
    with pytest.raises(InvalidRequest, match="is there already"):
        write_parquet([frame], "a.parquet")
    with pytest.raises(InvalidRequest, match="frame 2 has other columns"):
        write_parquet([frame, frame.rename(columns={"a": "b"})], "a.parquet", force=True)
    assert list(pd.read_parquet("a.parquet")["a"]) == [1]
    assert write_parquet([frame, frame], "a.parquet", force=True) == 2
    assert sorted(path.name for path in Path().iterdir()) == ["a.parquet", "home"]


def test_what_parquet_cannot_hold_is_refused_in_one_line() -> None:
    frame = pd.DataFrame({"a": [1, "b"]})
    for frames, path in [([frame], "a.parquet"), (frame, "a.parquet"), ([], "gone/a.parquet")]:
        with pytest.raises(InvalidRequest) as caught:
            write_parquet(frames, path)
        assert "\n" not in str(caught.value)
    assert not Path("a.parquet").exists()
