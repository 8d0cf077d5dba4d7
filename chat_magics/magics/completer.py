"""Tab on a `%%chat` line: options, models, conversations, settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from ..errors import ChatError
from .options import FORMATS, OPTIONS

if TYPE_CHECKING:
    from .magics import ChatMagics

__all__ = ["completions", "matcher_for"]

_COMMAND = re.compile(r"^\s*%%?(chat\w*)\s")


def matcher_for(magics: ChatMagics) -> Any:
    """A matcher for `IPCompleter.custom_matchers`.

    The older hook, `complete_command`, cannot keep Jedi's Python names out of the list.
    """

    @context_matcher(identifier="chat_magics")  # type: ignore[untyped-decorator] # IPython's
    def matcher(context: Any) -> dict[str, Any]:
        words, typed = completions(magics, context.text_until_cursor)
        return {
            "completions": [SimpleCompletion(text=word, type="magic") for word in words],
            "matched_fragment": typed,
            "ordered": True,
            "suppress": bool(words),
        }

    return matcher


def completions(magics: ChatMagics, line: str) -> tuple[list[str], str]:
    """What the last word of a line of ours may become, and that word; asks no server.

    Args:
        magics: whose session knows the models and the conversations.
        line: up to the cursor.
    """
    match = _COMMAND.match(line)
    if match is None:
        return [], ""
    words = line.split()
    typed = "" if line[-1:].isspace() else words[-1]
    before = words[-1] if not typed else words[-2]
    try:
        candidates = _candidates(magics, match[1], before)
    except ChatError:  # such as a bad setting: told where a question is asked, not at Tab
        return [], typed
    return [word for word in candidates if word.startswith(typed)], typed


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
    records = magics.session.history.load_conversations(limit=50)
    return [record.name or record.id[:8] for record in records]
