"""BatchApi: the calls of the Files and Batches API, each one HTTP request or a few."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadResponse
from .batch_files import BatchFile
from .batch_state import LABEL, Batch, batch_told

if TYPE_CHECKING:
    from .transport import Transport

__all__ = ["BatchApi"]

_UPLOAD_SECONDS = 900.0
"""Nothing is heard from a server while 200 MB go out to it."""
_KEPT_DAYS = 31
"""Servers keep files and batches for thirty days."""


class BatchApi:
    """The calls at one server; each raises a ChatError where it fails.

    Args:
        transport: the way to it.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._host = transport.host

    async def upload(self, file: BatchFile) -> str:
        """The server's id of the file, uploaded."""
        with file.path.open("rb") as content:
            given = (file.path.name, content, "application/jsonl")
            uploaded = await self._transport.call(
                lambda api, headers: api.files.create(
                    file=given, purpose="batch", extra_headers=headers, timeout=_UPLOAD_SECONDS
                )
            )
        id = getattr(uploaded, "id", None)
        if not isinstance(id, str) or not id:
            raise BadResponse(f"{self._host} answers, but not with an uploaded file")
        return id

    async def create(self, uploaded: str, endpoint: Any, label: str) -> Batch:
        """A new batch of an uploaded file."""
        return self._batch(
            await self._transport.call(
                lambda api, headers: api.batches.create(
                    input_file_id=uploaded,
                    endpoint=endpoint,
                    completion_window="24h",
                    metadata={LABEL: label},
                    extra_headers=headers,
                )
            )
        )

    async def state(self, id: str) -> Batch:
        """How a batch stands."""
        return self._batch(
            await self._transport.call(
                lambda api, headers: api.batches.retrieve(id, extra_headers=headers)
            )
        )

    async def cancel(self, id: str) -> Batch:
        """How a batch stands that the server is to stop."""
        return self._batch(
            await self._transport.call(
                lambda api, headers: api.batches.cancel(id, extra_headers=headers)
            )
        )

    async def all(self) -> AsyncIterator[Batch]:
        """The batches of the last month, the newest first."""
        oldest = datetime.now(timezone.utc) - timedelta(days=_KEPT_DAYS)
        query: dict[str, str] = {}
        while True:
            page = await self._page(query)
            batches = [self._batch(each) for each in getattr(page, "data", None) or ()]
            for batch in batches:
                if batch.created and batch.created < oldest:
                    return
                yield batch
            if not batches or not getattr(page, "has_more", False):
                return
            query = {"after": batches[-1].id}

    async def _page(self, query: dict[str, str]) -> Any:
        async def listed(api: Any, headers: dict[str, Any]) -> Any:
            return await api.batches.list(limit=100, extra_headers=headers, **query)

        return await self._transport.call(listed)

    async def download(self, file: str, path: Path) -> None:
        """Writes a file of the server to this path, over what a broken try left there."""

        async def download(api: Any, headers: dict[str, Any]) -> None:
            content = api.files.with_streaming_response.content(file, extra_headers=headers)
            async with content as response:
                with path.open("wb") as out:
                    async for data in response.iter_bytes():
                        out.write(data)

        await self._transport.call(download)

    async def remove(self, file: str) -> None:
        """Deletes a file of the server."""
        await self._transport.call(
            lambda api, headers: api.files.delete(file, extra_headers=headers)
        )

    def _batch(self, told: Any) -> Batch:
        return batch_told(told, self._host)
