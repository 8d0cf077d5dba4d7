"""A real kernel that runs cells, with every byte counted that it publishes."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.manager import KernelManager

from .place import Place

__all__ = ["Kernel", "Ran"]

_PATIENCE_MS = 60_000


@dataclass
class Ran:
    """What came of one cell.

    Args:
        seconds: from sending the cell until the kernel is idle again.
        published: bytes of all messages on IOPub in between.
        printed: its standard output.
        saved: data of its displays as they stand in the end, in order: what a notebook saves.
    """

    seconds: float = 0.0
    published: int = 0
    printed: str = ""
    saved: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def saved_bytes(self) -> int:
        """Size of the saved outputs' data, as JSON."""
        return sum(len(json.dumps(data).encode()) for data in self.saved.values())


class Kernel:
    """An ipykernel in a process of its own, in the place's environment; use it by `with`."""

    def __init__(self, place: Place) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._environment = place.environment()
        self._folder = str(place.home)

    def __enter__(self) -> Kernel:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._manager.start_kernel(env=self._environment, cwd=self._folder, **quiet)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=_PATIENCE_MS / 1000)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel()

    def run(self, code: str) -> Ran:
        """Runs a cell and waits for its end.

        Raises:
            RuntimeError: it failed, or nothing came for a minute.
        """
        ran, started = Ran(), time.perf_counter()
        request = self._client.execute(code)
        while True:
            message, size = self._next()
            if message["parent_header"].get("msg_id") != request:
                continue
            ran.published += size
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                ran.seconds = time.perf_counter() - started
                return ran
            _take(ran, kind, content)

    def _next(self) -> tuple[dict[str, Any], int]:
        socket = self._client.iopub_channel.socket
        if not socket.poll(_PATIENCE_MS):
            raise RuntimeError("the kernel has said nothing for a minute")
        frames = socket.recv_multipart()
        _, parts = self._client.session.feed_identities(frames)
        return self._client.session.deserialize(parts), sum(map(len, frames))


def _take(ran: Ran, kind: str, content: dict[str, Any]) -> None:
    if kind == "stream" and content["name"] == "stdout":
        ran.printed += content["text"]
    elif kind in ("display_data", "update_display_data"):
        id = content.get("transient", {}).get("display_id", str(len(ran.saved)))
        ran.saved[id] = content["data"]
    elif kind == "error" or (kind == "stream" and "UsageError" in content["text"]):
        raise RuntimeError(f"a measured cell failed: {content}")
