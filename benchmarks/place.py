"""Where the figures are measured: an empty home, no settings from outside, a model server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .server import MODEL

__all__ = ["KEY", "Place", "prepared"]

KEY = "sk-bench"
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Place:
    """What a measurement needs to know.

    Args:
        url: base URL of the model server.
        home: the folder for everything that is written.
    """

    url: str
    home: Path

    def settings(self) -> dict[str, object]:
        """Settings of a Conversation that asks the server here."""
        return {"base_url": self.url, "api_key": KEY, "model": MODEL, "home": self.home}

    def environment(self) -> dict[str, str]:
        """The environment of a process that is to ask the server here."""
        # Bytecode is kept, as pip keeps it of installed packages, those of the floor among them.
        kept = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {
            **kept,
            "PYTHONPATH": str(_ROOT),
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.url,
            "CHAT_MAGICS_MODEL": MODEL,
            "CHAT_MAGICS_HOME": str(self.home),
            "IPYTHONDIR": str(self.home / "ipython"),
        }

    def run(self, code: str, *arguments: str) -> str:
        """What a fresh Python prints that runs this code."""
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(
            command, env=self.environment(), cwd=self.home, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"a measured process failed:\n{done.stderr}")
        return done.stdout

    def until_first_output(self, code: str, *arguments: str) -> float:
        """Seconds from the start of a fresh Python that runs this code to its first output."""
        command = [sys.executable, "-c", code, *arguments]
        started = time.perf_counter()
        with subprocess.Popen(
            command, env=self.environment(), cwd=self.home, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            first = process.stdout.read(1)
            seconds = time.perf_counter() - started
            process.stdout.read()
        if process.returncode or not first:
            raise RuntimeError("a measured process failed")
        return seconds

    def asked(self) -> int:
        """Chat requests that have reached the server."""
        with urllib.request.urlopen(f"{self.url}/asked") as answer:
            return int(json.load(answer)["asked"])


@contextmanager
def prepared() -> Iterator[Place]:
    """A Place, made and taken away; this process works in it too."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "CHAT_MAGICS_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, _server() as url:
        os.chdir(folder)
        try:
            yield Place(url, Path(folder))
        finally:
            os.chdir(before)


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()
