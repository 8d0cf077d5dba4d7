"""What is exported and imported: Transcript, and Unread for what a file held beside it."""

from __future__ import annotations

from typing import NamedTuple

from chat_magics.history.exchange import ConversationRecord, Exchange

__all__ = ["Transcript", "Unread"]


class Transcript(NamedTuple):
    """A whole conversation.

    Args:
        conversation: what it is called, its times and its path.
        exchanges: all of them, those that left the path too, oldest first.
    """

    conversation: ConversationRecord
    exchanges: tuple[Exchange, ...]


class Unread(NamedTuple):
    """A part of a file that could not be read.

    Args:
        where: the part, such as `conversation 3` or `line 12`.
        why: one line.

    Example:
        >>> print(Unread("conversation 3", "it has no id"))
        conversation 3: it has no id
    """

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"
