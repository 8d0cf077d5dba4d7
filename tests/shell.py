"""An IPython shell for tests: its cells raise what they end with, and what they print is kept."""

from __future__ import annotations

import contextlib
import io
from typing import Any, NamedTuple

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

__all__ = ["Printed", "Shell", "refused"]


class Printed(NamedTuple):
    """What one cell printed."""

    out: str
    err: str


class Shell:
    """A shell of its own, the one that `get_ipython()` gives until it is closed."""

    def __init__(self) -> None:
        InteractiveShell.clear_instance()
        quiet = Config({"HistoryManager": {"enabled": False}})
        self.ip: Any = InteractiveShell.instance(config=quiet)

    def run(self, cell: str) -> Printed:
        """Runs a cell; raises what it ends with."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            result = self.ip.run_cell(cell, store_history=True)
        result.raise_error()
        return Printed(out.getvalue(), err.getvalue())

    def __getitem__(self, name: str) -> Any:
        """A variable of the person."""
        return self.ip.user_ns[name]

    def close(self) -> None:
        """Ends its session and the shell."""
        if (session := getattr(self.ip, "chat_magics_session", None)) is not None:
            session.close()
        self.ip.run_line_magic("unload_ext", "chat_magics")
        InteractiveShell.clear_instance()


def refused(shell: Shell, cell: str) -> str:
    """The one line with which a cell is refused."""
    with pytest.raises(UsageError) as error:
        shell.run(cell)
    assert "\n" not in str(error.value)
    return str(error.value)
