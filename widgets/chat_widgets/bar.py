"""The thin bar above the transcript: what is open, and one drawer at a time below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipywidgets import Button, HBox, Label, VBox

from chat_magics import ChatError

from .dashboard import Dashboard
from .files import Files
from .options import Options
from .shelf import Shelf

if TYPE_CHECKING:
    from chat_magics.conversation import Ask

    from .panel import ChatPanel

__all__ = ["Bar"]


class Bar(VBox):
    """Buttons for the drawers, the title, and the drawer that is open.

    Args:
        panel: what they act on.
    """

    def __init__(self, panel: ChatPanel) -> None:
        self._panel = panel
        self.title = Label().add_class("chat-magics-title")
        self.options = Options(panel)
        self.drawers: dict[str, Any] = {
            "Conversations": Shelf(panel),
            "Options": self.options,
            "Files": Files(panel),
            "Analytics": Dashboard(panel),
        }
        self.model = Label().add_class("chat-magics-model")
        self.options.model.observe(lambda _: self._show_model(), "value")
        self.new = Button(description="New", tooltip="Start a new conversation")
        self.new.on_click(lambda _: panel.start_anew())
        self.buttons = {name: self._drawer_button(name) for name in self.drawers}
        self._open: str | None = None
        controls = [self.title, self.model, self.new, *self.buttons.values()]
        self._row = HBox(controls).add_class("chat-magics-bar")
        super().__init__([self._row])
        self.refresh()

    def _drawer_button(self, name: str) -> Button:
        button = Button(description=name, tooltip=f"{name}: open or close")
        button.on_click(lambda _: self.toggle(name))
        return button

    def toggle(self, name: str) -> None:
        """Opens a drawer, and closes the one that was open."""
        if self._open == "Analytics":
            self.drawers["Analytics"].left()
        self._open = None if self._open == name else name
        for each, button in self.buttons.items():
            (button.add_class if each == self._open else button.remove_class)("chat-magics-open")
        if self._open is None:
            self.children = [self._row]
            return
        drawer = self.drawers[self._open]
        drawer.add_class("chat-magics-drawer")
        self.children = [self._row, drawer]
        self._panel.serve_beside_cells()
        self._read(drawer)

    def _read(self, drawer: Any) -> None:
        try:
            drawer.opened()
        except ChatError as error:
            self._panel.transcript.notice(error.message)

    def ask(self, prompt: str) -> Ask:
        """The prompt, with the options of the drawer."""
        return self.options.ask(prompt)

    def refresh_title(self) -> None:
        """Shows what the conversation is called now."""
        record = self._panel.conversation.record
        self.title.value = record.name or record.title or "New conversation"

    def refresh(self) -> None:
        """Shows what is open now."""
        self.refresh_title()
        self._show_model()
        if self._open is not None:
            self._read(self.drawers[self._open])

    def settled(self) -> None:
        """Takes in that a reply ended: its title, the budget, the figures."""
        self.refresh_title()
        self._show_model()
        if self._open in ("Options", "Analytics"):
            self._read(self.drawers[self._open])

    def _show_model(self) -> None:
        chosen = self.options.model.value.strip()
        likely, _is_guess = self._panel.session.client.likely_model()
        self.model.value = chosen or likely
