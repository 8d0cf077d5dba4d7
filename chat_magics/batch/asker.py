"""Asker: one prompt through the client; a reply that does not fit is asked once more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..client import Sending, ignored
from ..errors import AnswerUnfit, ChatError, RateLimited, RateLimitReached
from ..history import MISFIT, RowEnded
from ..history.exchange import now
from ..messages import Completion, Usage
from .outcome import Outcome, ended, refused, unfit

if TYPE_CHECKING:
    from ..client import ChatClient
    from .pace import Pace
    from .purse import Rates
    from .question import Question

__all__ = ["Answer", "Asker", "Job"]


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
    """Asks prompts of one question; belongs to the client's loop.

    Args:
        question: what is asked.
        client: that sends it.
        rates: what it costs.
        pace: told what the server says of its limits; None for nobody.
    """

    def __init__(
        self, question: Question, client: ChatClient, rates: Rates, pace: Pace | None = None
    ) -> None:
        self._question = question
        self._client = client
        self._rates = rates
        self._pace = pace

    async def ask(self, job: Job) -> Answer:
        """The answer to a job, or how it failed.

        Raises:
            RateLimited: the server asks to wait, and nothing was answered.
            RateLimitReached: a limit of our own settings does.
        """
        if job.found is not None:
            return self._cached(job, job.found)
        started = time.monotonic()
        requests: list[None] = []
        sending = Sending(
            use_cache=False,
            on_request=lambda: requests.append(None),
            whole=True,
            waits_for_limits=False,
            on_headers=self._told if self._pace is not None else None,
        )
        question = self._question
        first: Completion | None = None
        request = question.request.asking(job.prompt)
        try:
            came = await self._client.send(request, ignored, sending)
            try:
                value = question.shape.read(came.text)
            except AnswerUnfit as why:
                first = came
                request = question.second(job.prompt, came.text, why.message)
                # It waits for limits by itself: from the beginning, the first were paid for twice.
                patient = replace(sending, waits_for_limits=True)
                came = joined(first, await self._client.send(request, ignored, patient))
                value = question.shape.read(came.text)
        except AnswerUnfit as why:
            return self._misfit(job, came, why, time.monotonic() - started)
        except ChatError as error:
            if first is not None:
                return self._misfit(job, first, error, time.monotonic() - started)
            if isinstance(error, RateLimited | RateLimitReached):
                raise
            return self._failed(job, error, len(requests), time.monotonic() - started)
        return self._fits(job, came, value, time.monotonic() - started)

    def _told(self, headers: Mapping[str, str]) -> None:
        assert self._pace is not None
        self._pace.told(headers)

    def _fits(self, job: Job, came: Completion, value: object, seconds: float) -> Answer:
        status, note = ended(came.finish_reason)
        cost = self._rates.cost(came.model, came.usage, came.wasted)
        record = RowEnded(job.id, "complete", came, cost, came.attempts, seconds, None, None, now())
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
