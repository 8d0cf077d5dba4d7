"""Tab in a cell of `%%chat_rows`: frames, columns, types and engines of the kernel's variables."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import ChatError
from . import lines
from .arguments import words_of

__all__ = ["columns_at", "for_row_option", "frames"]

_PLACE = re.compile(r"\{\{\s*([^{}]*)$")
_FRAMES = {
    "pandas": ("DataFrame", "Series"),
    "polars": ("DataFrame", "Series"),
    "pyarrow": ("Table", "ChunkedArray"),
}

Variables = Mapping[str, Any]


def frames(variables: Variables) -> list[str]:
    """The variables that hold rows; looks at no package that is not loaded.

    Args:
        variables: of the kernel.
    """
    kinds = tuple(_kinds())
    return [name for name, value in _own(variables) if kinds and isinstance(value, kinds)]


def _kinds() -> Iterator[type]:
    for package, names in _FRAMES.items():
        loaded = sys.modules.get(package)
        yield from (getattr(loaded, name) for name in names if loaded and hasattr(loaded, name))


def _own(variables: Variables) -> list[tuple[str, Any]]:
    """A person's variables, without those in which IPython keeps outputs."""
    return [(name, value) for name, value in list(variables.items()) if name[:1] != "_"]


def for_row_option(variables: Variables, flag: str) -> Sequence[str] | None:
    """What may stand behind an option of `%%chat_rows`; None where it is none of these.

    Args:
        variables: of the kernel.
        flag: such as `--into`.
    """
    found = _OFFERED.get(flag)
    return None if found is None else found(variables)


def _types(variables: Variables) -> list[str]:
    """Models, dataclasses and schemas first: who made one means it."""
    made = [name for name, value in _own(variables) if _is_answer(value)]
    return [*made, *lines.TYPES]


def _is_answer(value: Any) -> bool:
    if isinstance(value, type):
        if value.__module__.split(".")[0] == "pydantic":  # what models are made of
            return False
        return hasattr(value, "model_json_schema") or hasattr(value, "__dataclass_fields__")
    return isinstance(value, Mapping) and bool({"type", "properties", "$ref"} & set(value))


def _engines(variables: Variables) -> list[str]:
    from concurrent.futures import Executor

    made = [name for name, value in _own(variables) if isinstance(value, Executor)]
    return [*made, "openai-batch", "dask://"]


_OFFERED: Mapping[str, Callable[[Variables], Sequence[str]]] = {
    "--into": _types,
    "--engine": _engines,
    "--retry": frames,
    "-o": frames,
    "--out": frames,
}


def columns_at(variables: Variables, line: str, before: str, after: str) -> tuple[list[str], str]:
    """The columns that may stand in braces at the cursor, and what is typed of one.

    Args:
        variables: of the kernel.
        line: of the magic, without its name.
        before: of the template's line, up to the cursor.
        after: behind it, where an editor may have closed the braces already.

    Example:
        >>> import pandas as pd
        >>> df = pd.DataFrame(columns=["text", "topic", "id"])
        >>> columns_at({"df": df}, "df -o out", "Classify: {{t", "")
        (['text}}', 'topic}}'], 't')
    """
    place = _PLACE.search(before)
    if place is None:
        return [], ""
    closing = "" if after.startswith("}}") else "}}"
    names = [name for name in _columns(variables, line) if name.startswith(place[1])]
    return [name + closing for name in names], place[1]


def _columns(variables: Variables, line: str) -> list[str]:
    from IPython.core.error import UsageError

    try:
        frame = lines.rows().parse_known_args(words_of(line))[0].frame
    except (UsageError, ChatError):
        return []
    if frame not in frames(variables):
        return []
    data = variables[frame]
    names = getattr(data, "column_names", getattr(data, "columns", ("value",)))
    return [str(name) for name in names]
