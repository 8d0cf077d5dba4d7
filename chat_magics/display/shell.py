"""The IPython shell, where there is one: which cell asks, and whether output can be rich."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["current_cell", "current_shell", "in_notebook"]


def current_shell() -> Any:
    """The running IPython shell, or None; plain Python never imports IPython for it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def in_notebook(shell: Any) -> bool:
    """True where the shell is a kernel's, whose front end shows HTML and updates displays."""
    return getattr(shell, "kernel", None) is not None


def current_cell() -> tuple[str, str] | None:
    """The id of the cell that runs and of this execution of it; None where the host sends none.

    JupyterLab, Notebook 7 and VS Code send `cellId` in the execute request's metadata; nbclient
    and terminals do not.
    """
    shell = current_shell()
    if not in_notebook(shell):
        return None
    parent = shell.get_parent() or {}
    cell = (parent.get("metadata") or {}).get("cellId")
    execution = (parent.get("header") or {}).get("msg_id")
    return (str(cell), str(execution)) if cell and execution else None
