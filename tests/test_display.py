"""How a reply is shown where no front end is: in order, once, and stopped by an interrupt."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.displaypub import DisplayPublisher

from chat_magics import Conversation
from chat_magics.display import show
from chat_magics.display.cell import CellOutput
from chat_magics.markdown import to_html, wrap
from tests.chat_server import ChatServer, Reply, Status
from tests.shell import Shell
from tests.talks import conversation_on


@pytest.fixture
def chat(server: ChatServer) -> Iterator[Conversation]:
    """A new conversation on the tests' server."""
    with conversation_on(server) as chat:
        yield chat


class Screen(io.StringIO):
    """A screen on which the interrupt comes while some text is being written."""

    def __init__(self, interrupted_at: str) -> None:
        super().__init__()
        self._at = interrupted_at

    def write(self, text: str) -> int:
        if text == self._at:
            self._at = ""
            raise KeyboardInterrupt
        return super().write(text)


def test_an_interrupt_while_it_is_being_shown_stops_the_reply(
    chat: Conversation, server: ChatServer
):
    server.script(Reply(["one ", "two ", "three"], stall_after=2, delay_between=0.1))
    reply = chat.ask("Count")
    screen = Screen(interrupted_at="two ")
    with contextlib.redirect_stdout(screen), pytest.raises(KeyboardInterrupt):
        show(reply)
    server.until(lambda: server.disconnects == 1)
    assert (reply.status, reply.text) == ("interrupted", "one two ")
    assert screen.getvalue().endswith(" · interrupted\n")


def test_a_reply_that_has_ended_is_shown_as_it_was(
    chat: Conversation, capsys: pytest.CaptureFixture[str]
):
    reply = chat.ask("Hello")
    show(reply)
    first = capsys.readouterr().out
    show(reply)
    assert capsys.readouterr().out == first
    assert first.startswith("Hello from the test server.\n\ntest-model · ")


def test_a_wait_is_printed_once(
    chat: Conversation, server: ChatServer, capsys: pytest.CaptureFixture[str]
):
    server.script(Status(429, headers={"retry-after-ms": "300"}))
    show(chat.ask("Hello"))
    out = capsys.readouterr().out
    assert out.count("next try in") == 1
    assert "2 attempts" in out


def test_what_a_reader_must_be_told_follows_the_line(
    chat: Conversation, server: ChatServer, capsys: pytest.CaptureFixture[str]
):
    server.script(Reply(["one ", "two"], end_after=1))
    show(chat.ask("Hello"))
    line, note = capsys.readouterr().out.splitlines()[-2:]
    assert line.endswith("may be cut")
    assert "without finish_reason" in note


def test_a_reply_cut_at_the_limit_says_so(
    chat: Conversation, server: ChatServer, capsys: pytest.CaptureFixture[str]
):
    server.script(Reply("one two", finish_reason="length"))
    show(chat.ask("Hello", max_tokens=2))
    assert capsys.readouterr().out.endswith("cut at max_tokens\n")


def test_quiet_shows_nothing_and_waits(chat: Conversation, capsys: pytest.CaptureFixture[str]):
    reply = chat.ask("Hello")
    show(reply, quiet=True)
    assert (reply.done, capsys.readouterr().out) == (True, "")


class FrontEnd(DisplayPublisher):
    """Keeps the screen as a front end does; the interrupt comes with one of the messages."""

    def __init__(self, interrupted_at: int) -> None:
        super().__init__()
        self.left = interrupted_at
        self.screen: dict[str, str] = {}

    def publish(self, data: Any, metadata: Any = None, **more: Any) -> None:
        self.screen[more["transient"]["display_id"]] = data["text/html"]
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


TEXT = "# One\n\ntwo *three*\n\n- four\n- five\n\nsix"


@pytest.mark.parametrize("message", range(1, 12))
def test_an_interrupt_within_an_update_leaves_the_whole_text_once(message: int):
    shell, front_end = Shell(), FrontEnd(interrupted_at=message)
    shell.ip.display_pub = front_end
    output = CellOutput()
    with contextlib.suppress(KeyboardInterrupt):
        output.status("waiting for the first token")
        output.refresh()
        output.status("")
        for piece in re.findall(r"(?s).{1,6}", TEXT):
            output.add(piece)
            output.refresh()
    assert front_end.left <= 0
    output.settle(TEXT)
    output.status("")
    output.refresh(last=True)
    shell.close()
    frame = wrap("<>", math="tex").split("<>")
    blocks = [html.split("</style>")[-1] for html in front_end.screen.values()]
    inner = [block.removeprefix(frame[0]).removesuffix(frame[1]) for block in blocks]
    assert "".join(inner) == to_html(TEXT)
