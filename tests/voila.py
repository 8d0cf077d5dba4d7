"""Real Voilà and a real Chromium: one notebook with the panel, as a visitor sees it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Locator, Page, expect
from typing_extensions import Self

from tests.chromium import chromium, patient
from tests.closing import Closing
from tests.lab import HERE
from tests.notebook_server import program, write_notebook

EXTENSIONS = (
    "anywidget",
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
)
TEMPLATE_LINKS = re.compile(
    r"https://[\w.]+/npm/@fortawesome/fontawesome-free@(?:\^|%5E)5/css/(all|v4-shims)\.min\.css"
)
"""What Voilà's own template asks another host for; the page does without."""
REFUSED = "Failed to load resource: net::ERR_FAILED"


class Voila(Closing):
    """A Voilà server of its own home, serving one notebook.

    Args:
        folder: for the notebook and the home.
        cell: the notebook's code.
        environment: variables for the kernels, such as CHAT_MAGICS_BASE_URL.
    """

    def __init__(self, folder: Path, cell: str, **environment: str) -> None:
        self.folder = folder
        self._cell = cell
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        home = folder / "home"
        self._environment = {
            **os.environ,
            "HOME": str(home),
            "CHAT_MAGICS_HOME": str(home / "chat_magics"),
            **environment,
        }

    def __enter__(self) -> Self:
        write_notebook(self.folder / "panel.ipynb", self._cell)
        command = [*program("voila"), str(self.folder / "panel.ipynb"), "--no-browser"]
        command += [f"--port={self._port}", "--Voila.port_retries=0"]
        command += [f"--VoilaConfiguration.extension_allowlist={list(EXTENSIONS)!r}"]
        self._log = (self.folder / "voila.log").open("w")
        self._process = subprocess.Popen(
            command,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait_until_it_answers()
        return self

    def close(self) -> None:
        """Ends it, and its kernels."""
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=240)
        self._log.close()

    @property
    def url(self) -> str:
        """Where the notebook is."""
        return f"http://127.0.0.1:{self._port}/"

    @property
    def log(self) -> str:
        """What the server and its kernels have printed."""
        return (self.folder / "voila.log").read_text()

    def _wait_until_it_answers(self) -> None:
        while True:
            assert self._process.poll() is None, self.log
            try:
                # Not the notebook itself, which would start a kernel.
                urlopen(f"{self.url}voila/static/voila.js", timeout=1).close()
            except (URLError, OSError):
                continue
            return


@dataclass
class Visit:
    """The page of a visitor, with what it complained of, whom it asked, and its sockets."""

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)

    @property
    def box(self) -> Locator:
        """Where prompts are typed."""
        return self.page.get_by_role("textbox", name="Message")

    @property
    def last(self) -> Locator:
        """The last row."""
        return self.page.locator(".ct-rows > .ct-row").last

    def ask(self, prompt: str, *, until: str = "complete") -> Locator:
        """Asks, and waits until the new row is in a state; gives the row."""
        rows = self.page.locator(".ct-rows > .ct-row")
        row = rows.nth(rows.count())
        self.box.fill(prompt)
        self.box.press("Enter")
        expect(row).to_have_attribute("data-state", until, timeout=240_000)
        return row

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """What JavaScript in the page gives."""
        return self.page.evaluate(script, argument)


@contextmanager
def visited(voila: Voila, *, width: int = 1180, height: int = 900) -> Iterator[Visit]:
    """A visit in a new browser, the panel on screen.

    Args:
        voila: whose page.
        width: of the page, in pixels.
        height: of the page, in pixels.
    """
    with chromium() as browser:
        page = patient(browser.new_page(viewport={"width": width, "height": height}))
        visit = Visit(page)
        page.route(TEMPLATE_LINKS, lambda route: route.abort())
        page.on("console", lambda m: visit.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on("request", lambda r: None if _known(r.url) else visit.outside.append(r.url))
        page.on("websocket", lambda socket: visit.sockets.append(socket.url))
        page.goto(voila.url)
        visit.box.wait_for(timeout=240_000)
        visit.errors[:] = [error for error in visit.errors if error != REFUSED]
        yield visit
        browser.close()


def _known(url: str) -> bool:
    return bool(HERE.match(url) or TEMPLATE_LINKS.fullmatch(url))
