"""Batches: the Batch API of a server: many requests at half the price, answered within a day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..config import ChatConfig, Sourced
from ..errors import ChatError, InvalidRequest, NotFound
from ..messages import ChatRequest
from ..retry import RetryPolicy
from .batch_api import BatchApi
from .batch_files import BatchAnswer, BatchFile, answers_in, request_files
from .batch_state import Batch
from .direct import Answered, refusal
from .events import Emit, Waiting, ignored

if TYPE_CHECKING:
    from .servers import Servers
    from .transport import Transport

__all__ = ["Batches"]

T = TypeVar("T")

_GROWTH = 1.5


class Batches:
    """The Batch API of one server, with the settings that were in force when it was made.

    All that is needed later is a batch's id: another process, or another day, waits for it and
    fetches what came.

    Args:
        servers: the ways to the servers.
        config: the settings in force.
        sources: where they came from.
        body: gives what is sent of a request besides model and messages, named as the server
            takes it.
    """

    def __init__(
        self,
        servers: Servers,
        config: ChatConfig,
        sources: Sourced,
        body: Callable[[ChatRequest], dict[str, Any]],
    ) -> None:
        self._servers = servers
        self._config = config
        self._sources = sources
        self._body = body

    def files(
        self, requests: Iterable[tuple[str, ChatRequest]], folder: Path, **limits: int
    ) -> Iterator[BatchFile]:
        """Writes requests into files for one batch each; give each to `submit`, then remove it.

        Args:
            requests: each with an id of its own of at most 64 characters, such as its key; all
                for one model.
            folder: where the files are made.
            limits: `most_requests` and `most_bytes` of a file, where they are not OpenAI's.

        Raises:
            InvalidRequest: one is too long for any file, two have one id, or they differ in model.
        """
        return request_files(requests, self._body, folder, **limits)

    async def submit(self, file: BatchFile, label: str = "", emit: Emit = ignored) -> Batch:
        """Uploads a file of requests and has the server begin.

        A batch whose making was not confirmed is looked for before another is made.

        Args:
            file: as `files` wrote it.
            label: by which `listed` finds the batch, such as the id of a run.
            emit: told of each wait before the server is asked again.

        Raises:
            ChatError: the server does not take it; see the tree in `chat_magics.errors`.
        """
        with self._expected_there():
            uploaded = await self._retried(lambda api: api.upload(file), emit)
        tried = False

        async def create(api: BatchApi) -> Batch:
            nonlocal tried
            made = (
                [each async for each in api.all() if each.input_file == uploaded] if tried else []
            )
            tried = True
            return made[0] if made else await api.create(uploaded, file.endpoint, label)

        return await self._retried(create, emit)

    async def state(self, id: str, emit: Emit = ignored) -> Batch:
        """How a batch stands now.

        Raises:
            NotFound: the server does not know it.
            ChatError: the server cannot be asked.
        """
        return await self._retried(lambda api: api.state(id), emit)

    async def wait(
        self,
        id: str,
        told: Callable[[Batch], object] | None = None,
        emit: Emit = ignored,
        *,
        first_pause: float = 5.0,
        longest_pause: float = 60.0,
        patience: float = 3600.0,
    ) -> Batch:
        """How a batch stands once it has ended; cancelling this leaves the batch as it is.

        Args:
            id: of the batch.
            told: called with each state that was seen.
            emit: told of each time the server could not be asked.
            first_pause: seconds until the server is asked again; each next one is half as long
                again.
            longest_pause: seconds.
            patience: seconds without a word from the server until its failure is raised.

        Raises:
            ChatError: the server does not know the batch, or fails for longer than `patience`.
        """
        pause, heard = first_pause, time.monotonic()
        while True:
            try:
                batch = await self._api().state(id)
            except ChatError as error:
                wait = max(pause, error.retry_after or 0.0)
                if not error.transient or time.monotonic() - heard + wait > patience:
                    raise
                emit(Waiting(str(error), wait))
            else:
                heard, wait = time.monotonic(), pause
                if told:
                    told(batch)
                if batch.ended:
                    return batch
            await asyncio.sleep(wait)
            pause = min(pause * _GROWTH, max(longest_pause, first_pause))

    async def fetch(self, batch: Batch, folder: Path, emit: Emit = ignored) -> list[Path]:
        """Downloads the answers and the errors of a batch; give the files to `answers`.

        Args:
            batch: that has ended.
            folder: where the files are written.
            emit: told of each wait before the server is asked again.

        Raises:
            InvalidRequest: the server refused the batch as a whole, and says why.
            ChatError: the server cannot be asked, or has the files no longer.
        """
        if batch.status == "failed" and not batch.files:
            why = "; ".join(batch.problems[:3]) or "no reason given"
            raise self._transport().told(
                InvalidRequest(f"{self._config.host} refused the batch {batch.id}: {why}")
            )
        paths: list[Path] = []
        for file in batch.files:
            path = folder / f"{batch.id}-{len(paths)}.jsonl"
            await self._retried(partial(BatchApi.download, file=file, path=path), emit)
            paths.append(path)
        return paths

    def answers(self, paths: Iterable[Path]) -> Iterator[BatchAnswer]:
        """The answers in files that were fetched, one at a time in memory.

        Requests that the server did not come to are either among them, with a transient error, or
        they are not there at all.

        Raises:
            BadResponse: after the last one, where lines of a file are no answers.
        """
        for path in paths:
            yield from answers_in(path, self._tell)

    async def cancel(self, id: str, emit: Emit = ignored) -> Batch:
        """Has the server stop; what it has answered by then is kept and can be fetched.

        Raises:
            ChatError: the batch has ended already, or the server cannot be asked.
        """

        return await self._retried(lambda api: api.cancel(id), emit)

    async def listed(self, label: str | None = None, emit: Emit = ignored) -> list[Batch]:
        """The batches that the server still has the files of, the newest first.

        Args:
            label: those that were submitted with it; None for all.
            emit: told of each wait before the server is asked again.

        Raises:
            ChatError: the server cannot be asked.
        """

        async def gather(api: BatchApi) -> list[Batch]:
            return [each async for each in api.all()]

        with self._expected_there():
            batches = await self._retried(gather, emit)
        return [batch for batch in batches if label is None or batch.label == label]

    async def remove_files(self, batch: Batch, emit: Emit = ignored) -> None:
        """Deletes the files of a batch at the server, which else keeps them for thirty days.

        Raises:
            ChatError: the server cannot be asked.
        """
        for file in (batch.input_file, *batch.files):
            if not file:
                continue
            try:
                await self._retried(partial(BatchApi.remove, file=file), emit)
            except NotFound:
                continue

    def _transport(self) -> Transport:
        return self._servers.transport(self._config, self._sources)

    @contextmanager
    def _expected_there(self) -> Iterator[None]:
        try:
            yield
        except NotFound as error:
            host = self._config.host
            error.restate(f"{host} has no Files and Batches API: choose another engine")
            raise

    def _api(self) -> BatchApi:
        return BatchApi(self._transport())

    async def _retried(self, asking: Callable[[BatchApi], Awaitable[T]], emit: Emit) -> T:
        """Asks as often as the settings allow."""
        config = self._config
        policy = RetryPolicy(config.max_attempts, config.max_retry_seconds, config.max_wait)

        def announce(error: ChatError, wait: float, attempt: int) -> None:
            emit(Waiting(str(error), wait, attempt, config.max_attempts))

        return await policy.asked(lambda: asking(self._api()), announce)

    def _tell(self, told: Answered | ChatError) -> ChatError:
        from .transport import HTTP  # imports openai

        failure = told if isinstance(told, ChatError) else refusal(told, HTTP)
        return self._transport().told(failure)
