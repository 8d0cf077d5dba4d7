"""Three prompts to begin with, that make sense for what is in the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

__all__ = ["after_cells", "starters"]

GENERAL = (
    "Explain the difference between a left join and an inner join, with an example.",
    "Write a function that reads a folder of CSV files into one DataFrame.",
    "Which plot shows how two variables depend on each other, and how do I draw it?",
)
SHOWN = 3
LONGEST_ERROR = 200


def starters(shell: Any) -> list[str]:
    """Prompts about the last error and the DataFrames of the shell, then general ones.

    Args:
        shell: the IPython shell; None in plain Python. Of an error the type and the message are
            taken, of a DataFrame its name and its columns; nothing is sent before it is chosen.

    Example:
        >>> len(starters(None))
        3
    """
    found = (*_about_error(shell), *_about_frames(getattr(shell, "user_ns", {})), *GENERAL)
    return list(islice(found, SHOWN))


def after_cells(shell: Any, act: Callable[[], None]) -> Callable[[], None]:
    """Acts after each cell, which may have made a frame or failed.

    Args:
        shell: the IPython shell; in plain Python there are no cells.
        act: what is done.

    Returns:
        what ends it.
    """
    if shell is None:
        return lambda: None

    def ran(_result: Any) -> None:
        act()

    shell.events.register("post_run_cell", ran)

    def end() -> None:
        with suppress(ValueError):  # it has ended already
            shell.events.unregister("post_run_cell", ran)

    return end


def _about_error(shell: Any) -> Iterator[str]:
    result = getattr(shell, "last_execution_result", None)
    error = getattr(result, "error_in_exec", None)
    if error is not None:
        said = " ".join(str(error).split())[:LONGEST_ERROR]
        kind = type(error).__name__
        yield f"My last cell failed with {kind}: {said}. What is wrong, and what can I do?"


def _about_frames(variables: Mapping[str, Any]) -> Iterator[str]:
    for name, value in list(variables.items()):
        # By name, so that pandas is not loaded for it.
        if type(value).__name__ == "DataFrame" and not name.startswith("_"):
            columns = ", ".join(str(column) for column in list(value.columns)[:8])
            yield f"What can I find out from my DataFrame {name} with the columns {columns}?"
