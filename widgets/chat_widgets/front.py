"""Front: what a visitor of the app sees at once; the panel behind it is made at the first use.

A page that is open and not used yet costs its kernel little: history, settings and the rendering of
replies are imported when a prompt or a button needs them. What the view must know before that, the
server has read for all of its kernels.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipywidgets import VBox

from chat_magics import ChatError
from chat_magics.errors import StoreAway

from .bar import Bar
from .starters import starters
from .subshell import send_without_parent
from .transcript import Transcript

if TYPE_CHECKING:
    from .app_panel import AppPanel
    from .incoming import Incoming
    from .visitor import Visitor

__all__ = ["Front"]

NOT_SHOWN = "This session ended before the page was ready. Load the page again."

AGAIN_SECONDS = 3.0
"""Until a panel that could not be made, since the history is away, is tried again."""


class Front(VBox):
    """The bar and the transcript of one visitor, in front of the panel that acts for them.

    Args:
        visitor: whose page it is.
    """

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._panel: AppPanel | None = None
        self._waking = threading.Lock()
        self.bar = Bar(self.wake)
        self.transcript = Transcript(self._take, lambda: starters(None), in_url=True)
        super().__init__([self.bar, self.transcript])
        self.add_class("chat-magics-panel")

    @classmethod
    def for_visitor(cls, visitor: Visitor) -> Front:
        """The front of a page; the panel behind it where there is something to show already."""
        front = cls(visitor)
        told = json.loads(os.environ.get("CHAT_MAGICS_SERVE_FRONT", "null"))
        if visitor.conversation or told is None:
            with suppress(ChatError):  # the view says it
                front.wake()
        else:
            front.bar.model.value = told.pop("model")
            for name, value in told.items():
                front.transcript.set_trait(name, value)
        return front

    def _repr_mimebundle_(self, **given: Any) -> dict[str, Any]:
        """What the page shows as the panel; where it cannot, it says what to do."""
        shown = super()._repr_mimebundle_(**given)
        return {**shown, "text/plain": NOT_SHOWN}

    def wake(self) -> None:
        """Makes the panel, where it is not there yet.

        Raises:
            ChatError: it cannot be made; the view says why.
        """
        with self._waking:
            if self._panel is not None:
                return
            from .app_panel import AppPanel  # the history, the settings, the rendering: 0.5 s

            try:
                self._panel = AppPanel.behind(self, self._visitor)
            except ChatError as error:
                self.transcript.notice(error.message)
                if isinstance(error, StoreAway):
                    self._wake_later()
                raise

    def _wake_later(self) -> None:
        again = threading.Timer(AGAIN_SECONDS, self._wake_again)
        again.daemon = True
        again.start()

    def _wake_again(self) -> None:
        from chat_magics.display import current_shell  # which brings pydantic

        send_without_parent(current_shell())
        with suppress(ChatError):
            self.wake()
            self.transcript.notice("The history answers again.")

    def _take(self, message: Incoming, files: list[bytes]) -> None:
        """Hands a message of the view to the panel; no prompt is lost where there is none."""
        try:
            self.wake()
        except ChatError as error:
            if text := getattr(message, "text", ""):
                self.transcript.refused(text, error.message)
            return
        assert self._panel is not None
        self._panel.take(message, files)
