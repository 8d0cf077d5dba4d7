"""A notebook in real JupyterLab for the panel's figures: what arrives, and how busy its page is."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import Lab, Sheet, opened

from .place import Place

__all__ = ["Notebook", "Tasks", "notebook"]

_ROOT = Path(__file__).resolve().parent.parent
_SHORTEST = 1_000
"""Microseconds: a page has thousands of shorter tasks, which would hide what a person feels."""
_NAME = "figures.ipynb"


@dataclass(frozen=True)
class Tasks:
    """Milliseconds of the page's main-thread tasks of 1 ms and more, shortest first."""

    all: tuple[float, ...]

    @property
    def longest(self) -> float:
        """The longest one."""
        return self.all[-1] if self.all else 0.0

    @property
    def p99(self) -> float:
        """What 99 of 100 do not pass."""
        return self.all[int(len(self.all) * 0.99)] if self.all else 0.0


class Notebook:
    """A notebook open in a browser, with a count of what its sockets have received."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self.page = sheet.page
        self.received = 0
        """Bytes of WebSocket payload so far, without the copies."""
        self.copies = 0
        """Bytes of outputs that were replaced: what a saved notebook shows of a panel."""
        session = self.page.context.new_cdp_session(self.page)
        session.on("Network.webSocketFrameReceived", self._count)
        session.send("Network.enable")

    def _count(self, event: dict[str, Any]) -> None:
        frame = event["response"]
        payload: str = frame["payloadData"]
        is_text = frame["opcode"] == 1
        content = payload.encode() if is_text else base64.b64decode(payload)
        if b'"update_display_data"' in content:
            self.copies += len(content)
        else:
            self.received += len(content)

    def run(self, number: int, *, wait: bool = True) -> str:
        """Runs a cell; gives the text of its output."""
        self._sheet.run(number, wait=wait)
        return self._sheet.output(number) if wait else ""

    def until(self, condition: str, seconds: float = 600) -> None:
        """Waits for JavaScript to be true; looks rarely, so that the page is not busy with it."""
        self.page.wait_for_function(condition, timeout=seconds * 1000, polling=500)

    @contextmanager
    def traced(self, tasks: list[Tasks]) -> Iterator[None]:
        """Notes the page's tasks while the block runs."""
        browser = self.page.context.browser
        assert browser is not None
        browser.start_tracing(page=self.page, categories=["toplevel", "__metadata"])
        yield
        tasks.append(_tasks(json.loads(browser.stop_tracing())["traceEvents"]))


@contextmanager
def notebook(place: Place, folder: Path, *cells: str) -> Iterator[Notebook]:
    """A notebook with these cells in a JupyterLab of its own; none has run.

    Args:
        place: whose model server is asked.
        folder: an empty one, for the notebook.
        cells: its code.
    """
    given = place.environment()
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "CHAT_MAGICS_MODEL", "CHAT_MAGICS_HOME")
    environment = {name: given[name] for name in names}
    environment["PYTHONPATH"] = f"{_ROOT}:{_ROOT / 'widgets'}"
    folder.mkdir()
    with Lab(folder, **environment) as lab:
        lab.write(_NAME, *cells)
        with opened(lab, _NAME) as sheet:
            yield Notebook(sheet)


def _tasks(events: list[dict[str, Any]]) -> Tasks:
    """Those of the busiest main thread of a page, by the time that they kept a CPU busy."""
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    found: dict[tuple[int, int], list[float]] = {thread: [] for thread in threads}
    for event in events:
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in found:
            lasted = event.get("tdur", event.get("dur", 0))
            if lasted >= _SHORTEST:
                found[event["pid"], event["tid"]].append(lasted / 1000)
    return Tasks(tuple(sorted(max(found.values(), key=sum))))
