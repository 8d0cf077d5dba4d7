"""What happens while a reply comes: text, a wait, a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Emit", "Event", "Restarted", "Text", "Waiting", "ignored"]


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

    def words(self, seconds: str) -> str:
        """One line for a person, the same on every surface.

        Args:
            seconds: until the next try, or that it has waited where nobody knows; as the surface
                shows them.

        Example:
            >>> Waiting("rate limited", 4.0, attempt=2, attempts=4).words("4")
            'rate limited, next try in 4 s (2 of 4)'
            >>> Waiting("the first token").words("12")
            'waiting for the first token, 12 s'
        """
        if self.seconds is None:
            return f"waiting for {self.reason}, {seconds} s"
        tries = f" ({self.attempt} of {self.attempts})" if self.attempts else ""
        return f"{self.reason.rstrip('.')}, next try in {seconds} s{tries}"


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


def ignored(event: Event) -> None:
    """Takes what nobody wants to know."""
