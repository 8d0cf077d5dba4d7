"""`engine="openai-batch"`: rows by the Batch API, at half the price and within a day.

All that is needed to take a run up again is at the server: each batch has the run's question as its
label, and each request in it the key of its row. So the same call, in another process or on another
day, finds what is under way, waits for it, and asks only what is in no batch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..client import Batch
from ..errors import ChatError, NotFound, RateLimited, ServerUnavailable
from .asker import Answer, Asker, Job
from .fetched import SHARE, BatchRates, Fetched
from .keeper import Keeper
from .plan import RowsPlan
from .question import Asked
from .run import RowRun
from .sending import Sent

if TYPE_CHECKING:
    from ..client.batch_files import BatchAnswer, BatchFile
    from ..client.batches import Batches

__all__ = ["BLOCK", "BatchRun"]

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds between two looks at a batch."""

BLOCK = 50_000
"""Rows of a file that go out together: what one batch takes."""

_GROUP = 256
"""Answers that are taken together."""

_NOTE = "by the Batch API, at half the price, within a day"


class BatchRun(RowRun):
    """A run whose requests go out in files, and whose answers are fetched when they are there."""

    _batches: Batches
    _asker: Asker
    _fetched: Fetched
    _keeper: Keeper
    _folder: Path

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._task: asyncio.Future[None] | None = None
        self._left: dict[str, Job] = {}
        self._away: set[str] = set()
        self._under_way: dict[str, int] = {}
        self._refusals: list[ChatError] = []
        self._ahead = 0

    def plan(self, asked: Asked) -> RowsPlan:
        """What would be asked, at half the price."""
        plan = super().plan(asked)
        price = None if plan.price is None else plan.price * SHARE
        return replace(plan, price=price, note=_NOTE)

    def stop(self, why: str) -> None:
        """Waits no longer; the batches go on at the server."""
        away = f": {_batches(len(self._under_way))} on at the server, at half the price; the same "
        super().stop(f"{why}{away}call takes up what came" if self._under_way else why)

    def _stop_at_once(self, reason: ChatError) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _work_on(self, jobs: Sequence[Job]) -> None:
        session, request = self._session, self._question.request
        self._batches = session.client.batches
        self._fetched = Fetched(self._sender, self._how.concurrency)
        rates = BatchRates(request.base_url, request.model)
        self._asker = Asker(self._question, self._fetched, rates)
        self._keeper = Keeper(session, self._first(), self._deliver, self._fail)
        self._keeper.start()
        with TemporaryDirectory(prefix="chat-magics-") as folder:
            self._folder = Path(folder)
            self._task = asyncio.ensure_future(self._by_batches(jobs))
            try:
                await self._task
            except asyncio.CancelledError:
                if self.reason is None:
                    raise
            except ChatError as error:
                self.reason = self.reason or error
            finally:
                self._task = None
                await self._keeper.close()

    async def _by_batches(self, jobs: Sequence[Job]) -> None:
        self._left = {job.key: job for job in jobs if job.found is None}
        for group in _groups(job for job in jobs if job.found is not None):
            await self._take([(job, Sent(None, None, 0)) for job in group])
        waiting: list[asyncio.Task[None]] = []
        try:
            await self._take_up(waiting)
            await self._submit(waiting)
            await asyncio.gather(*waiting)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            self._under_way.clear()
            self._show()
        if self._refusals:
            self.reason = self.reason or self._refusals[0]

    # What an earlier call has submitted

    async def _take_up(self, waiting: list[asyncio.Task[None]]) -> None:
        """Takes what earlier batches of this question brought, and waits for those under way."""
        if self._how.refresh or not self._left:
            return
        for batch in await self._batches.listed(self._label()):
            if not self._left:
                return
            if not batch.ended:
                wanted = await self._keys_of(batch) & self._left.keys() - self._away
                if wanted:
                    self._see_through(batch, wanted, waiting)
            elif batch.files:
                again = self._how.again
                await self._collect(batch, self._left.keys() - again, answers_only=True)

    async def _keys_of(self, batch: Batch) -> set[str]:
        requests = replace(batch, files=(batch.input_file,), status="completed")
        try:
            (path,) = await self._batches.fetch(requests, self._folder)
        except NotFound:
            return set()
        return await asyncio.to_thread(_ids_in, path)

    def _label(self) -> str:
        """Of all batches of this question, whoever submits them from whichever frame."""
        asked = self._question.request.asking("").key + self._question.shape.identity
        return f"rows {sha256(asked.encode()).hexdigest()}"

    # What this one submits

    async def _submit(self, waiting: list[asyncio.Task[None]]) -> None:
        jobs = [job for key, job in self._left.items() if key not in self._away]
        if jobs:  # whole files go out at once, so all of it has to fit
            self._purse.check_together(len(jobs), SHARE)
        asked = ((job.key, self._question.request.asking(job.prompt)) for job in jobs)
        files = self._batches.files(asked, self._folder)
        start = 0
        while (file := await asyncio.to_thread(_next_file, files)) is not None:
            try:
                batch = await self._batches.submit(file, self._label())
            except ChatError as error:
                if not waiting:
                    raise
                self._refusals.append(error)  # such as the limit of what may be queued at a time
                return
            finally:
                file.path.unlink()
            keys = {job.key for job in jobs[start : start + file.count]}
            self._see_through(batch, keys, waiting)
            start += file.count

    def _see_through(self, batch: Batch, keys: set[str], waiting: list[asyncio.Task[None]]) -> None:
        self._away |= keys
        self._under_way[batch.id] = 0
        waiting.append(asyncio.get_running_loop().create_task(self._wait_for(batch, keys)))

    async def _wait_for(self, batch: Batch, keys: set[str]) -> None:
        try:
            ended = await self._batches.wait(
                batch.id, self._see, first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE
            )
            await self._collect(ended, keys)
        except ChatError as error:
            self._refusals.append(error)
            return
        finally:
            self._under_way.pop(batch.id, None)
        message = f"the batch ended ({ended.status}) before this was asked: ask again"
        unasked = Sent(None, ServerUnavailable(message, transient=True), 0)
        for group in _groups(self._left.pop(key) for key in keys if key in self._left):
            await self._take([(job, unasked) for job in group])

    def _see(self, batch: Batch) -> None:
        self._under_way[batch.id] = batch.completed + batch.failed
        self._show()

    def _show(self) -> None:
        """As far as the server is, which is further than what was fetched."""
        fetched = self.totals.done - self._ahead
        self._ahead = min(sum(self._under_way.values()), max(0, self.totals.to_ask - fetched))
        self.totals.done = fetched + self._ahead

    def _fail(self, error: ChatError) -> None:
        self.reason = self.reason or error  # what is paid for stays at the server meanwhile
        self._stop_at_once(error)

    def _deliver(self, answers: Sequence[Answer]) -> None:
        super()._deliver(answers)
        self._show()

    # What came

    async def _collect(
        self, batch: Batch, wanted: Iterable[str], *, answers_only: bool = False
    ) -> None:
        """Takes the answers of an ended batch to the keys that are wanted.

        Args:
            batch: that has ended.
            wanted: keys.
            answers_only: what failed there is asked again, and not taken.
        """
        keys = set(wanted)
        try:
            paths = await self._batches.fetch(batch, self._folder)
        except NotFound:  # its files are gone, after thirty days or by hand
            return
        self._under_way.pop(batch.id, None)
        answers = self._batches.answers(paths)
        while group := await asyncio.to_thread(_some, answers):
            taken = []
            for id, completion, error in group:
                if id not in keys or id not in self._left or (answers_only and error):
                    continue
                taken.append((self._left.pop(id), Sent(completion, _kept(error), 1)))
            await self._take(taken, batch.created)
        for path in paths:
            path.unlink()

    async def _take(self, came: Sequence[tuple[Job, Sent]], since: datetime | None = None) -> None:
        """Takes what came of jobs, which were sent at that time."""
        if not came:
            return
        await self._keeper.begin([job for job, _ in came])
        for job, sent in came:
            self._keeper.sending(job)
            self._fetched.put(job.prompt, sent)
        for answer in await asyncio.gather(*(self._asker.ask(job) for job, _ in came)):
            self._keeper.put(_since(answer, since) if since else answer)
            outcome = answer.outcome
            if outcome.model and not outcome.cached:
                tokens = (outcome.tokens_in or 0) + (outcome.tokens_out or 0)
                self._purse.paid(outcome.cost, tokens)


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


def _next_file(files: Iterator[BatchFile]) -> BatchFile | None:
    return next(files, None)


def _some(answers: Iterator[BatchAnswer]) -> list[BatchAnswer]:
    return list(islice(answers, _GROUP))


def _groups(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    waiting = iter(jobs)
    while group := list(islice(waiting, _GROUP)):
        yield group


def _ids_in(path: Path) -> set[str]:
    with path.open("rb") as lines:
        ids = {str(json.loads(line)["custom_id"]) for line in lines if line.strip()}
    path.unlink()
    return ids


def _batches(count: int) -> str:
    return "the batch goes" if count == 1 else f"{count} batches go"
