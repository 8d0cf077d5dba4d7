"""Said: one calm line of a drawer, which takes no room while there is nothing to say."""

from __future__ import annotations

from typing import Any

from ipywidgets import Label

__all__ = ["Said"]


class Said(Label):
    """A line that is shown while it says something.

    Example:
        >>> said = Said()
        >>> said.layout.display
        'none'
        >>> said.value = "Opened."
        >>> said.layout.display is None
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_class("chat-magics-said")
        self.observe(self._show, "value")
        self._show()

    def _show(self, _change: Any = None) -> None:
        self.layout.display = None if self.value else "none"
