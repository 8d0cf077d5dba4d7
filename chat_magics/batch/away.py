"""Away: what is at the server, of one question: batches submitted, looked at, and fetched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..client import Batch
from ..errors import BadResponse, ChatError, NotFound

if TYPE_CHECKING:
    from ..client.batch_files import BatchAnswer
    from ..client.batches import Batches
    from ..messages import ChatRequest
    from .asker import Job

__all__ = ["GROUP", "Away", "Submitted"]

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds between two looks at a batch."""

GROUP = 256
"""Answers that are taken together."""

_BLOCK = 1024
"""Prompts that are stored together."""

_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)

AnsweredSince = Callable[[set[str], datetime], Awaitable[set[str]]]


@dataclass(eq=False)
class Submitted:
    """A batch at the server.

    Args:
        batch: as it was seen last.
        ids: of each key that is in it the id of its exchange in this run; None where another call
            has submitted it.
        ending: gives it when it has ended.
        paths: of its answers, where they were fetched.
        taken: answers that were.
    """

    batch: Batch
    ids: dict[str, str | None]
    ending: asyncio.Task[Batch]
    paths: list[Path] = field(default_factory=list)
    taken: int = 0

    @property
    def waiting(self) -> int:
        """Answers at the server that were not taken yet."""
        return max(0, self.batch.completed + self.batch.failed - self.taken)


class Away:
    """The batches of one question; belongs to one event loop.

    Args:
        batches: of the server.
        label: by which they are found again, from another process or on another day.
        folder: for files on their way.
        seen: called when more of them may be answered.
    """

    def __init__(
        self, batches: Batches, label: str, folder: Path, seen: Callable[[], None]
    ) -> None:
        self.submitted: list[Submitted] = []
        self._batches = batches
        self._label = label
        self._folder = folder
        self._seen = seen
        self._seen_before: set[str] = set()

    @property
    def under_way(self) -> int:
        """Batches that have not ended."""
        return sum(not each.batch.ended for each in self.submitted)

    @property
    def answered(self) -> int:
        """Answers that are at the server, of what was under way."""
        return sum(each.waiting for each in self.submitted if not each.paths)

    def has(self, key: str) -> bool:
        """Whether a request is in one of the batches."""
        return any(key in each.ids for each in self.submitted)

    def id_of(self, key: str) -> str | None:
        """Of the exchange that a request was stored as, where this run has submitted it."""
        return next((each.ids[key] for each in self.submitted if key in each.ids), None)

    @property
    def own(self) -> int:
        """Requests that this run has submitted, and whose answers were not all taken."""
        return sum(id is not None for each in self.submitted for id in each.ids.values())

    async def find(self, answered_since: AnsweredSince) -> None:
        """Finds the batches that were submitted before, as by earlier calls.

        Args:
            answered_since: which of these keys have an answer that is newer than this moment, so
                that the one there does not count any more.

        Raises:
            ChatError: the server cannot be asked.
        """
        for batch in await self._batches.listed(self._label):
            if batch.id in self._seen_before or (batch.ended and not batch.files):
                continue
            asked = replace(batch, files=(batch.input_file,), status="completed")
            paths = await self._fetched(batch if batch.ended else asked)
            keys = await asyncio.to_thread(self._answered_in if batch.ended else _ids_in, paths)
            if batch.ended:
                keys -= await answered_since(keys, batch.created or _LONG_AGO)
            if not keys or not batch.ended:
                paths = _removed(paths)
            if keys:
                self._note(batch, dict.fromkeys(keys)).paths = paths

    def _answered_in(self, paths: Sequence[Path]) -> set[str]:
        """What failed there is to be asked again, and what cannot be read as well."""
        keys: set[str] = set()
        with suppress(BadResponse):
            for each in self._batches.answers(paths):
                if each.completion is not None:
                    keys.add(each.id)
        return keys

    async def submit(
        self,
        jobs: Sequence[Job],
        request: ChatRequest,
        store: Callable[[Sequence[Job]], Awaitable[None]],
    ) -> ChatError | None:
        """Submits jobs, in as many files as they need; none waits for the end of another.

        Args:
            jobs: none of which is away.
            request: that each of them makes, but for the prompt.
            store: called with the jobs of a file before it goes out, in blocks.

        Returns:
            why the server takes no more of them now; None where it has all.
        """
        asked = ((job.key, request.asking(job.prompt)) for job in jobs)
        files, start = self._batches.files(asked, self._folder), 0
        while (file := await asyncio.to_thread(next, files, None)) is not None:
            some = jobs[start : start + file.count]
            try:
                for place in range(0, len(some), _BLOCK):
                    await store(some[place : place + _BLOCK])
                batch = await self._batches.submit(file, self._label)
            except ChatError as error:
                return error
            finally:
                file.path.unlink()
            self._note(batch, {job.key: job.id for job in some})
            start += file.count
        return None

    def _note(self, batch: Batch, ids: dict[str, str | None]) -> Submitted:
        self._seen_before.add(batch.id)
        ending = asyncio.get_running_loop().create_task(self._ended(batch))
        self.submitted.append(Submitted(batch, ids, ending))
        return self.submitted[-1]

    async def _ended(self, batch: Batch) -> Batch:
        if batch.ended:
            return batch
        return await self._batches.wait(
            batch.id, self._see, first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE
        )

    def _see(self, batch: Batch) -> None:
        for each in self.submitted:
            if each.batch.id == batch.id:
                each.batch = batch
        self._seen()

    async def answers(self, submitted: Submitted) -> AsyncIterator[list[BatchAnswer]]:
        """What came of a batch, in groups; waits until it has ended.

        Raises:
            BadResponse: after the last one, where lines of a file are no answers.
            ChatError: the server refused it as a whole, or cannot be asked.
        """
        submitted.batch = await submitted.ending
        submitted.paths = submitted.paths or await self._fetched(submitted.batch)
        answers = self._batches.answers(submitted.paths)
        while group := await asyncio.to_thread(lambda: list(islice(answers, GROUP))):
            yield group

    async def _fetched(self, batch: Batch) -> list[Path]:
        try:
            return await self._batches.fetch(batch, self._folder)
        except NotFound:  # its files are gone, after thirty days or by hand
            return []

    def forget(self, submitted: Submitted) -> None:
        """Thinks no more of a batch of which everything was taken."""
        self.submitted.remove(submitted)
        submitted.paths = _removed(submitted.paths)

    async def close(self) -> None:
        """Looks no more; the batches go on."""
        endings = [each.ending for each in self.submitted]
        for ending in endings:
            ending.cancel()
        await asyncio.gather(*endings, return_exceptions=True)


def _ids_in(paths: Sequence[Path]) -> set[str]:
    ids: set[str] = set()
    for path in paths:
        with path.open("rb") as lines:
            ids |= {str(json.loads(line)["custom_id"]) for line in lines if line.strip()}
    return ids


def _removed(paths: Sequence[Path]) -> list[Path]:
    for path in paths:
        path.unlink()
    return []
