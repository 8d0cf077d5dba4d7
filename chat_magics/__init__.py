"""Talk to a language model from a notebook: cells that chat, one conversation, every word kept.

`%load_ext chat_magics` loads the magics and the standard library only; all else loads when it is
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import ChatClient as ChatClient
    from .config import ChatConfig as ChatConfig
    from .conversation import Conversation as Conversation
    from .conversation import Reply as Reply
    from .conversation import Session as Session
    from .errors import ChatError as ChatError
    from .messages import ChatRequest as ChatRequest
    from .messages import Completion as Completion
    from .messages import Message as Message
    from .messages import Usage as Usage

__all__ = [
    "ChatClient",
    "ChatConfig",
    "ChatError",
    "ChatRequest",
    "Completion",
    "Conversation",
    "Message",
    "Reply",
    "Session",
    "Usage",
    "__version__",
    "load_ipython_extension",
    "unload_ipython_extension",
]

__version__ = "0.3.0"

_HOMES = {
    "ChatClient": "client",
    "ChatConfig": "config",
    "ChatError": "errors",
    "ChatRequest": "messages",
    "Completion": "messages",
    "Conversation": "conversation",
    "Message": "messages",
    "Reply": "conversation",
    "Session": "conversation",
    "Usage": "messages",
}


def __getattr__(name: str) -> Any:
    """Loads a public name at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from .interpreter import while_importing

    with while_importing():
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext chat_magics`."""
    from .magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Called by `%unload_ext chat_magics`."""
    from .magics import unload

    unload(shell)
