"""The panel as a page of its own: what notebooks/app.ipynb shows to a visitor.

from chat_widgets.app import show
show()
"""

from __future__ import annotations

import os

from IPython.display import display

from .front import Front
from .visitor import Visitor

__all__ = ["show"]


def show() -> None:
    """Shows the panel to the visitor of this kernel, with the conversation that the URL names."""
    visitor = Visitor.expected()
    if folder := os.environ.get("CHAT_MAGICS_SERVE_FOLDER"):
        os.chdir(folder)  # where the server was started, and where its .env is
    display(Front.for_visitor(visitor))  # type: ignore[no-untyped-call]
