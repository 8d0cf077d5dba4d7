"""Redis as a neighbour that may be away: every call has an end, and while it is away none is made.

The first call that fails breaks the circuit: from then on every call fails at once, and a thread
looks again, after ever longer rests, until Redis can be written to. So it costs one request a
moment, and the ones after it nothing. One link serves all parts of a process that use one Redis.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from chat_magics.errors import ConfigError
from chat_magics.interpreter import while_importing
from chat_magics.private_files import PerProcess

if TYPE_CHECKING:
    import redis

__all__ = ["PREFIX", "RedisAway", "RedisLink", "link_to", "patient", "place_of"]

T = TypeVar("T")

PREFIX = "chat_magics:"
"""What all keys of ours begin with."""

_SOCKET_SECONDS = 0.2
"""To connect, and for each answer."""

_CALL_SECONDS = 0.4
"""For a whole call: names are looked up and TLS is agreed upon without regard to the above."""

_REQUEST_SECONDS = 0.45
"""For all calls of one request together."""

_FIRST_REST, _LONGEST_REST = 0.5, 10.0
"""Seconds until Redis is looked for again; each rest is twice the one before."""

_WELL_AFTER = 60.0
"""Seconds after which the rests begin with the first one again."""


class RedisAway(OSError):
    """Redis cannot be used now; the message says where it is and why."""


class _Patience:
    """What is left of the seconds that a request may wait for Redis."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds


_patience: ContextVar[_Patience | None] = ContextVar("redis_patience", default=None)


@contextmanager
def patient() -> Iterator[None]:
    """Within it, on whatever thread, all calls together wait for 0.45 s at most."""
    token = _patience.set(_Patience(_REQUEST_SECONDS))
    try:
        yield
    finally:
        _patience.reset(token)


class RedisLink:
    """One Redis, as one process sees it; any thread may call. Made by `link_to`.

    Args:
        url: with its password, which is shown nowhere.

    Example:
        >>> RedisLink("redis://:hidden@127.0.0.1:1/0").call(lambda client: client.ping())
        Traceback (most recent call last):
        chat_magics.redis_link.RedisAway: Redis at 127.0.0.1:1 ...
    """

    def __init__(self, url: str) -> None:
        self.place = place_of(url)
        self._url = url
        self._lock = threading.Lock()
        self._client: redis.Redis | None = None
        self._trouble: str | None = None
        self._rest = _FIRST_REST
        self._back_since = 0.0
        self._closed = threading.Event()
        self._watchers: list[Callable[[str | None], object]] = []

    @property
    def trouble(self) -> str | None:
        """One line about why it cannot be used now; None where it can, as far as is known."""
        return self._trouble

    def watch(self, told: Callable[[str | None], object]) -> Callable[[], None]:
        """Tells when Redis goes away, with the line about why, and with None when it is back.

        Returns:
            what ends it.
        """
        self._watchers.append(told)

        def end() -> None:
            with suppress(ValueError):
                self._watchers.remove(told)

        return end

    def call(self, action: Callable[[redis.Redis], T]) -> T:
        """What the action gives; blocks for 0.4 s at most, and not at all while Redis is away.

        Raises:
            RedisAway: it is away, or has just turned out to be.
            ConfigError: the package redis is not installed.
        """
        if self._trouble is not None:
            raise RedisAway(self._trouble)
        client, patience = self.client(), _patience.get()
        seconds = min(_CALL_SECONDS, patience.left) if patience else _CALL_SECONDS
        started = time.monotonic()
        try:
            return _within(seconds, partial(action, client))
        except Exception as error:
            why = _why(error)
            if why is None:
                raise  # a mistake of ours
            raise RedisAway(self._break(why)) from None
        finally:
            if patience is not None:
                patience.left -= time.monotonic() - started

    def client(self) -> redis.Redis:
        """The client of redis-py, made at the first use; makes no connection.

        Raises:
            ConfigError: the package redis is not installed.
        """
        with self._lock:
            if self._client is None:
                self._client = _client(self._url)
            return self._client

    def close(self) -> None:
        """Closes the connections, and looks for it no longer."""
        self._closed.set()
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _break(self, why: str) -> str:
        said = f"Redis at {self.place} cannot be used: {why}"
        with self._lock:
            if self._trouble is not None:
                return self._trouble  # another thread found out before
            self._trouble = said
            if time.monotonic() - self._back_since > _WELL_AFTER:
                self._rest = _FIRST_REST
        threading.Thread(target=self._look_again, name="chat_magics-redis", daemon=True).start()
        self._tell(said)
        return said

    def _look_again(self) -> None:
        client = self.client()
        while not self._closed.wait(self._rest):
            self._rest = min(2 * self._rest, _LONGEST_REST)
            try:
                _within(_CALL_SECONDS, partial(_write, client))
            except Exception:  # noqa: BLE001 - whatever it is, it cannot be used yet
                continue
            self._back_since = time.monotonic()
            self._trouble = None
            self._tell(None)
            return

    def _tell(self, trouble: str | None) -> None:
        for told in list(self._watchers):
            told(trouble)


_links: PerProcess[dict[str, RedisLink]]


def link_to(url: str) -> RedisLink:
    """The link of this process to a Redis; the same for all who name it alike."""
    with _links.use() as links:
        if url not in links:
            links[url] = RedisLink(url)
        return links[url]


def _close_all(links: dict[str, RedisLink]) -> None:
    for link in links.values():
        link.close()


_links = PerProcess(dict, _close_all)


def place_of(url: str) -> str:
    """Where it is: what of the address may be shown.

    Example:
        >>> place_of("rediss://me:hidden@cache.example.org:6380/1")
        'cache.example.org:6380'
    """
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or 6379}"


def _client(url: str) -> redis.Redis:
    try:
        with while_importing():
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
    except ImportError:
        raise ConfigError("Redis needs a package: pip install 'chat-magics[redis]'") from None
    return redis.Redis.from_url(
        url,
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_SOCKET_SECONDS,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # the third greets, and subscribes to notices, at each connection
        client_name="chat_magics",
    )


def _within(seconds: float, work: Callable[[], T]) -> T:
    """What the work gives, where it ends in time; else it ends unseen, on its own thread."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it goes to who waits
            done.set_exception(error)

    if seconds <= 0:
        raise NotInTime
    threading.Thread(target=run, name="chat_magics-redis-call", daemon=True).start()
    return done.result(seconds)


def _why(error: Exception) -> str | None:
    """What is wrong with Redis, in a few words; None where it is nothing of Redis'."""
    from redis.exceptions import RedisError
    from redis.exceptions import TimeoutError as NoAnswer

    if isinstance(error, (NotInTime, NoAnswer, TimeoutError)):
        return "it does not answer in time"
    if not isinstance(error, (RedisError, OSError)):
        return None
    below = error.__cause__ or error.__context__
    said = below.strerror if isinstance(below, OSError) else None
    return (said or " ".join(str(error).split()) or type(error).__name__)[:200]


def _write(client: Any) -> None:
    """Fails where nothing can be kept: no memory left, a replica, a disk that is full."""
    client.set(f"{PREFIX}looked-for", b"1", px=10_000)
