"""Outcome: what came of one prompt, as it stands in the rows that asked it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ..errors import ChatError
from ..history import RowAnswer
from .shape import Shape

__all__ = ["FAILED", "Outcome", "RowStatus", "ended", "not_asked", "of_history", "refused", "unfit"]

RowStatus = Literal["complete", "cut", "error", "missing", "stopped"]
"""`cut`: a limit of tokens ended the reply; `missing`: a value of the row is, so it was not asked;
`stopped`: the run ended before it was answered."""

FAILED: frozenset[RowStatus] = frozenset({"error", "stopped", "cut"})
"""What `retry` asks again."""

_LONGEST_REPLY = 300
"""Characters of a reply that did not fit, as they stand beside the reason; history has all."""


class Outcome(NamedTuple):
    """What came of a prompt.

    Args:
        status: how it ended.
        value: the answer as `Shape.read` gives it; None where there is none.
        error: why there is none, or why it is cut; one line.
        model: that answered.
        tokens_in: sent, all attempts.
        tokens_out: received, all attempts.
        cost: US dollars; 0 where the answer was there already, None where the price is unknown.
        seconds: from sending to the end, waits included.
        attempts: HTTP requests; 0 where the answer was there already.
        cached: the answer was there already.
    """

    status: RowStatus
    value: Any = None
    error: str | None = None
    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    seconds: float | None = None
    attempts: int = 0
    cached: bool = False

    def again(self) -> Outcome:
        """The same for a further row that asks the same: it costs nothing more."""
        if self.status not in ("complete", "cut", "error") or not self.attempts:
            return self
        return self._replace(cost=0.0, seconds=0.0, attempts=0, cached=True)


def not_asked(status: RowStatus, reason: str) -> Outcome:
    """The outcome of a row that nothing was sent for."""
    return Outcome(status, error=reason, cost=0.0, seconds=0.0)


def refused(error: ChatError, attempts: int, seconds: float) -> Outcome:
    """The outcome of a prompt that no reply came to."""
    return Outcome("error", error=error.message, cost=0.0, seconds=seconds, attempts=attempts)


def of_history(answer: RowAnswer, shape: Shape) -> Outcome:
    """The outcome of a prompt that was answered in an earlier run.

    Raises:
        AnswerUnfit: the shape reads such a reply in another way by now.
    """
    tokens = answer.prompt_tokens, answer.completion_tokens
    if answer.error is not None and answer.finish_reason == "length":
        return Outcome("cut", None, answer.error, answer.model, *tokens, 0.0, 0.0, 0, cached=True)
    if answer.error is not None:
        said = unfit(answer.error, answer.text)
        return Outcome("error", None, said, answer.model, *tokens, 0.0, 0.0, 0, cached=True)
    value = shape.read(answer.text)
    status, note = ended(answer.finish_reason)
    return Outcome(status, value, note, answer.model, *tokens, 0.0, 0.0, 0, cached=True)


def ended(finish_reason: str | None) -> tuple[RowStatus, str | None]:
    """The status of a reply that fits, and what must be said of it."""
    if finish_reason == "length":
        return "cut", "the reply was cut by its limit of tokens (max_tokens)"
    if finish_reason is None:
        return "cut", "the reply ended without a finish_reason and may be cut"
    return "complete", None


def unfit(reason: str, text: str) -> str:
    """Why a reply is no answer, and what it said."""
    shown = text if len(text) <= _LONGEST_REPLY else text[:_LONGEST_REPLY] + "…"
    return f"{reason}; it said: {' '.join(shown.split())}" if shown.strip() else reason
