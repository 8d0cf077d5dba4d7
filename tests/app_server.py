"""The app as `chat-magics serve` runs it: a process of its own with its own home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from typing_extensions import Self

from tests.closing import Closing

__all__ = ["Answered", "AppServer"]


class Answered(NamedTuple):
    """What the server answered to one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class AppServer(Closing):
    """A running app.

    Args:
        folder: for the home and the log; the working folder of the server.
        arguments: of `chat-magics serve`; a free port is added.
        program: how `chat-magics` is called.
        environment: variables of the server, such as CHAT_MAGICS_BASE_URL.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        program: tuple[str, ...] = (sys.executable, "-m", "chat_magics"),
        **environment: str,
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        given = (*arguments, *(() if "--port" in arguments else ("--port", "0")))
        self._command = [*program, "serve", *given]
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CHAT_MAGICS_", "OPENAI_", "JUPYTER"))
        }
        self.environment = {
            **inherited,
            "HOME": str(folder),
            "CHAT_MAGICS_HOME": str(self.home),
            **environment,
        }
        self.url = ""

    def __enter__(self) -> Self:
        return self.start()

    def start(self) -> Self:
        """Starts it, and waits for the line that says where it is."""
        self._process = subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "app.log").open("a"),
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("The app is at "):
                self.url = line.split()[4]
                break
        else:
            raise AssertionError(f"it did not start:\n{self.log}")
        # Else the pipe fills up, and the server waits.
        threading.Thread(target=self._process.stdout.read, daemon=True).start()
        return self

    def is_ready(self) -> bool:
        """Whether it says that it can be used."""
        return self.get("readyz").status == 200

    def close(self) -> None:
        """Ends it as a person does, by Ctrl-C."""
        self.stop(signal.SIGINT)

    def stop(self, sign: signal.Signals) -> int:
        """Ends it by a signal; its exit status."""
        if self._process.poll() is None:
            os.kill(self._process.pid, sign)
        return self.ended()

    def ended(self) -> int:
        """Its exit status, once it has ended by itself."""
        return self._process.wait(timeout=240)

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server and its kernels have printed."""
        return (self.folder / "app.log").read_text()

    def get(self, path: str, **headers: str) -> Answered:
        """Asks by GET."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answered:
        """Sends JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers.setdefault("Content_Type", "application/json")
        return self.ask("POST", path, data, **headers)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answered:
        """One request; `_` in the name of a header stands for `-`."""
        request = Request(self.url + path.lstrip("/"), body, method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=240) as answer:
                return Answered(answer.status, dict(answer.headers), answer.read())
        except HTTPError as refused:
            return Answered(refused.code, dict(refused.headers), refused.read())

    def until(self, condition: Callable[[], bool], timeout: float = 240.0) -> None:
        """Waits until a condition holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout:g} s:\n{self.log}"
            time.sleep(0.05)

    @property
    def kernels(self) -> int:
        """How many kernels run."""
        count: int = self.get("healthz").json["kernels"]
        return count

    @property
    def sessions(self) -> int:
        """How many pages are open."""
        count: int = self.get("healthz").json["sessions"]
        return count
