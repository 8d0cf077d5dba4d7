"""Every setting, in one place: its default, its meaning, and where its value came from."""

from .settings import OPENAI_URL, ChatConfig, default_home
from .sources import Sourced, key_to_send, resolve, resolve_sourced, save_key

__all__ = [
    "OPENAI_URL",
    "ChatConfig",
    "Sourced",
    "default_home",
    "key_to_send",
    "resolve",
    "resolve_sourced",
    "save_key",
]
