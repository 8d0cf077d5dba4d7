"""The chat as a widget: `from chat_widgets import ChatPanel; ChatPanel()`.

`panel` is the widget and drives a Conversation; `stage` keeps the `transcript` in step with it,
`live` follows one reply, `rows` says what of an exchange is shown, `incoming` checks what the view
sends; `bar`, `options`, `shelf`, `files` and `dashboard` are the controls above
(`said` is their calm line); `still` is what a saved notebook shows. `app` shows the panel as a page
of its own: a `front` for each `visitor`, behind which `app_panel` is made once it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .panel import ChatPanel as ChatPanel

__all__ = ["ChatPanel"]


def __getattr__(name: str) -> Any:
    """Loads the panel at its first use (PEP 562): a page of the app needs it later, or never."""
    if name != "ChatPanel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .panel import ChatPanel

    return ChatPanel
