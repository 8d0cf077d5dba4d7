"""Work: jobs asked within a bounded window, none of which waits for a slower one before it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ..errors import (
    AuthenticationFailed,
    BudgetReached,
    ChatError,
    ModelNotFound,
    NotAllowed,
    QuotaExhausted,
    RateLimited,
    RateLimitReached,
    RequestTimeout,
    ServerUnavailable,
)
from .asker import Answer, Job
from .keeper import Keeper
from .pace import Pace
from .purse import Purse
from .sending import ENGINE_LOST
from .together import TokensTogether

__all__ = ["Asks", "Work"]

_HOPELESS = (AuthenticationFailed, BudgetReached, ModelNotFound, NotAllowed, QuotaExhausted)
"""What would happen to all the other rows as well."""

_IN_VAIN = 25
"""So many failures, and as many as are asked at a time, and the rest is not tried."""


class Asks(Protocol):
    """Who asks one job."""

    async def ask(self, job: Job) -> Answer:
        """The answer, or how it failed."""


class Work:
    """One run at work; belongs to the session's loop.

    Args:
        blocks: the jobs, in blocks that are stored together; taken on a thread, one ahead.
        asker: asks one.
        keeper: stores them.
        pace: says when.
        purse: says whether there is money for it.
        together: says when by what the runs of other machines take.
        patience: seconds that all rows may wait for limits without an answer.
        longest_wait: seconds; a server that asks for more is not waited for.
        tokens: what a job is thought to take, for the pace.
    """

    def __init__(
        self,
        blocks: Iterator[Sequence[Job]],
        asker: Asks,
        keeper: Keeper,
        pace: Pace,
        purse: Purse,
        together: TokensTogether,
        *,
        patience: float,
        longest_wait: float,
        tokens: Callable[[Job], float],
    ) -> None:
        self._blocks = blocks
        self._asker = asker
        self._keeper = keeper
        self._pace = pace
        self._purse = purse
        self._together = together
        self._patience = patience
        self._longest_wait = longest_wait
        self._tokens = tokens
        self._ready: deque[Job] = deque()
        self._more = asyncio.Event()
        self._wanted = asyncio.Event()
        self._all_taken = False
        self._out = 0
        self._asking = 0
        self._one_ended = asyncio.Event()
        self._answered = 0
        self._failed_in_turn = 0
        self._waiting_since: float | None = None
        self._workers: list[asyncio.Task[None]] = []
        self.reason: ChatError | None = None
        """Why it ended before all was asked; None where it did not."""

    async def run(self, at_a_time: int) -> None:
        """Asks all; comes back when all have ended, or when it was stopped.

        Args:
            at_a_time: jobs at most.
        """
        loop = asyncio.get_running_loop()
        feeding = loop.create_task(self._feed(at_a_time))
        self._workers = [loop.create_task(self._work()) for _ in range(at_a_time)]
        everyone = asyncio.gather(*self._workers, return_exceptions=True)
        try:
            ended = await everyone
        finally:
            for task in (feeding, *self._workers):
                task.cancel()
            await asyncio.gather(feeding, *self._workers, return_exceptions=True)
        bugs = [e for e in (*ended, _fault(feeding)) if isinstance(e, Exception)]
        if bugs:
            raise bugs[0]

    def stop(self, reason: ChatError, *, at_once: bool = False) -> None:
        """Asks no further job.

        Args:
            reason: why, for a person.
            at_once: break off those under way too.
        """
        if self.reason is None:
            self.reason = reason
        for waited_for in (self._more, self._wanted, self._one_ended):
            waited_for.set()
        if at_once:
            for worker in self._workers:
                worker.cancel()

    async def _feed(self, at_a_time: int) -> None:
        try:
            while self.reason is None:
                block = await asyncio.to_thread(next, self._blocks, None)
                if block is None:
                    return
                if block:
                    await self._keeper.begin(block)
                    self._ready.extend(block)
                    self._more.set()
                while len(self._ready) > at_a_time and self.reason is None:
                    self._wanted.clear()
                    await self._wanted.wait()
        except ChatError as error:
            self.stop(error)
        finally:
            self._all_taken = True
            self._more.set()

    async def _work(self) -> None:
        while (job := await self._next()) is not None:
            try:
                await self._one(job)
            finally:
                self._out -= 1
                if not self._out:
                    self._more.set()  # who waits for a job that might come back need not any more

    async def _next(self) -> Job | None:
        """The next job; None where there will be none."""
        while self.reason is None:
            if self._ready:
                self._out += 1
                self._wanted.set()
                return self._ready.popleft()
            if self._all_taken and not self._out:
                return None
            self._more.clear()
            await self._more.wait()
        return None

    async def _one(self, job: Job) -> None:
        if job.found is not None:
            self._take(await self._asker.ask(job), 0.0)
            return
        tokens = self._tokens(job)
        entered = await self._pace.enter(tokens)
        took = 0.0
        try:
            if await self._may_go():
                async with self._together.taking(tokens):
                    answer = await self._asked(job)
                took = self._take(answer, tokens)
                self._together.took(took)
        except (RateLimited, RateLimitReached) as error:
            if isinstance(error, RateLimitReached):
                took = -tokens  # nothing was sent
            self._ready.appendleft(job)
            self._put_off(error, entered)
        finally:
            self._pace.left(took)

    async def _asked(self, job: Job) -> Answer:
        self._asking += 1
        self._keeper.sending(job)
        try:
            return await self._asker.ask(job)
        finally:
            self._asking -= 1
            self._one_ended.set()

    async def _may_go(self) -> bool:
        """Whether one more may be paid for; those under way may turn out cheaper first."""
        await self._keeper.reached()
        while self.reason is None:
            try:
                self._purse.check(self._asking)
            except BudgetReached as error:
                if not self._asking:
                    self.stop(error)
                    return False
                self._one_ended.clear()
                await self._one_ended.wait()
            else:
                return True
        return False

    def _take(self, answer: Answer, tokens: float) -> float:
        """Hands an answer on; the tokens that it took beyond what was thought."""
        self._keeper.put(answer)
        outcome = answer.outcome
        took = (outcome.tokens_in or 0) + (outcome.tokens_out or 0)
        if answer.failure is None:
            self._answered += 1
            self._failed_in_turn = 0
            self._waiting_since = None
            self._pace.answered()
        else:
            self._count_failure(answer.failure)
        if not outcome.cached and took:
            self._purse.paid(outcome.cost, took)
        return took - tokens

    def _count_failure(self, failure: ChatError) -> None:
        self._failed_in_turn += 1
        of_server = isinstance(failure, ServerUnavailable | RequestTimeout)
        in_vain = self._failed_in_turn >= max(_IN_VAIN, len(self._workers))
        if isinstance(failure, _HOPELESS) or failure.code == ENGINE_LOST:
            self.stop(failure)
        elif in_vain and (of_server or not self._answered):
            self.stop(
                ChatError(
                    f"{self._failed_in_turn} rows in turn failed, the last: {failure.message}"
                )
            )

    def _put_off(self, error: ChatError, entered: float) -> None:
        """Waits as the server asks, unless that is too long, or nothing gets through."""
        now = asyncio.get_running_loop().time()
        wait = error.retry_after or 0.0
        if self._waiting_since is None:
            self._waiting_since = now
        if isinstance(error, RateLimitReached):  # of our own settings, which are kept whatever
            self._waiting_since = None
            self._pace.wait(wait)
        elif error.transient and wait <= min(self._longest_wait, self._left(now)):
            self._pace.refused(entered, error.retry_after)
        else:
            self.stop(error)

    def _left(self, now: float) -> float:
        """Seconds that all may wait yet."""
        return self._patience - (now - (self._waiting_since or now))


def _fault(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() or not task.done() else task.exception()
