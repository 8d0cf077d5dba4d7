"""The measures as columns of a frame of messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from chat_magics.errors import InvalidRequest
from chat_magics.measures.measure import Measures, measure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURES", "Measure", "with_measures"]


class Measure(NamedTuple):
    """What a column of measures holds.

    Args:
        dtype: of its values.
        meaning: in a line.
        unit: where there is one.
    """

    dtype: str
    meaning: str
    unit: str = ""


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "characters": Measure("Int64", "the length, code and all", "characters"),
        "words": Measure("Int64", "the words outside of code blocks", "words"),
        "sentiment": Measure("Float64", "VADER's score of English text, -1 to 1; else missing"),
        "language": Measure("string", "the ISO 639 code; missing where the text is too short"),
        "key_phrases": Measure("string", "what it is about, the best first, joined by «, »"),
        "code_share": Measure("Float64", "the share of characters in code blocks, 0 to 1"),
        "reading_time": Measure("Float64", "at 238 words a minute, those in code too", "s"),
    }
)
"""The columns that `with_measures` adds, in their order."""


def with_measures(frame: pd.DataFrame, names: Iterable[str] | None = None) -> pd.DataFrame:
    """A copy of a frame of messages, with the measures of their texts as further columns.

    Args:
        frame: has a column `content`, as `history.messages()` gives it; it stays as it is.
        names: those of `MEASURES` that are wanted, in this order; all by default.

    Returns:
        The frame with the columns and dtypes of `MEASURES`, also when it is empty. A missing text
        has missing measures.

    Raises:
        InvalidRequest: the frame has no column `content`, or a name is not known.
        ConfigError: sentiment or language is wanted, and the extra `analysis` is not installed.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"content": ["Hello there"]})
        >>> with_measures(frame, ["words"]).to_dict("list")
        {'content': ['Hello there'], 'words': [2]}
    """
    import pandas as pd  # costs half a second; a text alone is measured without

    wanted = _wanted(names)
    if "content" not in getattr(frame, "columns", ()):
        raise InvalidRequest("Measures are taken of a column content: give history.messages().")
    texts = [measure(text) if isinstance(text, str) else None for text in frame["content"]]
    measured: pd.DataFrame = frame.copy()
    for name in wanted:
        cells = [_cell(text, name) for text in texts]
        dtype = pd.api.types.pandas_dtype(MEASURES[name].dtype)
        measured[name] = pd.Series(cells, index=frame.index, dtype=dtype)
    return measured


def _wanted(names: Iterable[str] | None) -> list[str]:
    if isinstance(names, str):
        names = [names]
    wanted = list(MEASURES if names is None else names if isinstance(names, Iterable) else [names])
    for name in wanted:
        if name not in MEASURES:
            raise InvalidRequest(f"There is no measure {name!r}. There are {', '.join(MEASURES)}.")
    return wanted


def _cell(text: Measures | None, name: str) -> object:
    value = None if text is None else getattr(text, name)
    return ", ".join(value) if isinstance(value, tuple) else value
