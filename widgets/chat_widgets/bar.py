"""The thin bar above the transcript: what is open, and one drawer at a time below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipywidgets import Button, HBox, Label, VBox

from chat_magics import ChatError

if TYPE_CHECKING:
    from chat_magics.conversation import Ask

    from .options import Options
    from .panel import ChatPanel

__all__ = ["Bar"]

DRAWERS = ("Conversations", "Options", "Files", "Analytics")


class Bar(VBox):
    """Buttons for the drawers, the title, and the drawer that is open.

    Each drawer is made when it is first needed.

    Args:
        wake: called at the first use where no panel is there; it ends in `act_on`.
    """

    def __init__(self, wake: Callable[[], None] | None = None) -> None:
        self._wake = wake
        self._acts_on: ChatPanel | None = None
        self._drawers: dict[str, Any] = {}
        self.title = Label("New conversation").add_class("chat-magics-title")
        self.model = Label().add_class("chat-magics-model")
        self.new = Button(description="New", tooltip="Start a new conversation")
        self.new.add_class("chat-magics-at-new")
        self.new.on_click(lambda _: self._start_anew())
        self.buttons = {name: self._drawer_button(name) for name in DRAWERS}
        self._open: str | None = None
        controls = [self.title, self.model, self.new, *self.buttons.values()]
        self._row = HBox(controls).add_class("chat-magics-bar")
        super().__init__([self._row])

    def _drawer_button(self, name: str) -> Button:
        button = Button(description=name, tooltip=f"{name}: open or close")
        button.add_class(f"chat-magics-at-{name.lower()}")  # by which a narrow bar has its icon
        button.on_click(lambda _: self.toggle(name))
        return button

    def act_on(self, panel: ChatPanel) -> None:
        """The panel is there: shows what is open in it."""
        self._acts_on = panel
        self.refresh()

    @property
    def _panel(self) -> ChatPanel:
        if self._acts_on is None and self._wake is not None:
            self._wake()
        assert self._acts_on is not None
        return self._acts_on

    @property
    def options(self) -> Options:
        """The drawer of options."""
        found: Options = self.drawer("Options")
        return found

    def drawer(self, name: str) -> Any:
        """A drawer by the name of its button."""
        if name not in self._drawers:
            drawer = self._drawers[name] = _made(name, self._panel)
            drawer.add_class("chat-magics-drawer")
            if name == "Options":
                drawer.model.observe(lambda _: self._show_model(), "value")
        return self._drawers[name]

    def toggle(self, name: str) -> None:
        """Opens a drawer, and closes the one that was open."""
        if self._open == "Analytics":
            self.drawer("Analytics").left()
        self._open = None if self._open == name else name
        for each, button in self.buttons.items():
            (button.add_class if each == self._open else button.remove_class)("chat-magics-open")
        if self._open is None:
            self.children = [self._row]
            return
        drawer = self.drawer(self._open)
        self.children = [self._row, drawer]
        self._panel.serve_beside_cells()
        self._read(drawer)

    def _read(self, drawer: Any) -> None:
        try:
            drawer.opened()
        except ChatError as error:
            self._panel.transcript.notice(error.message)

    def ask(self, prompt: str) -> Ask:
        """The prompt, with the options of the drawer, where it was ever opened."""
        if "Options" in self._drawers:
            return self.options.ask(prompt)
        from chat_magics.conversation import Ask  # the history, which a page needs later

        panel = self._panel
        use_cache = bool(panel.session.config.cache)
        return Ask(prompt=prompt, use_cache=use_cache, surface=panel.surface)

    def refresh_title(self) -> None:
        """Shows what the conversation is called now."""
        record = self._panel.conversation.record
        self.title.value = record.name or record.title or "New conversation"

    def refresh(self) -> None:
        """Shows what is open now."""
        self.refresh_title()
        self._show_model()
        if self._open is not None:
            self._read(self.drawer(self._open))

    def begun(self) -> None:
        """Takes in that a prompt is stored: it may be the first, which gives the title."""
        self.refresh_title()
        if self._open == "Conversations":
            self._read(self.drawer(self._open))

    def settled(self) -> None:
        """Takes in that a reply ended: its title, the budget, the figures."""
        self.refresh_title()
        self._show_model()
        if self._open is not None and self._open != "Files":
            self._read(self.drawer(self._open))

    def _start_anew(self) -> None:
        self._panel.start_anew()
        self._panel.transcript.take_focus()

    def _show_model(self) -> None:
        options = self._drawers.get("Options")
        chosen = options.model.value.strip() if options is not None else ""
        likely, _is_guess = self._panel.session.client.likely_model()
        self.model.value = chosen or likely


def _made(name: str, panel: ChatPanel) -> Any:
    """A drawer. Each is imported when it is first opened: a page that needs none has none."""
    if name == "Conversations":
        from .shelf import Shelf

        return Shelf(panel)
    if name == "Options":
        from .options import Options

        return Options(panel)
    if name == "Files":
        from .files import Files

        return Files(panel)
    from .dashboard import Dashboard

    return Dashboard(panel)
