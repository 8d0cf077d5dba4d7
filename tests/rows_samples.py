"""Frames to ask about, a session on the tests' server, and what its rows ask."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from chat_magics import Session
from tests.chat_server import ChatServer, Reply, Request

__all__ = ["PROMPT", "answering", "frame", "prompts", "rows_session"]

PROMPT = "Classify: {{text}}"


@contextmanager
def rows_session(server: ChatServer, **settings: Any) -> Iterator[Session]:
    """A session that asks the tests' server, closed at the end; its warnings in `told`."""
    given = {"base_url": server.url, "model": "test-model", "api_key": "sk-test", **settings}
    session = Session(given)
    told: list[str] = []
    session.on_warning = told.append
    session.told = told  # type: ignore[attr-defined]
    try:
        yield session
    finally:
        server.release()
        session.close()


def frame(rows: int, begin: str = "row") -> pd.DataFrame:
    """Distinct texts."""
    return pd.DataFrame({"text": [f"{begin} {number}" for number in range(rows)]})


def prompts(server: ChatServer) -> list[str]:
    """What the server was asked, the last message of each request, in order."""
    return [post.last for post in server.posts]


def answering(make: Callable[[str], Any]) -> Callable[[Request], Reply]:
    """Answers with what `make` gives for the text of a row; other values than text as JSON."""

    def answer(request: Request) -> Any:
        text = re.sub("^Classify: ", "", request.last)
        made = make(text)
        if isinstance(made, dict | list):
            made = json.dumps(made)
        return Reply(made) if isinstance(made, str) else made

    return answer
