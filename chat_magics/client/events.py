"""What happens while a reply comes: text, a wait, a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Emit", "Event", "Restarted", "Text", "Waiting"]


@dataclass(frozen=True)
class Text:
    """Text that arrived together."""

    text: str


@dataclass(frozen=True)
class Waiting:
    """Nothing comes for a while, and why.

    Args:
        reason: for a person, such as `rate limited by api.openai.com`.
        seconds: until the next try; None where nobody knows.
        attempt: the number of the attempt that comes next, where it is a retry.
        attempts: how many there are at most.
    """

    reason: str
    seconds: float | None = None
    attempt: int = 0
    attempts: int = 0


@dataclass(frozen=True)
class Restarted:
    """The stream broke and the request was sent again: what came before is void.

    Args:
        reason: why, for a person.
        discarded: the text that is void now.
    """

    reason: str
    discarded: str


Event: TypeAlias = Text | Waiting | Restarted
Emit: TypeAlias = Callable[[Event], None]
