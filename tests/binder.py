"""What Binder does with this repository, on this machine and without a container."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

from typing_extensions import Self

from tests.closing import Closing

__all__ = ["ROOT", "Started", "copy_of_the_repository"]

ROOT = Path(__file__).parent.parent
TOKEN = "token-of-binderhub"


def copy_of_the_repository(folder: Path) -> Path:
    """What a clone of it has: all but what .gitignore names."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    names = [Path(each).name for each in ignored if each]
    return Path(shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", *names)))


class Started(Closing):
    """JupyterLab by `binder/start`, under a path and with a token as BinderHub gives them.

    Args:
        repository: its working folder.
        python: of the environment that the image would have.
        environment: variables of the container.
    """

    def __init__(self, repository: Path, python: Path, **environment: str) -> None:
        self._repository = repository
        programs = str(python.parent)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([programs, os.environ["PATH"]]),
            **environment,
        }
        self._cookies = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self._cookies))

    def __enter__(self) -> Self:
        command = ["./binder/start", "jupyter", "lab", "--ip=127.0.0.1", f"--port={self._port}"]
        command += ["--no-browser", "--ServerApp.base_url=/user/somebody/", "--allow-root"]
        command += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
        self._log = (self._repository / "binder.log").open("w")
        self._process = subprocess.Popen(
            command,
            cwd=self._repository,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while not self._answers():
            assert self._process.poll() is None, self.log
        return self

    def close(self) -> None:
        """Ends it, and its kernels."""
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=240)
        self._log.close()

    @property
    def log(self) -> str:
        """What the server and its kernels have printed."""
        return (self._repository / "binder.log").read_text()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}/user/somebody/"

    def get(self, path: str) -> str:
        """What a browser is given that keeps its cookies, as after a badge was followed."""
        with self._opener.open(self.signed_in(path), timeout=120) as answer:
            found: bytes = answer.read()
            return found.decode()

    def signed_in(self, path: str) -> str:
        """The URL that a badge leads to in the end."""
        return f"{self.url}{path}?token={TOKEN}"

    def end(self, kernel: str) -> None:
        """Ends a kernel as its page does when it is closed."""
        found = {cookie.name: cookie.value for cookie in self._cookies if "user" in cookie.path}
        form = urlencode({"_xsrf": found["_xsrf"]}).encode()
        self._opener.open(f"{self.url}voila/api/shutdown/{kernel}", form, timeout=240).close()

    def _answers(self) -> bool:
        try:
            self._opener.open(f"{self.url}api", timeout=1).close()
        except HTTPError:
            return True
        except (URLError, OSError):
            return False
        return True
