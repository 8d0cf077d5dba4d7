"""The dashboard: figures and plots of the conversation and of all, and measures of a reply."""

from __future__ import annotations

import base64
import html
import threading
from typing import TYPE_CHECKING

from ipywidgets import HTML, ToggleButtons, VBox

from chat_magics import ChatError
from chat_magics.frames import readable

from .said import Said

if TYPE_CHECKING:
    from pandas import DataFrame

    from chat_magics.plots import Plot

    from .panel import ChatPanel

__all__ = ["Dashboard"]

HERE, ALL = "This conversation", "All conversations"


class Dashboard(VBox):
    """What was said, spent and waited for, as figures and plots.

    Args:
        panel: whose conversation it is about.
    """

    def __init__(self, panel: ChatPanel) -> None:
        self._panel = panel
        self.scope = ToggleButtons(options=(HERE, ALL))
        self.figures = HTML()
        self.plot = HTML()  # not an Image, which has no words for who cannot see it
        self.measures = Said()
        self.said = Said()
        # Opened by a click and, when a reply ended, by the panel's own thread.
        self._reading = threading.Lock()
        self.scope.observe(lambda _: self.opened(), "value")
        super().__init__([self.scope, self.measures, self.figures, self.plot, self.said])

    def opened(self) -> None:
        """Reads the figures anew."""
        with self._reading:
            self.said.value = "" if self.plot.value else "The plots are being drawn…"
            self.plot.layout.display = None if self.plot.value else "none"
            try:
                self._read()
                self.said.value = ""
            except ChatError as error:
                self.said.value = error.message

    def _read(self) -> None:
        chat, history = self._panel.conversation, self._panel.session.history
        filters = {} if self.scope.value == ALL else {"conversation": chat.id}
        self.measures.value = self._measures()
        self.figures.value = _figures(readable(history.stats(**filters)))
        # Here, as it loads matplotlib, which takes a second and is missed by nobody before.
        from chat_magics import plots

        days, models = history.stats(by="day", **filters), history.stats(by="model", **filters)
        self.plot.value = _picture(plots.overview(days, models))
        self.plot.layout.display = None

    def left(self) -> None:
        """Lets go of the picture, which would be saved with the notebook."""
        self.plot.value = ""

    def _measures(self) -> str:
        answered = [e for e in self._panel.conversation.exchanges() if e.answered]
        if not answered:
            return ""
        from chat_magics.measures import measure

        found = measure(answered[-1].text)
        said = [f"Last reply: {found.words:,} words"]
        if found.sentiment is not None:
            said.append(f"sentiment {found.sentiment:+.2f}")
        if found.key_phrases:
            said.append("about " + ", ".join(found.key_phrases[:5]))
        return " · ".join(said)


def _figures(frame: DataFrame) -> str:
    pairs = "".join(
        f"<div><dt>{html.escape(str(name))}</dt><dd>{html.escape(str(value))}</dd></div>"
        for name, value in frame["value"].items()
    )
    return f"<dl class='chat-magics-figures'>{pairs}</dl>"


def _picture(plot: Plot) -> str:
    content = base64.b64encode(plot.png()).decode()
    return f'<img alt="{html.escape(plot.words)}" src="data:image/png;base64,{content}">'
