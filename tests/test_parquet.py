"""Parquet by blocks: files and folders in, files and folders out, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chat_magics.batch.parquet_parts import whole_parquet
from chat_magics.batch.parquet_rows import ParquetRows
from chat_magics.batch.shape import Shape
from chat_magics.batch.tables import Table
from chat_magics.errors import InvalidRequest
from tests.history_samples import start_python


def saved(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def read(rows: ParquetRows, size: int = 1000) -> list[dict[str, Any]]:
    return [row for block in rows.blocks(size) for row in block.to_pylist()]


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def write(target: Path, *values: Any, force: bool = False, then: Exception | None = None) -> None:
    """Blocks of one row with the column n each; `then` is raised at the end of them."""
    with whole_parquet(target, force=force) as parts:
        for value in values:
            parts.write(pa.table({"n": [value]}))
        if then:
            raise then


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """A folder of two files of ten rows, in row groups of four."""
    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(2):
        table = pa.table({"n": list(range(part * 10, part * 10 + 10)), "text": ["x"] * 10})
        pq.write_table(table, folder / f"{part}.parquet", row_group_size=4)
    return folder


@pytest.mark.parametrize("size", [1, 3, 4, 1000])
def test_a_folder_is_read_in_order_in_blocks(numbers: Path, size: int) -> None:
    rows = ParquetRows(numbers)
    assert (len(rows), rows.columns) == (20, ("n", "text"))
    blocks = list(rows.blocks(size))
    assert [n for block in blocks for n in block["n"].to_pylist()] == list(range(20))
    assert max(block.num_rows for block in blocks) <= size
    assert {str(block.schema) for block in blocks} == {str(rows.schema)}
    (only, *_) = rows.blocks(size, columns=["text"])
    assert only.column_names == ["text"]


def test_a_file_is_read_as_a_folder_of_one(tmp_path: Path) -> None:
    file = saved(tmp_path / "day=1" / "one.parquet", n=[1, 2])
    assert read(ParquetRows(file)) == [{"n": 1}, {"n": 2}]


def test_a_file_without_rows_is_one_empty_block(tmp_path: Path) -> None:
    file = saved(tmp_path / "none.parquet", n=pa.array([], pa.int64()))
    (block,) = ParquetRows(file).blocks()
    assert (block.num_rows, block.schema.types) == (0, [pa.int64()])


def test_files_that_lack_a_column_or_have_only_missing_values_have_one_schema(
    tmp_path: Path,
) -> None:
    saved(tmp_path / "in" / "a.parquet", n=[1], x=pa.nulls(1))
    saved(tmp_path / "in" / "b.parquet", x=["text"], m=[2.5])
    rows = ParquetRows(tmp_path / "in")
    assert rows.schema.types == [pa.int64(), pa.string(), pa.float64()]
    assert read(rows) == [{"n": 1, "x": None, "m": None}, {"n": None, "x": "text", "m": 2.5}]


def test_folders_named_for_a_value_give_a_column(tmp_path: Path) -> None:
    for day in (1, 2):
        saved(tmp_path / "in" / f"day={day}" / "a.parquet", n=[day * 10])
    rows = ParquetRows(tmp_path / "in")
    assert read(rows) == [{"n": 10, "day": 1}, {"n": 20, "day": 2}]
    assert [block.to_pylist() for block in rows.blocks(columns=["day"])] == [
        [{"day": 1}, {"day": 2}]
    ]
    assert [block.num_rows for block in rows.blocks(1)] == [1, 1]


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, numbers: Path) -> None:
    text = tmp_path / "text.parquet"
    text.write_text("no Parquet", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    saved(tmp_path / "mixed" / "a.parquet", n=[1])
    saved(tmp_path / "mixed" / "b.parquet", n=["one"])
    bad: list[tuple[Any, str]] = [
        (tmp_path / "gone.parquet", "there is no"),
        (text, "cannot be read as Parquet"),
        (tmp_path / "empty", "holds no Parquet file"),
        (tmp_path / "mixed", "differ in their columns: .*n"),
        (3, "named by a path"),
    ]
    for path, said in bad:
        with pytest.raises(InvalidRequest, match=said) as caught:
            ParquetRows(path)
        assert "\n" not in str(caught.value)


def test_a_file_that_is_damaged_further_on_is_told(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.parquet", n=list(range(100_000)))
    rows = ParquetRows(file)
    data = bytearray(file.read_bytes())
    data[1000:50_000] = b"\0" * 49_000
    file.write_bytes(data)
    with pytest.raises(InvalidRequest, match=r"a\.parquet cannot be read as Parquet"):
        list(rows.blocks())


@pytest.mark.parametrize("name", ["out.parquet", "out"])
def test_what_is_written_is_there_when_the_block_ends(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    with whole_parquet(target) as parts:
        for n in range(5):
            parts.write(pa.table({"n": [n, n]}))
            assert not target.exists()
    assert names(tmp_path) == sorted({"home", name})
    assert [row["n"] for row in read(ParquetRows(target))] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("name", ["out.parquet", "out"])
def test_where_something_fails_nothing_is_there(tmp_path: Path, name: str) -> None:
    for force in (False, True):
        with pytest.raises(KeyError):
            write(tmp_path / name, 1, force=force, then=KeyError())
    with pytest.raises(InvalidRequest, match="nothing was written"):
        write(tmp_path / name)
    assert names(tmp_path) == ["home"]


@pytest.mark.parametrize("name", ["out.parquet", "out"])
def test_what_is_there_stays_unless_it_is_forced(tmp_path: Path, name: str) -> None:
    for value in (1, 2):
        write(tmp_path / name, value, force=True)
    with pytest.raises(InvalidRequest, match="is there already"):
        write(tmp_path / name, then=AssertionError("nothing may run"))
    with pytest.raises(KeyError):
        write(tmp_path / name, 3, force=True, then=KeyError())
    assert read(ParquetRows(tmp_path / name)) == [{"n": 2}]
    assert names(tmp_path) == sorted({"home", name})


def test_what_another_program_makes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def theirs() -> int:
        saved(target / "theirs.parquet", n=[2])
        return 1

    def ours() -> None:
        with whole_parquet(target) as parts:
            parts.write(pa.table({"n": [theirs()]}))

    with pytest.raises(InvalidRequest, match="is there already"):
        ours()
    assert read(ParquetRows(target)) == [{"n": 2}]


def test_a_folder_with_other_things_in_it_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").touch()
    (tmp_path / "plain").touch()
    bad = [
        ("out", "holds thesis.docx, which is no Parquet"),
        ("plain", "is no folder"),
        ("x/y", "no folder"),
    ]
    for name, said in bad:
        with pytest.raises(InvalidRequest, match=said):
            write(tmp_path / name, force=True, then=AssertionError("nothing may run"))
    assert names(tmp_path / "out") == ["thesis.docx"]


def test_a_folder_is_of_files_of_so_many_rows(tmp_path: Path) -> None:
    with whole_parquet(tmp_path / "out", part_rows=4) as parts:
        for n in range(8):
            parts.write(pa.table({"n": [n]}))
        parts.write(pa.table({"n": pa.array([], pa.int64())}))
    files = [pq.read_table(tmp_path / "out" / name).num_rows for name in names(tmp_path / "out")]
    assert files == [4, 4]
    assert names(tmp_path / "out") == ["part-00000.parquet", "part-00001.parquet"]


@pytest.mark.parametrize("name", ["out.parquet", "out"])
def test_no_rows_are_written_with_their_columns(tmp_path: Path, name: str) -> None:
    empty = pa.schema([("n", pa.int64())]).empty_table()
    with whole_parquet(tmp_path / name) as parts:
        parts.write(empty)
        parts.write(empty)
    rows = ParquetRows(tmp_path / name)
    assert (len(rows), rows.schema.types) == (0, [pa.int64()])


def test_a_block_of_other_types_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="n was int64, n is string"):
        write(tmp_path / "out", 1, "one")
    assert names(tmp_path) == ["home"]


def test_answers_have_one_schema_though_the_first_block_has_none(
    tmp_path: Path, numbers: Path
) -> None:
    shape = Shape.of({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}})
    with whole_parquet(tmp_path / "out") as parts:
        for block in ParquetRows(numbers).blocks(4):
            rows = next(Table(block).blocks())
            values = [{"a": row["n"], "b": [row["n"]]} if row["n"] > 8 else None for row in rows]
            parts.write(Table(block).with_columns(shape.frame(values)))
    found = pd.read_parquet(tmp_path / "out")
    assert {name: str(found[name].dtype) for name in ("n", "a")} == {"n": "int64", "a": "Int64"}
    assert found["a"].tolist() == [pd.NA] * 9 + list(range(9, 20))
    assert found["b"].isna().tolist() == [True] * 9 + [False] * 11
    assert found["b"].iloc[9] == "[9]"


WRITES = """
import os, sys, pyarrow as pa
from chat_magics.batch.parquet_parts import whole_parquet
with whole_parquet(sys.argv[1]) as parts:
    parts.write(pa.table({'n': list(range(100_000))}))
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["out", "out.parquet"])
def written_by_another(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """A process in the middle of writing a dataset, and where."""
    target = tmp_path / request.param
    process = start_python(WRITES, target)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    yield process, target
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        pipe.close()


def test_what_a_killed_process_left_goes_with_the_next_run(
    tmp_path: Path, written_by_another: tuple[Any, Path]
) -> None:
    process, target = written_by_another
    process.kill()
    process.wait()
    assert not target.exists()
    assert len(names(tmp_path)) == 2, "its folder is there"
    write(target, 1)
    assert names(tmp_path) == ["home", target.name]


def test_what_a_process_writes_now_is_left_alone(
    tmp_path: Path, written_by_another: tuple[Any, Path]
) -> None:
    process, target = written_by_another
    write(target, 1)
    assert len(names(tmp_path)) == 3, "its folder is there"
    process.stdin.close()
    assert process.wait(60) != 0, "the target is there by now"
    assert len(ParquetRows(target)) == 1
    assert names(tmp_path) == ["home", target.name]


def test_what_a_killed_process_had_put_aside_is_put_back(tmp_path: Path) -> None:
    """It died between taking the old folder away and putting the new one in its place."""
    target = tmp_path / "out"
    write(target, 1, 2)
    dies = (
        "import os, sys, pyarrow as pa\n"
        "from pathlib import Path\n"
        "from chat_magics.batch import parquet_parts\n"
        "rename = Path.rename\n"
        "def dying(self, to):\n"
        "    os.kill(os.getpid(), 9) if self.name == 'new' else rename(self, to)\n"
        "Path.rename = dying\n"
        "with parquet_parts.whole_parquet(sys.argv[1], force=True) as parts:\n"
        "    parts.write(pa.table({'n': [3]}))\n"
    )
    start_python(dies, target).communicate()
    assert not target.exists()
    with pytest.raises(InvalidRequest, match="is there already"):
        write(target, 3)
    assert len(ParquetRows(target)) == 2


GROWTH = """
import sys, threading
import psutil, pyarrow, pandas
from chat_magics.batch.parquet_parts import whole_parquet
from chat_magics.batch.parquet_rows import ParquetRows
from chat_magics.batch.shape import Shape
from chat_magics.batch.tables import Table
me, most, ended = psutil.Process(), 0, threading.Event()
start = me.memory_info().rss
def sample():
    global most
    while not ended.wait(0.01):
        most = max(most, me.memory_info().rss - start)
watching = threading.Thread(target=sample); watching.start()
shape = Shape.of(list[str], "tags")
with whole_parquet(sys.argv[2], part_rows=100_000) as parts:
    for block in ParquetRows(sys.argv[1]).blocks():
        rows = next(Table(block).blocks())
        parts.write(Table(block).with_columns(shape.frame([[row["text"]] for row in rows])))
ended.set(); watching.join()
print(most)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="memory is sampled on Linux")
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    count = 300_000
    text = [f"complaint number {number} of a customer, " * 5 for number in range(count)]
    file = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": text}), file, row_group_size=count)
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(file), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert len(ParquetRows(tmp_path / "out")) == count
    assert int(done.stdout) < 150e6  # the text alone is 55 MB, twice in Python
