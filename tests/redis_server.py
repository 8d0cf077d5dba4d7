"""A private Redis server on loopback, made for the tests; black holes; clocks set apart."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.closing import Closing

__all__ = [
    "HIDDEN",
    "INSTALL",
    "NEEDS_REDIS",
    "UNHURRIED",
    "UNHURRIED_PROGRAM",
    "RedisServer",
    "Trickle",
    "clock",
    "installed",
]

INSTALL = "needs Redis, and a clock to set: apt-get install redis-server faketime"

HIDDEN = "a-password-to-hide"

UNHURRIED = (
    "import chat_magics.redis_link as link;"
    "link._SOCKET_SECONDS = link._CALL_SECONDS = link._REQUEST_SECONDS = 20.0"
)
"""For a process to which a machine that is busy for 0.2 s is no fault of Redis."""

UNHURRIED_PROGRAM = (
    sys.executable,
    "-c",
    f"{UNHURRIED}; import sys; from chat_magics.cli import main; sys.exit(main())",
)
"""`chat-magics`, likewise."""


def _faketime() -> Path | None:
    """The library that shows a program another time; None where there is none."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def installed() -> bool:
    """True where all is there that the tests marked redis need."""
    return bool(shutil.which("redis-server")) and _faketime() is not None


NEEDS_REDIS = (pytest.mark.redis, pytest.mark.skipif(not installed(), reason=INSTALL))


def clock(setting: str) -> dict[str, str]:
    """Variables of a process whose clock is set so, such as `+90s`; it must not `time.sleep`."""
    library = _faketime()
    assert library, INSTALL
    return {"LD_PRELOAD": str(library), "FAKETIME": setting, "DONT_FAKE_MONOTONIC": "1"}


class RedisServer(Closing):
    """Starts with the `with` block, and ends with it; what it holds it holds in memory alone.

    Args:
        environment: variables of the server, such as `clock` gives.
    """

    def __init__(self, **environment: str) -> None:
        self._environment = {**os.environ, **environment}

    def __enter__(self) -> RedisServer:
        assert shutil.which("redis-server"), INSTALL
        self._folder = Path(tempfile.mkdtemp(prefix="redis"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://:{HIDDEN}@127.0.0.1:{self.port}/0"
        self.start()
        return self

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        options |= {"requirepass": HIDDEN, "dir": str(self._folder)}
        command = ["redis-server", *(part for name in options for part in _option(name, options))]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log)
        try:
            self.until(lambda: bool(self.client().ping()))
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the server at once, and all that it held."""
        self._process.kill()
        self._process.wait()

    def hold(self) -> None:
        """Let it take connections and answer none: a black hole."""
        self._process.send_signal(signal.SIGSTOP)

    def let_go(self) -> None:
        """Let it answer again."""
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> Any:
        """A client of the tests' own, patient."""
        import redis

        return redis.Redis.from_url(self.url, socket_timeout=240)

    def held(self) -> list[str]:
        """All keys there are; a SCAN may name one twice."""
        return sorted(key.decode() for key in set(self.client().scan_iter()))

    def until(self, condition: Callable[[], bool], timeout: float = 240.0) -> None:
        """Waits until a condition holds; one that fails does not."""
        import redis

        deadline = time.monotonic() + timeout
        while True:
            try:
                if condition():
                    return
            except redis.RedisError:
                pass
            assert time.monotonic() < deadline, f"not within {timeout:g} s"
            time.sleep(0.02)


class Trickle(Closing):
    """Takes connections and answers a byte now and then, so that no single wait is long."""

    def __enter__(self) -> Trickle:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        self.taken = 0
        self._ended = threading.Event()
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def close(self) -> None:
        """Ends it, and the connections."""
        self._ended.set()
        self._listening.close()

    def _take(self) -> None:
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            self.taken += 1
            threading.Thread(target=self._trickle, args=(taken,), daemon=True).start()

    def _trickle(self, taken: socket.socket) -> None:
        with taken:
            try:
                while not self._ended.wait(0.1):
                    taken.sendall(b"+")
            except OSError:
                return  # who asked has given up


def _option(name: str, options: dict[str, str]) -> tuple[str, str]:
    return f"--{name}", options[name]
