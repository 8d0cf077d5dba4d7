"""A real kernel for tests: runs cells as a front end does, and keeps its screen as one would."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from typing_extensions import Self

from tests.closing import Closing

__all__ = ["Kernel", "Ran"]

ROOT = Path(__file__).parents[1]


@dataclass
class Ran:
    """What a cell brought: streams, displays as they are on the screen now, how it ended."""

    stdout: str = ""
    stderr: str = ""
    screen: dict[str, dict[str, str]] = field(default_factory=dict)
    updates: int = 0
    result: str | None = None
    error: str | None = None
    asked: list[str] = field(default_factory=list)
    payload: list[dict[str, Any]] = field(default_factory=list)
    status: str = ""

    @property
    def shown(self) -> list[str]:
        """The text of each display on the screen, in order."""
        return [data["text/plain"] for data in self.screen.values()]

    @property
    def html(self) -> list[str]:
        """The HTML of each display on the screen, in order."""
        return [data["text/html"] for data in self.screen.values()]

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Takes in one message, as a front end's output area does."""
        if kind == "stream":
            setattr(self, content["name"], getattr(self, content["name"]) + content["text"])
        elif kind in ("display_data", "update_display_data"):
            shown = content["transient"].get("display_id", f"anonymous {len(self.screen)}")
            assert kind == "display_data" or shown in self.screen
            self.updates += kind == "update_display_data"
            self.screen[shown] = content["data"]
        elif kind == "execute_result":
            self.result = content["data"]["text/plain"]
        elif kind == "error":
            self.error = f"{content['ename']}: {content['evalue']}"


class Kernel(Closing):
    """An ipykernel of its own, whose home and settings are given by its environment."""

    def __init__(self, home: Path, **environment: str) -> None:
        outside = ("OPENAI_", "CHAT_MAGICS_")
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith(outside)}
        self._environment |= {
            "CHAT_MAGICS_HOME": str(home),
            "CHAT_MAGICS_WARM_UP": "0",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self._folder = home

    def __enter__(self) -> Self:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(env=self._environment, cwd=str(self._folder))
        self._client: BlockingKernelClient = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=240)
        return self

    def close(self) -> None:
        """Ends it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def restart(self) -> None:
        """As the front end's button does."""
        self._manager.restart_kernel(now=True)
        self._client.wait_for_ready(timeout=240)

    def interrupt(self) -> None:
        """As the front end's stop button does."""
        self._manager.interrupt_kernel()

    def start(self, code: str, cell: str | None = "cell", *, ask: bool = False) -> str:
        """Sends a cell to be run; the id to wait for."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": ask,
            "stop_on_error": True,
        }
        metadata = {"cellId": cell} if cell else {}
        message = self._client.session.msg("execute_request", content, metadata=metadata)
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def wait(
        self,
        execution: str,
        *,
        answer: str = "",
        until: Callable[[Ran], object] | None = None,
        ran: Ran | None = None,
    ) -> Ran:
        """Takes in messages until the cell has ended, or something stands on the screen.

        Args:
            execution: what `start` gave.
            answer: typed where the cell asks.
            until: looked at after each message.
            ran: what came before, to go on with.
        """
        ran, client = ran or Ran(), self._client
        poller = zmq.Poller()
        for channel in (client.iopub_channel, client.stdin_channel):
            poller.register(channel.socket, zmq.POLLIN)
        while not (until and until(ran)):
            ready = dict(poller.poll(30_000))
            assert ready, f"the kernel said nothing for 30 s after {ran}"
            if client.stdin_channel.socket in ready:
                ran.asked.append(client.get_stdin_msg(timeout=0)["content"]["prompt"])
                client.input(answer)
            if client.iopub_channel.socket not in ready:
                continue
            message = client.get_iopub_msg(timeout=0)
            if message["parent_header"].get("msg_id") != execution:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                self._end(execution, ran)
                break
            ran.take(kind, content)
        return ran

    def _end(self, execution: str, ran: Ran) -> None:
        while True:
            reply = self._client.get_shell_msg(timeout=240)
            if reply["parent_header"].get("msg_id") == execution:
                ran.status = reply["content"]["status"]
                ran.payload = reply["content"].get("payload", [])
                return

    def run(self, code: str, cell: str | None = "cell", *, answer: str | None = None) -> Ran:
        """Runs a cell to its end; `answer` is typed where it asks."""
        return self.wait(self.start(code, cell, ask=answer is not None), answer=answer or "")

    def complete(self, code: str, at: int | None = None) -> list[str]:
        """What Tab offers, each as the text that would stand there then."""
        reply: Any = self._client.complete(code, at, reply=True, timeout=240)
        found, end = reply["content"], len(code) if at is None else at
        assert found["status"] == "ok"
        assert found["cursor_end"] == end
        return [code[: found["cursor_start"]] + match for match in found["matches"]]
