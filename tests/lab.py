"""Real JupyterLab and a real Chromium, as a person would use them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Page, expect
from typing_extensions import Self

from tests.chromium import PATIENCE, chromium, patient
from tests.closing import Closing
from tests.notebook_server import program, write_notebook

HERE = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:")
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
NOTHING_RUNS = (
    "() => document.querySelector('" + IDLE + "') && "
    "![...document.querySelectorAll('.jp-InputPrompt')].some(p => p.innerText.includes('*'))"
)


class Lab(Closing):
    """A JupyterLab server of its own home, serving one folder of notebooks.

    Args:
        folder: for the notebooks and the home.
        environment: variables for the kernels, such as CHAT_MAGICS_BASE_URL.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self._home = folder / "home"
        self._port = _free_port()
        self._environment = {
            **os.environ,
            "HOME": str(self._home),
            "CHAT_MAGICS_HOME": str(self._home / "chat_magics"),
            **environment,
        }

    def __enter__(self) -> Self:
        settings = self._home / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        command = [*program("jupyterlab"), "--no-browser", "--allow-root"]
        command += [
            f"--port={self._port}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
        ]
        self._log = (self.folder / "lab.log").open("w")
        self._process = subprocess.Popen(
            [*command, f"--ServerApp.root_dir={self.folder}"],
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
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:  # it left a thread of anyio behind, which never ends
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            warnings.warn(f"JupyterLab did not end by itself: {self._log.name}", stacklevel=2)
        self._log.close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    def _wait_until_it_answers(self) -> None:
        while True:
            assert self._process.poll() is None, (self.folder / "lab.log").read_text()
            try:
                urlopen(f"{self.url}/api", timeout=1).close()
            except (URLError, OSError):
                continue
            return

    def use_dark_theme(self) -> None:
        """Chooses the dark theme, as a person does in the settings."""
        settings = self._home / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
        (settings / "themes.jupyterlab-settings").write_text('{"theme": "JupyterLab Dark"}')

    def write(self, name: str, *cells: str) -> None:
        """Puts a notebook with these code cells into the folder."""
        write_notebook(self.folder / name, *cells)

    def read(self, name: str) -> str:
        """The notebook's file, as text."""
        return json.dumps(json.loads((self.folder / name).read_text()))


ACTIVE = re.compile(r"\bjp-mod-active\b")
PRESSES = 6
"""How often a key is pressed that a page took for nothing."""


@dataclass
class Sheet:
    """A notebook open in the browser, with what the page complained of and whom it asked."""

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def run(self, number: int, *, wait: bool = True) -> None:
        """Runs a cell by keyboard."""
        prompt = self.page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").nth(number)
        before = prompt.inner_text()
        for left in reversed(range(PRESSES)):
            prompt.click()
            # The page takes the focus somewhere else while it is still being set up.
            expect(self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)).to_have_class(ACTIVE)
            expect(self.page.locator(".jp-Notebook:focus-within")).to_have_count(1)
            self.page.keyboard.press("Control+Enter")
            try:
                expect(prompt).not_to_have_text(before, timeout=PATIENCE / PRESSES)
            except AssertionError:  # pressed before the page knew its keys: a person presses again
                if not left:
                    raise
            else:
                break
        if wait:
            self.wait_idle()

    def wait_idle(self) -> None:
        """Waits until no cell runs."""
        self.page.wait_for_function(NOTHING_RUNS)

    def output(self, number: int) -> str:
        """The visible text of a cell's output."""
        area = self.page.locator(".jp-Notebook .jp-CodeCell").nth(number).locator(".jp-OutputArea")
        return area.last.inner_text()


@contextmanager
def opened(lab: Lab, name: str, *, width: int = 1180, alone: bool = False) -> Iterator[Sheet]:
    """A notebook of the lab in a new browser, its kernel ready.

    Args:
        lab: where the notebook is.
        name: its file.
        width: of the browser's page, in pixels.
        alone: without tabs and side panels, JupyterLab's simple interface.
    """
    with chromium() as browser:
        page = patient(browser.new_page(viewport={"width": width, "height": 1000}))
        sheet = Sheet(page)
        page.on("console", lambda m: sheet.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: sheet.errors.append(str(error)))
        page.on("request", lambda r: None if HERE.match(r.url) else sheet.outside.append(r.url))
        page.goto(f"{lab.url}/{'doc' if alone else 'lab'}/tree/{name}?reset")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.get_by_text(re.compile(r"\| Idle$")).wait_for(timeout=240_000)
        yield sheet


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
