"""The chat as a widget: `from chat_widgets import ChatPanel; ChatPanel()`.

`panel` is the widget and drives a Conversation; `stage` keeps the `transcript` in step with it,
`live` follows one reply, `rows` says what of an exchange is shown, `incoming` checks what the view
sends; `bar`, `options`, `shelf`, `files` and `dashboard` are the controls above
(`said` is their calm line); `still` is what a saved notebook shows.
"""

from .panel import ChatPanel

__all__ = ["ChatPanel"]
