"""The servers of the app's figures: `chat-magics serve`, and a bare Voilà that shows a notebook."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.app_server import AppServer

from .place import Place

__all__ = ["HELLO", "PANEL", "Served", "app", "bare"]

_ROOT = Path(__file__).resolve().parent.parent
HELLO = "import ipywidgets\nipywidgets.Button(description='Hello')"
PANEL = "from chat_widgets import ChatPanel\nChatPanel()"
_QUIET_SECONDS = 0.02
"""CPU of all processes within a look, which is quiet."""
_LOOK = 0.7
_QUIET_LOOKS = 2


class Served:
    """A server that runs, and its kernels.

    Args:
        url: of the page.
        pid: of the server's process.
    """

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.process = psutil.Process(pid)

    def rest(self) -> None:
        """Waits until nothing works any more: the next kernel is preheated, nobody is served."""
        quiet = 0
        before = self._busy()
        while quiet < _QUIET_LOOKS:
            time.sleep(_LOOK)
            now = self._busy()
            quiet = quiet + 1 if now - before < _QUIET_SECONDS else 0
            before = now

    def _busy(self) -> float:
        processes = [self.process, *self.process.children(recursive=True)]
        return float(sum(sum(process.cpu_times()[:2]) for process in processes))

    def kernels(self) -> list[psutil.Process]:
        """Their processes."""
        below = self.process.children(recursive=True)
        return [each for each in below if any("/kernel-" in part for part in each.cmdline())]

    def memory(self, kernel: str) -> float:
        """The resident set of a kernel, in MB of 1,000,000 bytes.

        Args:
            kernel: its id, which stands in the name of its connection file.
        """
        for process in self.process.children(recursive=True):
            if any(kernel in part for part in process.cmdline()):
                return float(process.memory_info().rss) / 1e6
        raise RuntimeError(f"no process of the kernel {kernel}")


@contextmanager
def app(place: Place, *arguments: str, **environment: str) -> Iterator[Served]:
    """`chat-magics serve`, which asks the model server here; it lets one address do much.

    Args:
        place: whose model server is asked.
        arguments: of the command.
        environment: what else it is told.
    """
    folder = _folder(place, "app")
    given = place.environment()
    told = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "CHAT_MAGICS_MODEL")
    common = {name: given[name] for name in told}
    common["PYTHONPATH"] = _python_path()
    common["CHAT_MAGICS_SERVE_PAGE_LOADS_PER_MINUTE"] = "1000"
    with AppServer(folder, *arguments, **{**common, **environment}) as running:
        yield Served(running.url, running.pid)


@contextmanager
def bare(place: Place, code: str) -> Iterator[Served]:
    """Voilà as it is, with one notebook of one cell and a preheated kernel.

    Args:
        place: whose model server a panel of it would ask.
        code: of the cell.
    """
    folder = _folder(place, "bare")
    spec = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    cell = {"cell_type": "code", "id": "c0", "metadata": {}, "outputs": []}
    cells = [{**cell, "execution_count": None, "source": code}]
    notebook = {"cells": cells, "metadata": spec, "nbformat": 4, "nbformat_minor": 5}
    (folder / "bare.ipynb").write_text(json.dumps(notebook))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--no-browser", "--preheat_kernel=True", "--pool_size=1", f"--port={port}")
    command = [sys.executable, "-m", "voila", "bare.ipynb", *options]
    environment = {**place.environment(), "PYTHONPATH": _python_path(), "HOME": str(folder)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            served = Served(f"http://127.0.0.1:{port}/", process.pid)
            _until_listening(port)
            yield served
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _python_path() -> str:
    return os.pathsep.join((str(_ROOT), str(_ROOT / "widgets")))


def _folder(place: Place, name: str) -> Path:
    folder = place.home / f"{name}-{time.monotonic_ns()}"
    folder.mkdir()
    return folder


def _until_listening(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
