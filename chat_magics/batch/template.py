"""Template: a prompt with `{{column}}` in it, and what the rows of a frame make of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from ..checks import check_text
from ..errors import InvalidRequest

__all__ = ["Template", "texts"]

_PLACE = re.compile(r"\{\{\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*\}\}")
_NAMES_TOLD = 12


class Template:
    """A prompt in which `{{column}}` stands for the value that a row has there.

    All other braces are sent as they stand, those in values as well. A row whose value is missing
    (None, NaN, NaT, `pd.NA`) makes no prompt: it is not asked.

    Args:
        text: names one column at least; blanks within the braces do not count.

    Raises:
        InvalidRequest: it names none, or cannot be sent.

    Example:
        >>> template = Template('Classify as {"kind": ...}: {{ text }}')
        >>> template.columns
        ('text',)
        >>> template.prompts({"text": ["Late.", None]})
        ['Classify as {"kind": ...}: Late.', None]
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise InvalidRequest(f"the prompt of rows is a text, not {type(text).__name__}")
        check_text(text, "the prompt")
        self.text = text
        parts = _PLACE.split(text)
        self._literals, self._places = parts[::2], parts[1::2]
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(self._places))
        if not self.columns:
            raise InvalidRequest(
                "the prompt names no column, so that each row would ask the same: "
                "write {{column}} where a row's value belongs"
            )

    def check(self, names: Iterable[object]) -> dict[str, Any]:
        """The labels of the columns that are named, among those that a frame has.

        Args:
            names: labels of the frame's columns; `{{2024}}` means the label 2024 or "2024".

        Raises:
            InvalidRequest: one is not there, or two columns are called so.
        """
        by_name: dict[str, list[object]] = {}
        for name in names:
            by_name.setdefault(str(name), []).append(name)
        for column in self.columns:
            if column not in by_name:
                there = _there(column, by_name)
                raise InvalidRequest(f"the prompt names {_braced(column)}, {there}")
            if len(by_name[column]) > 1:
                raise InvalidRequest(
                    f"the prompt names {_braced(column)}, and {len(by_name[column])} columns "
                    "are called so: rename one"
                )
        return {column: by_name[column][0] for column in self.columns}

    def prompts(self, values: Mapping[str, Sequence[str | None]]) -> list[str | None]:
        """The prompt of each row; None where one of its values is missing.

        Args:
            values: of each column its texts, as `texts` gives them, all of one length.
        """
        if len(self._places) == 1:
            (before, after), column = self._literals, values[self._places[0]]
            return [None if value is None else before + value + after for value in column]
        columns = [values[place] for place in self._places]
        first, rest = self._literals[0], self._literals[1:]
        return [
            None
            if None in row
            else first + "".join([v + t for v, t in zip(row, rest, strict=True)])
            for row in zip(*columns, strict=True)
        ]

    def missing(self, values: Mapping[str, Sequence[str | None]], row: int) -> str:
        """Which value a row lacks, in words."""
        names = [column for column in self.columns if values[column][row] is None]
        return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"


def texts(values: Iterable[Any]) -> list[str | None]:
    """Values as a prompt holds them; None where one is missing.

    Text stands as it is, moments in ISO format, lists and mappings as JSON, all else as Python
    prints it.

    Example:
        >>> texts(["a", 1, 2.5, True, float("nan"), None, ["é"]])
        ['a', '1', '2.5', 'True', None, None, '["é"]']
    """
    return [value if type(value) is str else _text(value) for value in values]


def _text(value: Any) -> str | None:
    if _is_missing(value):
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    value = _plain(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _plain(value: Any) -> Any:
    """The value without what only numpy knows, and mappings with names as keys."""
    if hasattr(value, "tolist"):  # of numpy, alone or in an array
        value = value.tolist()
    if isinstance(value, dict):
        return {_text(key) or "": _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(value != value)  # NaN of whichever library
    except (TypeError, ValueError):  # an array has no one truth
        return False


def _braced(column: str) -> str:
    return "{{" + column + "}}"


def _there(column: str, by_name: Mapping[str, object]) -> str:
    if not by_name:
        return "and the frame has no columns"
    near = get_close_matches(column, by_name, n=3, cutoff=0.6)
    names = near or list(by_name)[:_NAMES_TOLD]
    more = ", …" if not near and len(by_name) > _NAMES_TOLD else ""
    which = "near it" if near else "there"
    shown = [name if name == name.strip() else repr(name) for name in names]
    return f"and there is no such column; {which}: {', '.join(shown)}{more}"
