"""The columns of a run: the answers, and how each row ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest
from ..frames import Dtype, typed_array
from .outcome import Outcome
from .shape import Shape

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "RUN_COLUMNS",
    "marked",
    "names_in",
    "of_rows",
    "question_of",
    "renamed",
    "run_columns",
    "runs_of",
]

RUN_COLUMNS: Mapping[str, Dtype] = {
    "status": "string",
    "error": "string",
    "model": "string",
    "tokens_in": "Int64",
    "tokens_out": "Int64",
    "cost": "Float64",
    "seconds": "Float64",
    "attempts": "Int64",
    "cached": "boolean",
}
"""How a row ended: the columns behind those of its answer, each of them named as in Outcome."""


_ATTRS = "chat_magics"


def names_in(columns: Iterable[str], shape: Shape) -> dict[str, str]:
    """How the columns of a run are called beside those of a frame: `chat_status` where it has one.

    Args:
        columns: of the frame.
        shape: of the answers, whose columns keep their names.

    Raises:
        InvalidRequest: the frame has a column of the answers already.

    Example:
        >>> names_in(["text", "status"], Shape.of(bool))["status"]
        'chat_status'
    """
    there = set(columns)
    if taken := sorted(there & set(shape.columns)):
        raise InvalidRequest(
            f"the frame has a column {taken[0]} already, as an answer would: rename it, or drop it"
        )
    taken_names, names = there | set(shape.columns), {}
    for name in RUN_COLUMNS:
        called = name
        while called in taken_names:
            called = f"chat_{called}"
        names[name] = called
        taken_names.add(called)
    return names


def renamed(names: Mapping[str, str]) -> str | None:
    """What is to be told of columns that could not have their usual names; None where all have.

    Args:
        names: as `names_in` gives them.

    Example:
        >>> renamed({"status": "chat_status", "error": "error"})
        'the frame has columns of these names already, so the run calls status as chat_status'
    """
    told = [f"{name} as {called}" for name, called in names.items() if name != called]
    if not told:
        return None
    return f"the frame has columns of these names already, so the run calls {', '.join(told)}"


def of_rows(keys: Sequence[str | None], outcomes: Mapping[str | int, Outcome]) -> list[Outcome]:
    """The outcome of each row; a further row that asks the same costs nothing more.

    Args:
        keys: of the rows' prompts.
        outcomes: by key, or by the number of a row without one.
    """
    seen: set[str] = set()
    of: list[Outcome] = []
    for row, key in enumerate(keys):
        outcome = outcomes[row if key is None else key]
        if key is not None:
            if key in seen:
                outcome = outcome.again()
            seen.add(key)
        of.append(outcome)
    return of


def run_columns(
    outcomes: Sequence[Outcome], shape: Shape, names: Mapping[str, str]
) -> dict[str, pd.Series[Any]]:
    """The columns of the answers, then those of RUN_COLUMNS, as they are called here.

    Args:
        outcomes: of the rows.
        shape: of the answers.
        names: as `names_in` gives them.
    """
    import pandas as pd

    columns = shape.frame([outcome.value for outcome in outcomes])
    for name, dtype in RUN_COLUMNS.items():
        values = [getattr(outcome, name) for outcome in outcomes]
        columns[names[name]] = pd.Series(typed_array(values, dtype), name=names[name])
    return columns


def marked(frame: Any, run: str | None, question: str, before: Any = None) -> Any:
    """The frame; of pandas, with the id of the run in its attrs, and of those before it.

    Args:
        frame: what the run gave.
        run: its id in history; None where nothing had to be asked.
        question: that was asked.
        before: the frame whose failed rows were asked again.
    """
    if hasattr(frame, "attrs"):
        runs = [*_noted(before).get("runs", ()), *([run] if run else ())]
        note: dict[str, Any] = {"question": question}
        if runs:
            note |= {"run": runs[-1], "runs": runs}
        frame.attrs = {**frame.attrs, _ATTRS: note}
    return frame


def question_of(frame: Any) -> str | None:
    """The question that `marked` noted; None where there is none."""
    return _noted(frame).get("question")


def runs_of(frame: Any) -> list[str]:
    """The runs that gave a frame, the first one first: conversations in history, by their ids.

    Args:
        frame: what `ask` or `retry` gave, of pandas; the others keep no such note.

    Raises:
        InvalidRequest: it is no such frame, or nothing had to be asked for it.
    """
    runs = _noted(frame).get("runs")
    if not runs:
        raise InvalidRequest(
            "no run is noted at this frame: it is of pandas and as ask gave it, and something had "
            "to be asked; history.conversations(surface='batch') has all runs"
        )
    return list(runs)


def _noted(frame: Any) -> Mapping[str, Any]:
    noted: Mapping[str, Any] = getattr(frame, "attrs", {}).get(_ATTRS, {})
    return noted
