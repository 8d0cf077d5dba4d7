"""Starts `@copilotkit/aimock`, a model server that other people wrote, where it is installed.

It is looked for in the node_modules folder that CHAT_MAGICS_AIMOCK names as the tests begin,
else in tests/.node/node_modules, which `npm install --prefix tests/.node @copilotkit/aimock` makes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Aimock", "aimock", "installed"]

# read here because the `home` fixture removes CHAT_MAGICS_* before a test can look
FOLDER = os.environ.get("CHAT_MAGICS_AIMOCK") or str(Path(__file__).parent / ".node/node_modules")


@dataclass(frozen=True)
class Aimock:
    """A running aimock: `url` ends in /v1."""

    url: str

    def journal(self) -> list[dict[str, Any]]:
        """The requests it got, oldest first: `path`, `headers`, `body`, `response.status`."""
        with _open(self.url.removesuffix("/v1") + "/__aimock/journal") as answer:
            entries: list[dict[str, Any]] = json.load(answer)
        return entries


def installed() -> Path | None:
    """The script that node runs; None where node or the package is missing."""
    script = Path(FOLDER).resolve() / "@copilotkit" / "aimock" / "dist" / "cli.js"
    return script if shutil.which("node") and script.is_file() else None


@contextlib.contextmanager
def aimock(folder: Path, *fixtures: dict[str, Any]) -> Iterator[Aimock]:
    """Run aimock with these fixtures, or skip the test where it is not installed.

    Args:
        folder: where the fixtures are written, such as pytest's `tmp_path`.
        fixtures: each `{"match": {...}, "response": {...}}`; the first that matches answers.
    """
    script = installed()
    if script is None:
        pytest.skip("aimock is not installed: npm install --prefix tests/.node @copilotkit/aimock")
    file = folder / "aimock.json"
    file.write_text(json.dumps({"fixtures": fixtures}), encoding="utf-8")
    command = ["node", str(script), "-p", "0", "-f", str(file), "--strict"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Aimock(_listening(process) + "/v1")
        finally:
            process.terminate()


def _listening(process: subprocess.Popen[str]) -> str:
    """The address it prints once it listens; the rest of its output is read and dropped."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        found = re.search(r"listening on (http://\S+)", line)
        if found:
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return found[1]
    raise AssertionError("aimock did not start: " + "".join(said))


def _open(url: str) -> Any:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return direct.open(url, timeout=10)
