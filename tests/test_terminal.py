"""A real terminal IPython: plain text as it comes, the line after it, Ctrl-C, the next input."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.chat_server import ChatServer, Reply, Status
from tests.talks import user_texts

ROOT = Path(__file__).parents[1]


@pytest.fixture
def terminal(server: ChatServer) -> Iterator[pexpect.spawn]:
    """IPython in a pseudo-terminal, with the extension, on the tests' server."""
    environment = {
        **os.environ,
        "CHAT_MAGICS_BASE_URL": server.url,
        "CHAT_MAGICS_MODEL": "test-model",
        "CHAT_MAGICS_WARM_UP": "0",
        "PYTHONPATH": str(ROOT),
        "TERM": "dumb",
    }
    arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"]
    child = pexpect.spawn(
        sys.executable, arguments, env=environment, encoding="utf-8", timeout=240, echo=False
    )
    child.expect_exact("In [1]: ")
    child.sendline("%load_ext chat_magics")
    child.expect_exact("In [2]: ")
    yield child
    server.release()
    child.kill(signal.SIGKILL)
    child.wait()
    child.close()


def test_text_comes_as_it_is_written_and_then_the_line(terminal: pexpect.spawn, server: ChatServer):
    server.script(Reply(["**one** ", "two"], stall_after=1))
    terminal.sendline("%chat Count")
    terminal.expect_exact("**one** ")
    server.until(lambda: server.held == 1)
    server.release()
    terminal.expect(r"two\r\n\r\ntest-model · 10 → 2 tokens · \d\.\d s · unknown price\r\n")
    terminal.expect_exact("In [3]: ")


def test_ctrl_c_stops_it_with_one_line_and_the_next_input_works(
    terminal: pexpect.spawn, server: ChatServer
):
    server.script(Reply(["one ", "two"], stall_after=1))
    terminal.sendline("%chat -o answer Count")
    terminal.expect_exact("one ")
    server.until(lambda: server.held == 1)
    terminal.sendintr()
    terminal.expect("interrupted\r\n")
    terminal.expect_exact("UsageError: interrupted; 4 characters of the reply are kept")
    server.until(lambda: server.disconnects == 1)
    terminal.expect_exact("In [3]: ")
    terminal.sendline("%chat Again")
    terminal.expect_exact("Hello from the test server.")
    assert user_texts(server.bodies[1]) == ["Count", "Again"]


def test_a_re_asked_reply_says_so_and_starts_anew(terminal: pexpect.spawn, server: ChatServer):
    server.script(Reply(["one ", "two"], cut_after=1), Reply("other"))
    terminal.sendline("%chat Count")
    terminal.expect_exact("one ")
    terminal.expect(r"\[.*next try in .* \(2 of 4\)\]")
    terminal.expect_exact("[asked again]\r\nother")
    terminal.expect("asked again\r\n")


def test_a_failure_is_one_line(terminal: pexpect.spawn, server: ChatServer):
    server.script(Status(401))
    terminal.sendline("%chat Hello")
    terminal.expect("UsageError: [^\r\n]* does not accept the key[^\r\n]*\r\n")
    assert "Traceback" not in terminal.before
    terminal.expect_exact("In [3]: ")


def test_a_reply_is_a_value_and_shows_itself(terminal: pexpect.spawn, server: ChatServer):
    terminal.sendline("from chat_magics import Conversation; r = Conversation().ask('Hello')")
    terminal.expect_exact("In [3]: ")
    assert server.requests == []
    terminal.sendline("r")
    terminal.expect(r"Hello from the test server.\r\n\r\ntest-model · 10 → 5 tokens")
