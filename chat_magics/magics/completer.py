"""Tab on a `%%chat` line: options, models, conversations, settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .options import FORMATS, OPTIONS

if TYPE_CHECKING:
    from .magics import ChatMagics

__all__ = ["completions"]

_COMMAND = re.compile(r"^\s*%%?(chat\w*)\s")


def completions(magics: ChatMagics, event: Any) -> list[str]:
    """What may follow the cursor on a line of ours; asks no server.

    Args:
        magics: whose session knows the models and the conversations.
        event: IPython's: `line` up to the cursor, and `symbol`, the word being typed.
    """
    line: str = event.line
    match = _COMMAND.match(line)
    if match is None:
        return []
    words = line.split()
    typed = "" if line[-1:].isspace() else words[-1]
    before = words[-1] if not typed else words[-2]
    return [word for word in _candidates(magics, match[1], before) if word.startswith(typed)]


def _candidates(magics: ChatMagics, command: str, before: str) -> list[str]:
    if command == "chat_config":
        return sorted([*magics.trait_names(config=True), "api_key"])
    if command == "chat_open":
        return _conversations(magics)
    if command not in ("chat", "chat_regenerate"):
        return []
    if before in OPTIONS["model"][0]:
        return magics.session.client.known_models()
    if before in OPTIONS["conversation"][0]:
        return _conversations(magics)
    if before in OPTIONS["format"][0]:
        return list(FORMATS)
    return [flag for flags, _ in OPTIONS.values() for flag in flags if flag.startswith("--")]


def _conversations(magics: ChatMagics) -> list[str]:
    records = magics.session.history.conversations(limit=50)
    return [record.name or record.id[:8] for record in records]
