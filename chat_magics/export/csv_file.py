"""CSV: one message to a row, harmless in a spreadsheet, and read back as it was.

A spreadsheet runs a cell that begins with a sign such as `=`. Text that does is written with an
apostrophe before it, and so is text that begins with an apostrophe: so one can always be taken
away again. Where semicolons or tabs part cells, as in much of Europe, a cell may begin in the
middle of a text: behind each of these and each line end, a sign has an apostrophe before it too,
and one more where it has some.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from chat_magics.errors import InvalidRequest
from chat_magics.export.files import path_text
from chat_magics.export.rows import messages_of
from chat_magics.export.transcript import Transcript
from chat_magics.frames import SCHEMA, to_frame

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["read_csv", "write"]

_RUN = tuple("=+-@\t\r\n＝＋－＠")
"""What a cell that a spreadsheet runs begins with, in wide letters too."""

_APOSTROPHE = "'"

# With quotes around it, a sign runs as well.
_SIGN_WITHIN = "'*\"*[=+\\-@＝＋－＠]"
_TO_GUARD = re.compile(f"(?<=[;\\t\\r\\n])(?={_SIGN_WITHIN})")
_GUARDED = re.compile(f"(?<=[;\\t\\r\\n])'(?={_SIGN_WITHIN})")

_COLUMNS = SCHEMA["messages"]


def write(transcripts: Iterable[Transcript], out: TextIO) -> None:
    """Write the messages, columns as `SCHEMA["messages"]`, moments in ISO 8601."""
    table = csv.writer(out)
    table.writerow([column.name for column in _COLUMNS])
    for columns in messages_of(transcripts):
        rows = zip(*(columns[column.name] for column in _COLUMNS), strict=True)
        table.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        text = value.replace("\0", "\ufffd")  # no reader of CSV takes a NUL
        guarded = _TO_GUARD.sub(_APOSTROPHE, text)
        return _APOSTROPHE + guarded if text.startswith((*_RUN, _APOSTROPHE)) else guarded
    return value


def read_csv(path: str | os.PathLike[str]) -> DataFrame:
    """The messages of a CSV file that was exported, columns as `SCHEMA["messages"]`.

    Text is as it was before the export, without the apostrophes that keep spreadsheets from
    running it; only NUL cannot be kept.

    Args:
        path: the file.

    Raises:
        InvalidRequest: it cannot be read, or is no such file.
    """
    import pandas as pd

    text = path_text(path)
    names = [column.name for column in _COLUMNS]
    try:
        # As text, and pandas' own reader: that of the standard library has a limit for long cells.
        cells = pd.read_csv(
            Path(text).expanduser(), dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (OSError, ValueError) as problem:
        line = " ".join(str(problem).split())
        raise InvalidRequest(f"{text!r} cannot be read: {line}") from problem
    if list(cells.columns) != names:
        raise InvalidRequest(f"{text!r} has other columns than exported messages")
    try:
        values = {
            column.name: [_value(cell, column.dtype) for cell in cells[column.name]]
            for column in _COLUMNS
        }
    except ValueError as problem:
        raise InvalidRequest(f"{text!r} was changed: {problem}") from None
    values["content"] = [text or "" for text in values["content"]]
    return to_frame("messages", values)


def _value(cell: str, dtype: str) -> Any:
    if cell == "":
        return None
    if dtype == "string":
        return _GUARDED.sub("", cell.removeprefix(_APOSTROPHE))
    if dtype == "boolean":
        return {"True": True, "False": False}.get(cell)
    if dtype.startswith("datetime"):
        return datetime.fromisoformat(cell)
    return int(cell) if dtype == "Int64" else float(cell)
