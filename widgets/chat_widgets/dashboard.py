"""The dashboard: figures and plots of the conversation and of all, and measures of a reply."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ipywidgets import HTML, Image, ToggleButtons, VBox

from chat_magics import ChatError
from chat_magics.frames import readable

from .said import Said

if TYPE_CHECKING:
    from pandas import DataFrame

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
        self.table = HTML()
        self.plot = Image(format="png")
        self.measures = Label()
        self.said = Said()
        self.scope.observe(lambda _: self.opened(), "value")
        super().__init__([self.scope, self.table, self.plot, self.measures, self.said])

    def opened(self) -> None:
        """Reads the figures anew."""
        chat, history = self._panel.conversation, self._panel.session.history
        filters = {} if self.scope.value == ALL else {"conversation": chat.id}
        self.said.value = ""
        try:
            self.table.value = _table(readable(history.stats(**filters)))
            self.measures.value = self._measures()
            from chat_magics import plots

            days, models = history.stats(by="day", **filters), history.stats(by="model", **filters)
            self.plot.value = plots.overview(days, models).png()
        except ChatError as error:
            self.said.value = error.message

    def left(self) -> None:
        """Lets go of the picture, which would be saved with the notebook."""
        self.plot.value = b""

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


def _table(frame: DataFrame) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in frame["value"].items()
    )
    return f"<table class='chat-magics-figures'>{rows}</table>"
