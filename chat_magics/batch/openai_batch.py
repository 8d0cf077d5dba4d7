"""`engine="openai-batch"`: rows by the Batch API, at half the price and within a day.

All that is needed to take a run up again is at the server: each batch has the run's question as its
label, and each request in it the key of its row. So the same call, in another process or on another
day, finds what is under way, waits for it, and asks only what is in no batch. Prompts are in the
history before they are submitted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import BudgetReached, ChatError, RateLimited, ServerUnavailable
from .asker import Answer, Asker, Job
from .away import GROUP, Away, Submitted
from .fetched import SHARE, BatchRates, Fetched
from .keeper import Keeper
from .plan import RowsPlan
from .question import Asked
from .run import RowRun
from .sending import Sent

if TYPE_CHECKING:
    from ..client.batch_files import BatchAnswer

__all__ = ["BLOCK", "BatchRun"]

BLOCK = 50_000
"""Rows of a file that go out together: what one batch takes."""

_NOTE = "by the Batch API, at half the price, within a day"
_GOES_ON = "its batch goes on at the server: the same call takes up what comes"


class BatchRun(RowRun):
    """A run whose requests go out in files, and whose answers are fetched when they are there."""

    ahead = 8

    _away: Away
    _asker: Asker
    _fetched: Fetched
    _keeper: Keeper

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._task: asyncio.Future[None] | None = None
        self._looked = False
        self._left: dict[str, Job] = {}
        self._full: ChatError | None = None
        self._faults: list[ChatError] = []

    def plan(self, asked: Asked) -> RowsPlan:
        """What would be asked, at half the price."""
        plan = super().plan(asked)
        price = None if plan.price is None else plan.price * SHARE
        return replace(plan, price=price, note=_NOTE)

    def stop(self, why: str) -> None:
        """Waits no longer; the batches go on at the server."""
        count = self._away.under_way if self.id else 0
        away = f": {_batches(count)} on at the server, at half the price; the same call takes up "
        super().stop(f"{why}{away}what came" if count else why)

    def _stop_at_once(self, reason: ChatError) -> None:
        self._keeper.hurry()
        if self._task is not None:
            self._task.cancel()

    @contextmanager
    def under_way(self, plan: RowsPlan) -> Iterator[None]:
        """Within it, what is planned can be asked, in one part or several.

        Args:
            plan: of all of it.
        """
        session, request = self._session, self._question.request
        prefix = "chat-magics-"
        with super().under_way(plan), TemporaryDirectory(prefix=prefix) as folder:
            label = f"rows {self._question.identity}"
            self._away = Away(session.client.batches, label, Path(folder), self._show)
            self._fetched = Fetched(self._sender, self._how.concurrency)
            rates = BatchRates(request.base_url, request.model)
            self._asker = Asker(self._question, self._fetched, rates)
            self._keeper = Keeper(session, self._first(), self._deliver, self._fail)
            session.loop.run(self._start())
            try:
                yield
            finally:
                if not session.closed:
                    session.loop.run(self._end())

    async def _start(self) -> None:
        self._keeper.start()

    async def _end(self) -> None:
        await self._away.close()
        self._show()
        await self._keeper.close(_GOES_ON)

    # What goes out

    def send_ahead(self, asked: Asked) -> bool:
        """Submits what is asked later on; whether more may be submitted so.

        Args:
            asked: the prompts of rows that come after those that were planned.
        """
        jobs = [job for job in self._left_of(asked, self._known.outcomes(asked)) if not job.found]
        if jobs and self.reason is None:
            self._wait(self._session.loop.submit(self._stoppable(self._submit_ahead(jobs))))
        return self.reason is None and self._full is None

    async def _submit_ahead(self, jobs: Iterable[Job]) -> None:
        try:
            await self._submit(jobs)
        except BudgetReached as error:  # it may fit when what is out has turned out cheaper
            self._full = error

    async def _submit(self, jobs: Iterable[Job]) -> None:
        """Submits the jobs that are in no batch yet, as far as the server takes them now."""
        if not self._looked or self._full is not None:  # one that failed may be there all the same
            await self._away.find(self._answered_since)
        self._looked, self._full = True, None
        new = [job for job in jobs if not self._away.has(job.key)]
        if new:
            # Whole files go out, so all has to fit.
            self._purse.check_together(len(new) + self._away.own)
            request = self._question.request
            self._full = await self._away.submit(new, request, self._keeper.begin)
        for job in new:
            if self._away.has(job.key):
                self._keeper.sending(job)

    async def _answered_since(self, keys: set[str], created: datetime) -> set[str]:
        """Which of the keys have an answer that is newer than a batch, and not wanted any more."""
        unwanted = self._known.unwanted(keys)
        if not unwanted:
            return set()
        answers = await self._session.store(lambda history: history.row_answers(unwanted))
        return {key for key, answer in answers.items() if answer.ended and answer.ended >= created}

    async def _work_on(self, jobs: Sequence[Job]) -> None:
        await self._stoppable(self._ask(jobs))

    async def _stoppable(self, work: Coroutine[Any, Any, None]) -> None:
        if self.reason is not None:
            work.close()
            return
        self._task = asyncio.ensure_future(work)
        try:
            await self._task
        except asyncio.CancelledError:
            if self.reason is None:
                raise
        except ChatError as error:
            self.reason = self.reason or error
        finally:
            self._task = None
            await self._keeper.flush()

    async def _ask(self, jobs: Sequence[Job]) -> None:
        for group in _groups(job for job in jobs if job.found is not None):
            await self._take([(job, Sent(None, None, 0)) for job in group])
        self._left = {job.key: job for job in jobs if job.found is None}
        while self._left:
            before = len(self._left)
            await self._submit(self._left.values())
            await self._bring_all()
            if self._faults:
                raise self._faults[0]
            if self._full is not None and len(self._left) == before:
                raise self._full

    # What comes back

    async def _bring_all(self) -> None:
        """Waits for the batches that have what is left, and takes what they bring."""
        unclaimed, bringing = set(self._left), []
        for submitted in self._away.submitted:
            wanted = unclaimed & submitted.ids.keys()
            unclaimed -= wanted
            if wanted:
                bringing.append(asyncio.ensure_future(self._bring(submitted, wanted)))
        try:
            await asyncio.gather(*bringing)
        finally:
            for task in bringing:
                task.cancel()
            await asyncio.gather(*bringing, return_exceptions=True)
            self._show()

    async def _bring(self, submitted: Submitted, wanted: set[str]) -> None:
        """Takes the answers of a batch to keys, when it has ended."""
        try:
            async for group in self._away.answers(submitted):
                submitted.taken += len(group)
                await self._take(list(self._ours(group, wanted)), submitted.batch.created)
        except ChatError as error:
            if submitted.batch.status == "failed":  # refused as a whole, such as too much at once
                self._full = error
                self._away.forget(submitted)
                return
            if wanted & self._left.keys():
                self._faults.append(error)
                return
        message = f"the batch ended ({submitted.batch.status}) before this was asked: ask again"
        unasked = Sent(None, ServerUnavailable(message, transient=True), 0)
        for some in _groups(self._job(key) for key in wanted if key in self._left):
            await self._take([(job, unasked) for job in some])
        for key in wanted:
            del submitted.ids[key]
        if not submitted.ids:
            self._away.forget(submitted)

    def _ours(self, group: Iterable[BatchAnswer], wanted: set[str]) -> Iterator[tuple[Job, Sent]]:
        for key, completion, error in group:
            if key in wanted and key in self._left:
                yield self._job(key), Sent(completion, _kept(error), 1)

    def _job(self, key: str) -> Job:
        """What was left of this key, as the exchange that it was submitted as."""
        job, id = self._left.pop(key), self._away.id_of(key)
        return job if id is None else job._replace(id=id)

    async def _take(self, came: Sequence[tuple[Job, Sent]], since: datetime | None = None) -> None:
        """Takes what came of jobs, which were sent at that time."""
        if not came:
            return
        await self._keeper.begin([job for job, _ in came])  # those of earlier calls
        for job, sent in came:
            self._keeper.sending(job)
            self._fetched.put(job.prompt, sent)
        asking = [asyncio.ensure_future(self._asker.ask(job)) for job, _ in came]
        try:
            for answered in asyncio.as_completed(asking):  # some are asked once more
                self._put(await answered, since)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    def _put(self, answer: Answer, since: datetime | None) -> None:
        self._keeper.put(_since(answer, since) if since else answer)
        outcome = answer.outcome
        if outcome.model and not outcome.cached:
            tokens = (outcome.tokens_in or 0) + (outcome.tokens_out or 0)
            self._purse.paid(outcome.cost, tokens)

    def _show(self) -> None:
        """As far as the server is, which is further than what was fetched."""
        self.totals.there = self._away.answered

    def _fail(self, error: ChatError) -> None:
        self.reason = self.reason or error  # what is paid for stays at the server meanwhile
        self._stop_at_once(error)


def _kept(error: ChatError | None) -> ChatError | None:
    """As a row keeps it: that a batch met a limit is no reason to wait now."""
    if not isinstance(error, RateLimited):
        return error
    return ServerUnavailable(error.message, code=error.code, transient=error.transient)


def _since(answer: Answer, sent: datetime) -> Answer:
    """With the time that it took altogether; the server's clock may be ahead of ours."""
    seconds = max(0.0, (datetime.now(timezone.utc) - sent).total_seconds())
    return answer._replace(
        outcome=answer.outcome._replace(seconds=seconds),
        record=answer.record._replace(latency=seconds),
    )


def _groups(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    waiting = iter(jobs)
    while group := list(islice(waiting, GROUP)):
        yield group


def _batches(count: int) -> str:
    return "the batch goes" if count == 1 else f"{count} batches go"
