"""Session: what it shares, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chat_magics import Conversation, Session
from chat_magics.errors import AuthenticationFailed, ConfigError
from tests.chat_server import ChatServer, Status


def test_a_session_that_nobody_has_any_more_ends_its_threads() -> None:
    before = set(threading.enumerate())
    chat: Conversation | None = Conversation(base_url="demo", max_tokens=3)
    assert chat is not None
    assert chat.ask("Hello").text
    assert set(threading.enumerate()) > before
    chat = None
    gc.collect()
    assert {t for t in threading.enumerate() if t.is_alive()} <= before


def test_a_script_that_closes_nothing_ends_without_a_word() -> None:
    script = (
        "from chat_magics import Conversation\n"
        "chats = [Conversation(base_url='demo', max_tokens=3) for _ in range(2)]\n"
        "print([bool(chat.ask('Hello').text) for chat in chats])\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, timeout=60
    )
    slow = [line for line in done.stderr.splitlines() if not line.startswith("Executing ")]
    assert (done.stdout, slow) == ("[True, True]\n", [])


def test_the_place_of_an_open_history_cannot_change(tmp_path: Path) -> None:
    given: dict[str, str] = {"base_url": "demo"}
    session = Session(notebook=lambda: given)
    assert session.history.durable
    given["history"] = str(tmp_path / "other.db")
    with pytest.raises(ConfigError, match="restart the kernel"):
        session.refresh()
    del given["history"]
    session.refresh()
    session.close()


def test_a_key_of_the_environment_stays_here_and_the_refusal_says_so(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-the-environment")
    server.script(Status(401, {"error": {"message": "no", "code": "invalid_api_key"}}))
    session = Session({"base_url": server.url, "model": "m"})
    with pytest.raises(AuthenticationFailed, match="wants a key, but the key"):
        Conversation(session=session).ask("Hello").text  # noqa: B018 - looking at it sends it
    assert "authorization" not in server.requests[0].headers
    session.close()


def test_a_server_that_needs_no_key_is_asked_without_one(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-the-environment")
    session = Session({"base_url": server.url, "model": "m"})
    assert Conversation(session=session).ask("Hello").text.startswith("Hello from")
    assert "sk-canary" not in str(server.requests[0].headers)
    session.close()


def test_the_password_of_a_history_url_is_not_shown() -> None:
    session = Session({"history": "postgresql://me:secret-word@localhost/chats"})
    assert "secret-word" not in repr(session.config)
    session.close()
