"""What the demo model says: it chooses a prepared text by the words of the last user message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

from ..messages import Message

__all__ = ["OPENING", "answer", "fault", "tokens"]

OPENING = "*This is the demo model: no language model stands behind it, its texts are prepared.*"
"""The first line of every reply."""

_TOPICS = {
    "long": r"long",
    "join": r"join(s|ed|ing)?|merge[sd]?|merging",
    "table": r"tables?",
    "math": r"math|maths|mathematics|formulas?|equations?",
    "code": r"code|python|pandas",
}
_FAULT = re.compile(r"\berror\s+(429|500|401|cut)\b", re.IGNORECASE)
_TOKEN = re.compile(r"\s*\S{1,4}|\s+\Z")


def answer(messages: Sequence[Message]) -> str:
    """The reply to these messages; the same messages get the same reply.

    Example:
        >>> answer([Message(role="user", content="Show me some code")]).splitlines()[2]
        '## Counting and summing by group'
    """
    last = _last_of_user(messages)
    for topic, words in _TOPICS.items():
        if re.search(rf"\b({words})\b", last, re.IGNORECASE):
            return f"{OPENING}\n\n{_text(topic)}"
    return f"{OPENING}\n\n{_received(messages)}\n\n{_text('other')}"


def fault(messages: Sequence[Message]) -> str | None:
    """The fault that the last user message asks for: `429`, `500`, `401`, `cut` or none.

    Example:
        >>> fault([Message(role="user", content="Please show me error 429")])
        '429'
    """
    found = _FAULT.search(_last_of_user(messages))
    return found[1].lower() if found else None


def tokens(text: str) -> list[str]:
    """The text in pieces of up to four letters with the space before them, as models count.

    Example:
        >>> tokens("Many thanks!")
        ['Many', ' than', 'ks!']
    """
    return _TOKEN.findall(text)


def _last_of_user(messages: Sequence[Message]) -> str:
    return next((m.content for m in reversed(messages) if m.role == "user"), "")


def _received(messages: Sequence[Message]) -> str:
    words = messages[-1].content.split()
    start = " ".join(words[:8])[:60] + ("…" if len(words) > 8 else "")
    images = len(messages[-1].images)
    unseen = f" It brings {images} image{'s'[: images > 1]}, which I cannot see." if images else ""
    if len(messages) == 1:
        return f"You sent 1 message; it begins «{start}».{unseen}"
    return f"You sent {len(messages)} messages; the last one begins «{start}».{unseen}"


def _text(topic: str) -> str:
    file = files(__package__).joinpath("texts").joinpath(f"{topic}.md")
    return file.read_text(encoding="utf-8").strip()
