"""Sessions for the tests, on the tests' server, with a key that must never be seen again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chat_magics import Conversation, Session
from tests.chat_server import ChatServer

__all__ = [
    "CANARY",
    "conversation_on",
    "leaks",
    "session_on",
    "settings_for",
    "until",
    "user_texts",
]

CANARY = "sk-canary-0123456789abcdefghij"


def settings_for(server: ChatServer, **more: Any) -> dict[str, Any]:
    """Settings that reach this server with the key to look for."""
    return {"base_url": server.url, "api_key": CANARY, "model": "test-model", **more}


@contextmanager
def session_on(server: ChatServer, on_error: Any = None, **more: Any) -> Iterator[Session]:
    """A session that is closed at the end, with what runs in it."""
    session = Session(settings_for(server, **more), on_error=on_error)
    try:
        yield session
    finally:
        server.release()
        session.close()


@contextmanager
def conversation_on(server: ChatServer, **more: Any) -> Iterator[Conversation]:
    """A new conversation in a session of its own."""
    with session_on(server, **more) as session:
        yield Conversation(session=session)


def until(condition: Callable[[], object], timeout: float = 240.0) -> None:
    """Waits for something that tells nobody when it comes, such as a row in a file."""
    deadline, pause = time.monotonic() + timeout, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s"
        pause.wait(0.02)


def user_texts(body: Any) -> list[str]:
    """What the person said, of the messages of a request's body."""
    return [m["content"] for m in body["messages"] if m["role"] == "user"]


def leaks(folder: Path, secret: str = CANARY) -> list[Path]:
    """The files below a folder in which the secret stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if secret.encode() in path.read_bytes()]
