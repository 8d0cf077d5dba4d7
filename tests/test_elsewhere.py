"""A reply that another kernel has under way in the same conversation: it is followed to its end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chat_magics import Conversation
from chat_widgets import ChatPanel
from tests.chat_server import ChatServer
from tests.history_samples import start_python

OTHER_KERNEL = """
history = History(place, on_warning=print)
exchange, talk = begun(history, history.create_conversation("shared"), "asked there")
history.append_partial(exchange.id, "half a rep")
print(talk.id, flush=True)
for line in sys.stdin:
    if line.strip() == "more":
        history.append_partial(exchange.id, "half a reply")
    else:
        done = {"status": "complete", "text": "whole", "finish_reason": "stop"}
        history.finish(exchange.model_copy(update=done))
    print("done", flush=True)
"""


class OtherKernel:
    """A process with a reply under way in the conversation `shared`."""

    def __init__(self, history: Path) -> None:
        self._process: subprocess.Popen[str] = start_python(OTHER_KERNEL, history)
        self.conversation = self._heard()

    def _heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def does(self, what: str) -> None:
        """Has it go on, or finish, and waits until that is stored."""
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        assert self._heard() == "done"

    def dies(self) -> None:
        """Kills it in the middle."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def kernel(place: Path) -> Iterator[OtherKernel]:
    started = OtherKernel(place)
    yield started
    started.dies()


@pytest.fixture
def chat(server: ChatServer, place: Path, kernel: OtherKernel) -> Iterator[Conversation]:
    opened = Conversation.open(
        "shared", base_url=server.url, model="test-model", history=str(place)
    )
    yield opened
    opened.session.close()


@pytest.fixture
def panel(chat: Conversation) -> Iterator[ChatPanel]:
    shown = ChatPanel(conversation=chat)
    yield shown
    shown.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _shows(panel: ChatPanel, state: str, text: str) -> None:
    def shown() -> bool:
        rows = panel.transcript.rows
        return [(row.state, row.blocks) for row in rows] == [(state, [f"<p>{text}</p>\n"])]

    _until(shown)


def test_its_end_is_taken_in_before_the_next_prompt_is_sent(
    chat: Conversation, server: ChatServer, kernel: OtherKernel
) -> None:
    assert chat.exchanges()[0].status == "streaming"
    kernel.does("finish")
    str(chat.ask("asked here"))
    sent = [message["content"] for message in server.bodies[0]["messages"]]
    assert sent == ["asked there", "whole", "asked here"]


def test_a_panel_shows_what_comes_there_and_how_it_ends(
    panel: ChatPanel, kernel: OtherKernel
) -> None:
    _shows(panel, "streaming", "half a rep")
    kernel.does("more")
    _shows(panel, "streaming", "half a reply")
    kernel.does("finish")
    _shows(panel, "complete", "whole")


def test_a_panel_shows_that_the_other_kernel_died(panel: ChatPanel, kernel: OtherKernel) -> None:
    _shows(panel, "streaming", "half a rep")
    kernel.dies()
    _shows(panel, "interrupted", "half a rep")
    again = panel.conversation.regenerate().send()
    again.wait()
    _until(lambda: panel.transcript.rows[0].versions == (2, 2))
