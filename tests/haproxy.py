"""haproxy in front of several servers, with the configuration that docs/replicas.md shows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from tests.app_page import free_port
from tests.app_server import AppServer
from tests.chat_server import ChatServer
from tests.closing import Closing

__all__ = ["INSTALL", "HaProxy", "Replicas", "program", "replicas"]

INSTALL = "needs haproxy: apt-get install haproxy"
PAGE = Path(__file__).parent.parent / "docs" / "replicas.md"


def program() -> str | None:
    """Where it is; root's PATH alone has Debian's."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


class HaProxy(Closing):
    """A running haproxy.

    Args:
        folder: for its configuration.
        ports: of the three servers behind it.
    """

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        block = re.search(r"^```text\n(defaults\n.*?)^```$", PAGE.read_text(), re.M | re.S)
        assert block is not None
        shown = block[1].replace("bind :8080", f"bind 127.0.0.1:{self._port}")
        addresses = iter(ports)
        shown = re.sub(r"10\.0\.0\.\d:8866", lambda _: f"127.0.0.1:{next(addresses)}", shown)
        assert next(addresses, None) is None
        self._file = folder / "haproxy.cfg"
        self._file.write_text(shown)

    def __enter__(self) -> HaProxy:
        command = [program() or "", "-db", "-f", str(self._file)]
        checked = subprocess.run([*command, "-c"], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        assert "WARNING" not in checked.stderr, checked.stderr
        self._process = subprocess.Popen(command, stdout=sys.stderr)
        self.until_ready()
        return self

    def until_ready(self, seconds: float = 120) -> None:
        """Waits until a server behind it can be used."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            assert time.monotonic() < deadline, "no server behind haproxy is ready"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            build_opener(ProxyHandler({})).open(f"{self.url}healthz", timeout=10).close()
        except (HTTPError, URLError, OSError):
            return False
        return True

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()


class Replicas(NamedTuple):
    """Three servers that are one app."""

    servers: list[AppServer]
    proxy: HaProxy


@contextmanager
def replicas(
    folder: Path,
    model: ChatServer,
    history: str,
    program: tuple[str, ...] = (sys.executable, "-m", "chat_magics"),
    **settings: Any,
) -> Iterator[Replicas]:
    """Three servers behind haproxy, each with a home of its own, as on three machines.

    Args:
        folder: for their homes.
        model: the server of the model.
        history: URL of their database.
        program: `chat-magics`.
        settings: further ones, without `CHAT_MAGICS_`.
    """
    secret = folder / "secret"
    secret.write_text("signs the cookies of all three")
    given = {
        "BASE_URL": model.url,
        "MODEL": "test-model",
        "CACHE": "0",
        "HISTORY": history,
        "REQUESTS_PER_MINUTE": "100000",
        "REQUESTS_PER_MINUTE_PER_ADDRESS": "100000",
        "SERVE_PAGE_LOADS_PER_MINUTE": "1000",
        **settings,
    }
    told = {f"CHAT_MAGICS_{name}": value for name, value in given.items()}
    with ExitStack() as stack:
        servers = []
        for name in ("one", "two", "three"):
            own = folder / name
            own.mkdir()
            port = ("--port", str(free_port()), "--preheated", "0")
            shared = ("--cookie-secret-file", str(secret))
            servers.append(AppServer(own, *port, *shared, program=program, **told))
        with ThreadPoolExecutor() as side_by_side:
            list(side_by_side.map(AppServer.start, servers))
        for server in servers:
            stack.push(server)
        for server in servers:  # haproxy takes those for well that it has not looked at yet
            server.until(server.is_ready)
        ports = [int(urlsplit(server.url).port or 0) for server in servers]
        yield Replicas(servers, stack.enter_context(HaProxy(folder, ports)))
        assert "Traceback" not in "".join(server.log for server in servers)
