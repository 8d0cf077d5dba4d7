"""Keeper: makes prompts durable in blocks, and answers in groups that are at most 50 ms apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ChatError, StoreError
from ..history import Exchange, RowAsked, RowEnded
from ..history.exchange import now
from .asker import Answer, Job

if TYPE_CHECKING:
    from ..conversation import Session
    from ..history import History

__all__ = ["Keeper"]

APART = 0.05
"""Seconds between two groups of answers, at most."""

_LOST = "the history can no longer be written, and what is paid for must not be lost"


class Keeper:
    """Writes one run into history; belongs to the session's loop.

    Args:
        session: whose history it is.
        first: what the rows of the run have in common.
        deliver: called with each group of answers once it is durable.
        failed: called where answers can no longer be made durable.
    """

    def __init__(
        self,
        session: Session,
        first: Exchange,
        deliver: Callable[[Sequence[Answer]], None],
        failed: Callable[[ChatError], None],
    ) -> None:
        self._session = session
        self._first = first
        self._deliver = deliver
        self._failed = failed
        self._ended: list[Answer] = []
        self._come = asyncio.Event()
        self._open: set[str] = set()
        self._sent: set[str] = set()
        self._durable = False
        self._closing = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to write what comes."""
        self._task = asyncio.get_running_loop().create_task(self._write_groups())

    async def begin(self, block: Sequence[Job]) -> None:
        """Stores the prompts of a block, in one transaction, before any of them is sent.

        Those that are stored already are passed over.

        Raises:
            StoreError: they cannot be stored.
        """
        rows = [RowAsked(job.id, job.key, job.prompt) for job in block if job.id not in self._open]
        if not rows:
            return
        first = self._first.model_copy(update={"created": now()})

        def work(history: History) -> bool:
            durable = history.durable
            history.begin_rows(first, rows)
            return durable

        self._durable = await self._session.store(work) or self._durable
        self._open.update(row.id for row in rows)

    def sending(self, job: Job) -> None:
        """Notes that a prompt goes out now."""
        self._sent.add(job.id)

    def put(self, answer: Answer) -> None:
        """Takes an answer, which is durable 50 ms later at the latest, as far as the disk goes."""
        self._ended.append(answer)
        self._come.set()

    async def _write_groups(self) -> None:
        while not self._closing.is_set():
            await self._come.wait()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._closing.wait(), APART)
            await self.flush()

    async def flush(self) -> None:
        """Writes what came by now; it is durable and delivered afterwards."""
        async with self._writing:
            group, self._ended = self._ended, []
            self._come.clear()
            if group:
                await self._write(group)

    async def _write(self, group: Sequence[Answer]) -> None:
        records = [answer.record for answer in group]

        def work(history: History) -> bool:
            history.finish_rows(records)
            return history.durable

        try:
            durable = await self._session.store(work)
        except StoreError as error:
            self._failed(error)
        else:
            if self._durable and not durable:
                self._failed(StoreError(_LOST))
        self._open.difference_update(record.id for record in records)
        self._sent.difference_update(record.id for record in records)
        self._deliver(group)

    async def close(self, cut_off: str | None = None) -> None:
        """Writes what is left; of rows that were never sent nothing stays.

        Args:
            cut_off: what must be said of those that were sent and have no answer yet.
        """
        self._closing.set()
        self._come.set()
        if self._task is not None:
            await self._task
        await self.flush()
        stopped = [_stopped(id, cut_off) for id in self._open & self._sent]
        unsent = list(self._open - self._sent)
        if stopped:
            await self._session.store(lambda history: history.finish_rows(stopped))
        if unsent:
            await self._session.store(lambda history: history.drop_rows(unsent))


def _stopped(id: str, note: str | None) -> RowEnded:
    return RowEnded(id, "stopped", None, None, 1, 0.0, None, note, now())
