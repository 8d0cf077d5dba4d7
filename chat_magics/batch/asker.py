"""Asker: one prompt through the client; a reply that does not fit is asked once more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from ..errors import AnswerUnfit, ChatError, RateLimited, RateLimitReached
from ..history import MISFIT, RowEnded
from ..history.exchange import Status, now
from ..messages import Completion, Usage
from .outcome import Outcome, ended, refused, unfit

if TYPE_CHECKING:
    from .purse import Rates
    from .question import Question
    from .sending import Sender

__all__ = ["Answer", "Asker", "Job", "joined"]


class Job(NamedTuple):
    """One prompt to ask: id of its exchange, key of its request, text, and the cache's answer."""

    id: str
    key: str
    prompt: str
    found: Completion | None = None


class Answer(NamedTuple):
    """What came of a job: for the rows that asked it, and for history."""

    key: str
    outcome: Outcome
    record: RowEnded
    failure: ChatError | None = None


class Asker:
    """Asks prompts of one question; belongs to one event loop.

    Args:
        question: what is asked.
        sender: that sends it.
        rates: what it costs.
    """

    def __init__(self, question: Question, sender: Sender, rates: Rates) -> None:
        self._question = question
        self._sender = sender
        self._rates = rates

    async def ask(self, job: Job) -> Answer:
        """The answer to a job, or how it failed.

        Raises:
            RateLimited: the server asks to wait, and nothing was answered.
            RateLimitReached: a limit of our own settings does.
        """
        if job.found is not None:
            return self._cached(job, job.found)
        started = time.monotonic()
        question = self._question
        came, error, attempts = await self._sender.send(question.request.asking(job.prompt))
        if came is None:
            assert error is not None
            if isinstance(error, RateLimited | RateLimitReached):
                raise error
            return self._failed(job, error, attempts, time.monotonic() - started)
        try:
            value = question.shape.read(came.text)
        except AnswerUnfit as why:
            if came.finish_reason == "length":  # it would be cut once more
                return self._came(job, came, None, time.monotonic() - started, unread=True)
            return await self._once_more(job, came, why, started)
        return self._came(job, came, value, time.monotonic() - started)

    async def _once_more(
        self, job: Job, first: Completion, why: AnswerUnfit, started: float
    ) -> Answer:
        """The answer once the reason was told; it waits for limits, since the first is paid for."""
        request = self._question.second(job.prompt, first.text, why.message)
        second, error, _ = await self._sender.send(request, patient=True)
        if second is None:
            assert error is not None
            return self._misfit(job, first, error, time.monotonic() - started)
        came = joined(first, second)
        try:
            value = self._question.shape.read(came.text)
        except AnswerUnfit as still:
            if came.finish_reason == "length":
                return self._came(job, came, None, time.monotonic() - started, unread=True)
            return self._misfit(job, came, still, time.monotonic() - started)
        return self._came(job, came, value, time.monotonic() - started)

    def _came(
        self, job: Job, came: Completion, value: object, seconds: float, *, unread: bool = False
    ) -> Answer:
        """The answer of a reply; `unread` where its end is missing, so that it cannot be read."""
        status, note = ended(came.finish_reason)
        cost = self._rates.cost(came.model, came.usage, came.wasted)
        kept: Status = "error" if unread else "complete"
        kind, why = (MISFIT, note) if unread else (None, None)
        record = RowEnded(job.id, kept, came, cost, came.attempts, seconds, kind, why, now())
        outcome = Outcome(
            status, value, note, came.model, *_tokens(came), cost, seconds, came.attempts
        )
        return Answer(job.key, outcome, record)

    def _cached(self, job: Job, found: Completion) -> Answer:
        """The answer that the cache of the chat had; it stays in history from now on."""
        status, note = ended(found.finish_reason)
        record = RowEnded(job.id, "complete", found, 0.0, 0, 0.0, None, None, now())
        tokens = found.usage.prompt_tokens, found.usage.completion_tokens
        outcome = Outcome(status, found.text, note, found.model, *tokens, 0.0, 0.0, 0, cached=True)
        return Answer(job.key, outcome, record)

    def _misfit(self, job: Job, came: Completion, why: ChatError, seconds: float) -> Answer:
        cost = self._rates.cost(came.model, came.usage, came.wasted)
        record = RowEnded(
            job.id, "error", came, cost, came.attempts, seconds, MISFIT, why.message, now()
        )
        said = unfit(why.message, came.text)
        outcome = Outcome(
            "error", None, said, came.model, *_tokens(came), cost, seconds, came.attempts
        )
        return Answer(job.key, outcome, record, why)

    @staticmethod
    def _failed(job: Job, error: ChatError, attempts: int, seconds: float) -> Answer:
        kind = type(error).__name__
        record = RowEnded(
            job.id, "error", None, None, attempts, seconds, kind, error.message, now()
        )
        return Answer(job.key, refused(error, attempts, seconds), record, error)


def joined(first: Completion, second: Completion) -> Completion:
    """The second reply; the tokens of the first count as wasted.

    Args:
        first: the reply that did not fit.
        second: that came after the reason was told.
    """
    wasted = first.usage + (first.wasted or Usage()) + (second.wasted or Usage())
    notes = (*first.notes, "asked once more: the first reply did not fit", *second.notes)
    attempts = first.attempts + second.attempts
    return second.model_copy(update={"wasted": wasted, "notes": notes, "attempts": attempts})


def _tokens(came: Completion) -> tuple[int, int]:
    wasted = came.wasted or Usage()
    sent = came.usage.prompt_tokens + wasted.prompt_tokens
    return sent, came.usage.completion_tokens + wasted.completion_tokens
