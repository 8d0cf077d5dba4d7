"""OwnKey: a field for a key of one's own. It goes to the kernel once, and is kept nowhere else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from chat_magics import ChatError, Session

from .source import script, style

__all__ = ["OwnKey"]

LONGEST = 500

CAUTION = (
    "This is a public place, run by others: paste no key that matters elsewhere, "
    "and revoke the one you used when you are done."
)


class OwnKey(anywidget.AnyWidget):
    """Takes a key by a message, never by a trait: traits are kept in the page and in notebooks.

    Args:
        session: what asks with it from then on, until the page is closed.
    """

    _esm = script("own_key.js")
    _css = style()

    caution = traitlets.Unicode("").tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        if os.environ.get("CHAT_MAGICS_PUBLIC") == "1":
            self.caution = CAUTION
        on_demo = session.config.base_url == "demo"
        without = "the built-in demo model answers" if on_demo else "the server's is used"
        self.said = f"Without a key of your own, {without}."
        self.on_msg(self._take)

    def set_state(self, sync_data: object) -> None:
        """Does nothing: the page sets no trait."""

    def _take(self, _widget: Any, content: Any, buffers: Sequence[Any]) -> None:
        key = content.get("key") if isinstance(content, dict) else None
        if not isinstance(key, str) or not key.strip() or len(key) > LONGEST:
            self.said = "This is no key: paste the whole of it."
            return
        try:
            self._session.use_key(key.strip())
        except ChatError:
            self.said = "This cannot be a key: it holds a space, or a character that none has."
        else:
            host = self._session.config.host
            self.said = f"Your key is used at {host} until you close this page; it is kept nowhere."
