"""One HTTP/1.1 connection of the tests' server: reads requests, sends answers with their faults."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from tests.chat_server_answers import Recorded, Reply, Status
from tests.chat_server_shapes import Parts, error_body

__all__ = ["Connection", "Gone", "Left"]

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class Left(Exception):
    """The client closed the connection in mid-answer."""


class Gone(Exception):
    """This answer ends by closing the connection."""


class Connection(asyncio.StreamReaderProtocol):
    """A connection that knows at once when its client leaves, also while it is being answered."""

    def __init__(self, serve: Callable[[Connection], Awaitable[None]]) -> None:
        super().__init__(asyncio.StreamReader(limit=2**26), self._connected)
        self._serve = serve
        self.left = asyncio.Event()
        self.number = 0

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        writer.transport.set_write_buffer_limits(0)
        await self._serve(self)

    def eof_received(self) -> bool | None:
        self.left.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.left.set()
        super().connection_lost(exc)

    async def head(self) -> tuple[str, str, dict[str, str]] | None:
        """Method, path and headers of the next request; None where the client closed."""
        try:
            raw = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ")
        path = re.sub("^http://[^/]+", "", path)  # as a proxy is asked, which this may stand for
        pairs = (line.partition(":") for line in lines)
        return method, path, {name.lower(): value.strip() for name, _, value in pairs}

    async def body(self, headers: Mapping[str, str]) -> bytes:
        """The request's body."""
        return await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def send_json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with one JSON body."""
        await self.send(json.dumps(value).encode(), status, {**JSON, **(headers or {})})

    async def send_status(self, answer: Status, headers: Mapping[str, str]) -> None:
        """Answer with an error."""
        more = {**headers, **answer.headers}
        if isinstance(answer.body, str):
            plain = {"content-type": "text/plain", **more}
            await self.send(answer.body.encode(), answer.code, plain)
        else:
            body = error_body(answer.code) if answer.body is None else answer.body
            await self.send_json(body, answer.code, more)

    async def send(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        """Answer with a body of known length."""
        await self._head(status, {**headers, "content-length": str(len(body))})
        await self._write(body)

    async def stream(
        self, reply: Reply, parts: Parts, hold: Callable[[], Awaitable[None]], request_id: str
    ) -> None:
        """Stream a reply's events; `hold` is awaited where the reply stalls."""
        await self._head(200, {**SSE, "x-request-id": request_id, **reply.headers}, chunked=True)

        async def event(text: str) -> None:
            text = f": keep-alive\n\n{text}" if reply.comments else text
            text = text.replace("\n", "\r\n") if reply.crlf else text
            await self._chunk(text.encode(), reply.split_bytes)

        for text in parts.opening:
            await event(text)
        for number, text in enumerate([*parts.pieces, ""]):
            if number == reply.stall_after:
                await hold()
            if number == reply.cut_after:
                raise Gone
            if number == reply.end_after:
                return await self._end()
            if number == reply.error_after:
                await event(f"data: {json.dumps(error_body(500))}\n\n")
                return await self._end()
            if number == reply.malformed_after:
                await event('data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"con\n\n')
            if text:
                await self.pause(reply.delay_between if number else 0.0)
                await event(text)
        for text in parts.closing:
            await event(text)
        return await self._end()

    async def replay(self, answer: Recorded, request_id: str) -> None:
        """Stream recorded bytes."""
        headers = {**SSE, "x-request-id": request_id, **answer.headers}
        await self._head(answer.status, headers, chunked=True)
        await self._chunk(answer.path.read_bytes(), answer.split_bytes)
        await self._end()

    async def cut_body(self, request_id: str) -> None:
        """Announce a body and close within it."""
        await self._head(200, {**JSON, "content-length": "1000", "x-request-id": request_id})
        await self._write(b'{"id": "chatcmpl-1", "choi')
        raise Gone

    async def pause(self, seconds: float) -> None:
        """Wait, unless the client leaves."""
        if seconds > 0:
            await self.until_left(asyncio.sleep(seconds))

    async def until_left(self, waited: Awaitable[Any]) -> None:
        """Wait for something, or raise Left as soon as the client has closed."""
        waiting = asyncio.ensure_future(waited)
        leaving = asyncio.ensure_future(self.left.wait())
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            leaving.cancel()
        if self.left.is_set():
            raise Left

    def reset(self) -> None:
        """Close with RST."""
        linger = struct.pack("ii", 1, 0)
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def _head(self, status: int, headers: Mapping[str, str], chunked: bool = False) -> None:
        framing = {"transfer-encoding": "chunked"} if chunked else {}
        lines = [f"{name}: {value}" for name, value in {**headers, **framing}.items()]
        first = f"HTTP/1.1 {status} {_phrase(status)}"
        await self._write("\r\n".join([first, *lines, "", ""]).encode("latin-1"))

    async def _chunk(self, data: bytes, split: int | None) -> None:
        size = split or max(len(data), 1)
        for start in range(0, len(data), size):
            part = data[start : start + size]
            await self._write(b"%x\r\n%b\r\n" % (len(part), part))

    async def _end(self) -> None:
        try:
            await self._write(b"0\r\n\r\n")
        except Left:
            raise Gone from None  # it had all it needs

    async def _write(self, data: bytes) -> None:
        if self.left.is_set():
            raise Left
        self.writer.write(data)
        try:
            await self.writer.drain()
        except ConnectionError:
            raise Left from None
        await asyncio.sleep(0)  # lets the loop see that the client left


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
