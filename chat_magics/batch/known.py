"""Known: the answers that are there before anything is sent: earlier runs, the chat's cache."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from ..errors import AnswerUnfit
from .outcome import FAILED, Outcome, of_history

if TYPE_CHECKING:
    from ..conversation import Session
    from .asker import Job
    from .how import How
    from .question import Asked, Question

__all__ = ["Known"]


class Known:
    """Looks up what was answered before.

    Args:
        session: whose history and cache it looks into.
        question: that was answered.
        how: which of the answers count.
    """

    def __init__(self, session: Session, question: Question, how: How) -> None:
        self._session = session
        self._question = question
        self._how = how
        self._fresh: set[bytes] = set()
        self._failed: set[str] = set()

    def answered(self, key: str) -> None:
        """Notes that a prompt was answered now: a later block of this run finds that."""
        if self._how.refresh or key in self._failed:
            self._fresh.add(_digest(key))

    def unwanted(self, keys: Set[str]) -> Set[str]:
        """Of these keys, those whose earlier answers do not count."""
        return keys if self._how.refresh else keys & (self._how.again | self._failed)

    def outcomes(self, asked: Asked) -> dict[str | int, Outcome]:
        """The outcomes of prompts that were answered before, by their keys."""
        if self._how.refresh:
            keys = [key for key in asked.prompts if _digest(key) in self._fresh]
        else:
            keys = [key for key in asked.prompts if key not in self._how.again]
        answers = self._session.store_now(lambda history: history.row_answers(keys))
        found: dict[str | int, Outcome] = {}
        for key, answer in answers.items():
            try:
                outcome = of_history(answer, self._question.shape)
            except AnswerUnfit:  # another release read it; it is asked again
                continue
            if self._how.retry and outcome.status in FAILED and _digest(key) not in self._fresh:
                self._failed.add(key)
            else:
                found[key] = outcome
        return found

    def cached(self, jobs: list[Job]) -> list[Job]:
        """The jobs, with the answers that the cache of the chat has."""
        cache = self._session.client.cache
        if cache is None or not self._session.config.cache or self._how.refresh:
            return jobs
        if not jobs or self._question.cache_key("") is None:
            return jobs
        if not cache.remote and not cache.stats().entries:
            return jobs  # a look for each would take longer
        keys = [job.key for job in jobs]
        unwanted = self.unwanted(set(keys))
        found = cache.get_keys([key for key in keys if key not in unwanted])
        return [job._replace(found=found.get(job.key)) for job in jobs]


def _digest(key: str) -> bytes:
    """Of a key, short: a million are remembered."""
    return bytes.fromhex(key[:32])
