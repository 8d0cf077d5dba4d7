"""Starts and stops the demo server: a thread with its own loop, or the caller's own thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from typing_extensions import Self

from ..errors import ConfigError

if TYPE_CHECKING:
    from .handlers import Activity

__all__ = ["DemoServer", "serve"]

SPEED = 60.0


class DemoServer:
    """The built-in demo model as an OpenAI-compatible server on a thread of its own.

    It needs no key and no network, and says in each reply that no language model stands behind it.

    Example:
        >>> with DemoServer() as demo:
        ...     demo.url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._activity: Activity | None = None

    def start(self, port: int = 0, host: str = "127.0.0.1", speed: float = SPEED) -> None:
        """Listen; when this returns, requests are answered.

        Args:
            port: 0 for a free one.
            host: the address to listen on.
            speed: tokens a second of the model `demo`; `demo-slow` always gives 5.

        Raises:
            ConfigError: it runs already, the port cannot be had, or the speed is not above 0.
        """
        if self._thread is not None:
            raise ConfigError(f"the demo server runs already, at {self.url}; stop it first")
        from .handlers import Activity  # imports tornado.web: 100 ms

        listening = _listen(port, host, speed)
        self._url = _url(listening, host)
        self._activity = Activity()
        started = threading.Event()

        async def run(activity: Activity) -> None:
            self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await _serve(listening, speed, activity, self._stopping)

        self._thread = threading.Thread(
            target=lambda activity: asyncio.run(run(activity)),
            args=(self._activity,),
            name="chat-magics-demo",
            daemon=True,
        )
        self._thread.start()
        started.wait()

    def stop(self) -> None:
        """Break off what is being answered and close the port; does nothing where it is stopped."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:8321/v1`.

        Raises:
            ConfigError: the server is not started.
        """
        if self._thread is None:
            raise ConfigError("the demo server is not started: call start() first")
        return self._url

    @property
    def active(self) -> int:
        """How many replies are being written now."""
        return self._activity.replies if self._activity is not None else 0

    def __enter__(self) -> Self:
        if self._thread is None:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve(
    port: int = 0,
    host: str = "127.0.0.1",
    speed: float = SPEED,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the demo model in this thread until it is interrupted.

    Args:
        port: 0 for a free one.
        host: the address to listen on.
        speed: tokens a second of the model `demo`.
        on_ready: called with the base URL as soon as requests are answered.

    Raises:
        ConfigError: the port cannot be had, or the speed is not above 0.
        KeyboardInterrupt: it was interrupted; all connections are closed then.
    """
    from .handlers import Activity  # imports tornado.web: 100 ms

    listening = _listen(port, host, speed)

    async def run() -> None:
        if on_ready is not None:
            on_ready(_url(listening, host))
        await _serve(listening, speed, Activity(), asyncio.Event())

    asyncio.run(run())


def _listen(port: int, host: str, speed: float) -> socket.socket:
    if not speed > 0:
        raise ConfigError(f"speed is {speed}, and must be above 0 tokens a second")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"the demo server cannot listen on {host}:{port} ({reason}); choose another "
            "port, or 0 for a free one"
        ) from None
    listening.setblocking(False)
    return listening


def _url(listening: socket.socket, host: str) -> str:
    port = listening.getsockname()[1]
    shown = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/v1"


async def _serve(
    listening: socket.socket, speed: float, activity: Activity, stopping: asyncio.Event
) -> None:
    from tornado.httpserver import HTTPServer  # costs time, and only a server needs it

    from .handlers import application

    server = HTTPServer(application(speed, activity))
    server.add_socket(listening)
    try:
        await stopping.wait()
    finally:
        server.stop()
        await server.close_all_connections()
