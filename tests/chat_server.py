"""The tests' model server: real HTTP on loopback, answering and failing as each test says.

It owns one thread with one asyncio loop. Tests read what it counted (`requests`, `connections`,
`disconnects`, `violations`) and wait for a condition with `until`; they never sleep. A request
that OpenAI's own types do not allow is refused with 400 and noted in `violations`.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from typing_extensions import Self

from tests.chat_server_answers import (
    Answer,
    Hang,
    Html,
    Json,
    Recorded,
    Reply,
    Request,
    Reset,
    Scripted,
    Status,
)
from tests.chat_server_check import CHAT, RESPONSES, prepare, violation
from tests.chat_server_shapes import error_body, streamed, whole
from tests.chat_server_wire import Connection, Gone, Left
from tests.closing import Closing

__all__ = [
    "Answer",
    "ChatServer",
    "Hang",
    "Html",
    "Json",
    "Recorded",
    "Reply",
    "Request",
    "Reset",
    "Status",
]

PAGE = "<!DOCTYPE html><html><title>Sign in</title><body><h1>Welcome to the network</h1></html>"


class ChatServer(Closing):
    """An OpenAI-compatible server that answers what it is told.

    Args:
        models: the models that GET /v1/models lists; any model may be asked.

    Example:
        >>> with ChatServer() as server:
        ...     server.script(Status(429, headers={"retry-after": "1"}), Reply("after all"))
        ...     server.url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(self, *models: str) -> None:
        self.models = list(models or ("test-model",))
        self.models_answer: Answer | None = None
        self.default: Scripted = Reply()
        self.others: Callable[[Request], Answer | None] = lambda _: None
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.connections = 0
        self.disconnects = 0
        self.held = 0
        self._scripted: deque[Scripted] = deque()
        self._changed = threading.Condition()
        self._open: dict[asyncio.Task[Any], Connection] = {}

    def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        prepare()
        started = threading.Event()
        run = self._run(started)
        self._thread = threading.Thread(target=asyncio.run, args=(run,), name="chat-server")
        self._thread.start()
        assert started.wait(10), "the test server did not start"
        return self

    def close(self) -> None:
        """Break all connections and stop; what hangs or stalls ends. Once more does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def script(self, *answers: Scripted) -> None:
        """Queue answers, one per request; after the last one comes `default` again."""
        self._scripted.extend(answers)

    @property
    def posts(self) -> list[Request]:
        """The requests for a reply, that is without those for the list of models."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def bodies(self) -> list[Any]:
        """The JSON bodies of `posts`."""
        return [request.body for request in self.posts]

    def release(self) -> None:
        """Let all answers that now stall or hang go on."""
        self._loop.call_soon_threadsafe(self._release)

    def until(self, condition: Callable[[], bool], timeout: float = 240.0) -> None:
        """Wait until something is true of this server; AssertionError after `timeout` seconds.

        The condition is looked at whenever a counter of the server changes.
        """
        with self._changed:
            assert self._changed.wait_for(condition, timeout), (
                f"not within {timeout} s: {len(self.requests)} requests, {self.held} held, "
                f"{self.connections} connections, {self.disconnects} disconnects"
            )

    async def _run(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping, self._released = asyncio.Event(), asyncio.Event()
        listening = await self._loop.create_server(lambda: Connection(self._serve), "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        started.set()
        await self._stopping.wait()
        listening.close()
        tasks = list(self._open)
        for connection in self._open.values():
            connection.writer.transport.abort()
        await asyncio.gather(*tasks)

    def _count(self, **more: int) -> None:
        with self._changed:
            for name, number in more.items():
                setattr(self, name, getattr(self, name) + number)
            self._changed.notify_all()

    def _release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    async def _serve(self, connection: Connection) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = connection
        self._count(connections=1)
        connection.number = self.connections
        try:
            while await self._exchange(connection):
                pass
        except Left:
            if not self._stopping.is_set():
                self._count(disconnects=1)
        except Gone:
            pass  # the answer was to break off here
        except Exception as error:  # noqa: BLE001 - a fault in a test's own script: told at teardown
            self.violations.append(f"the test's server failed: {error!r}")
        finally:
            connection.writer.close()
            del self._open[task]

    async def _exchange(self, connection: Connection) -> bool:
        """One request and its answer; False where there will be no next."""
        head = await connection.head()
        if head is None:
            return False
        method, path, headers = head
        raw = await connection.body(headers)
        fault = violation(path, headers, raw) if path in (CHAT, RESPONSES) else None
        body = _parsed(raw)
        request = Request(method, path, headers, raw, body, time.monotonic(), connection.number)
        self.requests.append(request)
        self._count()
        request_id = f"req_{len(self.requests)}"
        if fault is not None:
            self.violations.append(fault)
            await connection.send_json(error_body(400, f"Refused: {fault}"), 400)
        else:
            await self._answer(connection, request, request_id)
        return headers.get("connection", "").lower() != "close"

    async def _answer(self, connection: Connection, request: Request, request_id: str) -> None:
        if request.path in (CHAT, RESPONSES) and request.method == "POST":
            scripted = self._scripted.popleft() if self._scripted else self.default
            answer = scripted(request) if callable(scripted) else scripted
        elif (other := self.others(request)) is not None:
            answer = other
        elif request.path == "/v1/models":
            listed = [{"id": m, "object": "model", "owned_by": "test"} for m in self.models]
            answer = self.models_answer or Json({"object": "list", "data": listed})
        else:
            answer = Status(404, error_body(404, f"Unknown URL: {request.path}"))
        await self._give(answer, connection, request, request_id)

    async def _give(
        self, answer: Answer, connection: Connection, request: Request, request_id: str
    ) -> None:
        headers = {"x-request-id": request_id}
        if isinstance(answer, Hang):
            await self._hold(connection)
            answer = answer.then
        if isinstance(answer, Reply):
            await self._reply(answer, connection, request, request_id)
        elif isinstance(answer, Status):
            await connection.send_status(answer, headers)
        elif isinstance(answer, Json):
            await connection.send_json(answer.body, answer.status, headers)
        elif isinstance(answer, Html):
            await connection.send(PAGE.encode(), answer.status, {"content-type": "text/html"})
        elif isinstance(answer, Recorded):
            await connection.replay(answer, request_id)
        elif isinstance(answer, Reset):
            connection.reset()
            raise Gone

    async def _reply(
        self, reply: Reply, connection: Connection, request: Request, request_id: str
    ) -> None:
        await connection.pause(reply.delay_before_first)
        if request.body.get("stream"):
            parts = streamed(reply, request)
            await connection.stream(reply, parts, lambda: self._hold(connection), request_id)
            return
        headers = {"x-request-id": request_id, **reply.headers}
        if reply.stall_after is not None:
            await self._hold(connection)
        if reply.cut_after is not None:
            await connection.cut_body(request_id)
        elif reply.malformed_after is not None:
            await connection.send(
                b'{"id": "chatcmpl-1", "choi', 200, {"content-type": "application/json"}
            )
        elif reply.error_after is not None:
            await connection.send_json(error_body(500), 200, headers)
        else:
            await connection.send_json(whole(reply, request), 200, headers)

    async def _hold(self, connection: Connection) -> None:
        self._count(held=1)
        try:
            await connection.until_left(self._released.wait())
        finally:
            self._count(held=-1)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
