"""The drawer of options: model, temperature, longest reply, system prompt, cache, budget."""

from __future__ import annotations

import math
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipywidgets import Checkbox, Combobox, HBox, Text, Textarea, VBox

from chat_magics import ChatError
from chat_magics.conversation import Ask

from .said import Said

if TYPE_CHECKING:
    from .panel import ChatPanel

__all__ = ["Options"]

LONGEST_SHOWN = 20

ROW = {"description_width": "7.5rem"}


class Options(VBox):
    """What a prompt is asked with; empty fields leave it to the settings.

    Args:
        panel: whose session knows the models and the budget.
    """

    def __init__(self, panel: ChatPanel) -> None:
        self._panel = panel
        config = panel.session.config
        self.model = Combobox(
            description="Model", placeholder=config.model or "the server's first", style=ROW
        )
        self.temperature = Text(
            description="Temperature", placeholder=_shown(config.temperature), style=ROW
        )
        self.max_tokens = Text(
            description="Longest reply",
            placeholder=f"{_shown(config.max_tokens)}, in tokens",
            style=ROW,
        )
        self.system = Textarea(
            description="System prompt", placeholder=config.system or "none", rows=2, style=ROW
        )
        self.use_cache = Checkbox(
            value=bool(config.cache), description="Use cached replies", indent=False
        )
        self.refresh = Checkbox(value=False, description="Ask anew, past the cache", indent=False)
        self.budget, self.said = Said(), Said()
        fields = (self.model, self.temperature, self.max_tokens, self.system)
        for field in fields:
            field.layout.width = "auto"
        checks = HBox([self.use_cache, self.refresh]).add_class("chat-magics-actions")
        further = panel.further_options()
        super().__init__([*fields, checks, *further, self.budget, self.said])

    def ask(self, prompt: str) -> Ask:
        """The prompt, to be asked with what stands here.

        Raises:
            ChatError: a field holds no number, or one that nobody can ask for.
        """
        options: dict[str, Any] = {}
        if self.temperature.value.strip():
            options["temperature"] = _number(float, self.temperature, "between 0 and 2", 0, 2)
        if self.max_tokens.value.strip():
            options["max_tokens"] = _number(int, self.max_tokens, "of tokens above 0", 1)
        return Ask(
            prompt=prompt,
            model=self.model.value.strip() or None,
            system=self.system.value if self.system.value.strip() else None,
            options=options,
            refresh=self.refresh.value,
            use_cache=self.use_cache.value,
            surface=self._panel.surface,
        )

    def opened(self) -> None:
        """Reads what may have changed: the models, and what was spent."""
        session = self._panel.session
        self.budget.value = _spent(self._panel)
        self.model.options = tuple(session.client.known_models())
        session.loop.submit(session.client.models()).add_done_callback(self._listed)

    def _listed(self, asked: Future[list[str]]) -> None:
        """On the private loop's thread: the server said which models it has, or could not."""
        error = None if asked.cancelled() else asked.exception()
        if isinstance(error, ChatError):
            self.said.value = f"The list of models is not the server's: {error.message}"
        elif not asked.cancelled():
            self.said.value = ""
            self.model.options = tuple(asked.result())


def _shown(value: object) -> str:
    return "as the server likes" if value is None else str(value)


def _number(kind: type, field: Text, what: str, least: float, most: float = math.inf) -> Any:
    typed = field.value.strip()
    # What it cannot read, and what no comparison holds for, such as `nan`.
    with suppress(ValueError):
        value = kind(typed)
        if least <= value <= most:
            return value
    shown = typed if len(typed) <= LONGEST_SHOWN else f"{typed[:LONGEST_SHOWN]}…"
    raise ChatError(f"{field.description}: {shown!r} is no number {what}; empty it or mend it")


def _spent(panel: ChatPanel) -> str:
    spent = panel.session.spent_today()
    said = f"Spent today: {spent.tokens:,} tokens"
    if spent.dollars:
        said += f", ${spent.dollars:,.4f}"
    if spent.unknown:
        said += f", {spent.unknown} of unknown price"
    left = panel.session.budget_left(panel.conversation.id)
    if not left:
        return f"{said} · no budget is set"
    return f"{said} · left: {', '.join(_left(name, value) for name, value in left.items())}"


def _left(name: str, value: float) -> str:
    shown = f"{value:,.4f}" if name.startswith("dollars") else f"{value:,.0f}"
    return f"{shown} {name.replace('_', ' ')}"
