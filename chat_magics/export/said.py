"""What the readers of other tools' files give: the messages said, where from, what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from chat_magics.export.foreign import one_line
from chat_magics.export.transcript import Unread
from chat_magics.history.exchange import Status
from chat_magics.messages import Usage

__all__ = ["Said", "Source", "kinds", "left_out"]

UNKNOWN = "unknown"
"""In place of a model that the source does not name."""


@dataclass(frozen=True)
class Said:
    """One message of another tool.

    Args:
        id: what names it in its conversation.
        parent: the id of the message before it; None for the first one.
        role: who said it; what a tool said belongs to the reply.
        text: what was said.
        sent: what was sent for it, where that is more than was typed.
        system: the system prompt it was sent with, where that is not a message of its own.
        reasoning: thoughts shown apart from the reply.
        created: when it was said; None where that is unknown.
        ended: when it was said to its end.
        asked: the model that was asked for.
        model: the model that answered.
        status: how it ended.
        finish_reason: the server's word for how it ended.
        usage: tokens.
        latency: seconds from sending to the end.
        options: options of the model.
        left_out: kinds of content in it that cannot be taken over, each time it stood there.
        notes: what a reader must be told.
    """

    id: str
    parent: str | None
    role: Literal["user", "assistant", "system"]
    text: str = ""
    sent: str | None = None
    system: str | None = None
    reasoning: str = ""
    created: datetime | None = None
    ended: datetime | None = None
    asked: str | None = None
    model: str | None = None
    status: Status = "complete"
    finish_reason: str | None = None
    usage: Usage | None = None
    latency: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def says(self) -> bool:
        """True where there is anything to read in it."""
        return bool(self.text or self.reasoning)

    @property
    def counts(self) -> bool:
        """True for a prompt, and for what is a part of a reply."""
        answers = self.role == "assistant" and (self.says or bool(self.left_out))
        return self.role == "user" or answers


class Source(NamedTuple):
    """Where a conversation comes from.

    Args:
        tool: its name, for the note of each exchange.
        place: what stands in place of a server's URL.
        conversation: the id of the conversation here.
        asked: the model that was asked for, where a message does not tell.
        created: when the conversation was made, where a message has no time.
    """

    tool: str
    place: str
    conversation: str
    asked: str = UNKNOWN
    created: datetime | None = None


def left_out(where: str, said: Iterable[Said]) -> list[Unread]:
    """What of the messages was not taken over, each kind once with how often."""
    return [Unread(where, f"left out: {kind}") for kind in kinds(said)]


def kinds(said: Iterable[Said]) -> list[str]:
    """The kinds of content that were left out, each with how often where it was more than once.

    Example:
        >>> kinds([Said("1", None, "user", left_out=("image", "image", "attached file"))])
        ['2 × image', 'attached file']
    """
    found = Counter(kind for each in said for kind in each.left_out)
    return [one_line(kind if times == 1 else f"{times} × {kind}") for kind, times in found.items()]
