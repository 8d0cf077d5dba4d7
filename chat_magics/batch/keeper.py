"""Keeper: makes prompts durable in blocks, and answers in groups that are at most 50 ms apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import ChatError, StoreAway, StoreError
from ..history import Exchange, RowAsked, RowEnded
from ..history.exchange import now
from .asker import Answer, Job

if TYPE_CHECKING:
    from ..conversation import Session
    from ..history import History

__all__ = ["Keeper"]

T = TypeVar("T")

APART = 0.05
"""Seconds between two groups of answers, at most."""

PAUSE = 1.0
"""Seconds between two tries, where the database does not answer."""

PATIENCE = 60.0
"""Seconds that answers wait for it, until they are left to be stored once it is back."""

_LOST = "the history can no longer be written, and what is paid for must not be lost"
_OWED = (
    "the history does not answer: what came last is stored as soon as it does, if this session is "
    "open until then"
)


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
        self._hurry = asyncio.Event()
        self._reached = asyncio.Event()
        self._reached.set()
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

        self._durable = await self._patiently(work) or self._durable
        self._open.update(row.id for row in rows)

    async def reached(self) -> None:
        """Waits while answers wait for a database that does not answer."""
        await self._reached.wait()

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
            if not group:
                return
            try:
                await self._write(group)
            except asyncio.CancelledError:  # the session ends: `close` writes it, once more perhaps
                self._ended = [*group, *self._ended]
                raise

    async def _write(self, group: Sequence[Answer]) -> None:
        await self._store([answer.record for answer in group])
        self._deliver(group)

    async def _store(self, records: Sequence[RowEnded]) -> None:
        try:
            durable, refused = await self._patiently(partial(_finished, records=records))
        except StoreAway:
            self._session.store_later(partial(_finished, records=records))
            self._failed(StoreAway(_OWED))
        else:
            if refused is not None:
                self._failed(StoreError(f"an answer cannot be stored: {refused}"))
            elif self._durable and not durable:
                self._failed(StoreError(_LOST))
        self._open.difference_update(record.id for record in records)
        self._sent.difference_update(record.id for record in records)

    async def _patiently(self, work: Callable[[History], T]) -> T:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                done = await self._session.store(work)
            except StoreAway:
                if self._hurry.is_set() or time.monotonic() > until:
                    self._reached.set()
                    raise
                self._reached.clear()
            else:
                self._reached.set()
                return done
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), PAUSE)

    def hurry(self) -> None:
        """Waits no longer for a database that does not answer."""
        self._hurry.set()

    async def close(self, cut_off: str | None = None) -> None:
        """Writes what is left; of rows that were never sent nothing stays.

        Args:
            cut_off: what must be said of those that were sent and have no answer yet.
        """
        self._closing.set()
        self._come.set()
        if self._task is not None:
            await asyncio.wait([self._task])  # cancelled already, where the session ends
        await self.flush()
        stopped = [_stopped(id, cut_off) for id in self._open & self._sent]
        if stopped:
            await self._store(stopped)
        if unsent := list(self._open - self._sent):
            drop = partial(_drop, ids=unsent)
            try:
                await self._patiently(drop)
            except StoreAway:
                self._session.store_later(drop)


def _drop(history: History, ids: Sequence[str]) -> None:
    history.drop_rows(ids)


def _finished(history: History, records: Sequence[RowEnded]) -> tuple[bool, Exception | None]:
    """Whether the rows are durable now, and why one of them is not stored.

    Where one cannot be stored, the others are, each by itself.
    """
    refused: Exception | None = None
    try:
        history.finish_rows(records)
    except StoreAway:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are paid for
        refused = error
    if refused is not None and len(records) > 1:
        alone = [_finished(history, [record])[1] for record in records]
        refused = next((why for why in alone if why is not None), None)
    return history.durable, refused


def _stopped(id: str, note: str | None) -> RowEnded:
    return RowEnded(id, "stopped", None, None, 1, 0.0, None, note, now())
