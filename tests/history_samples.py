"""Exchanges for the tests of history, and a process of its own that writes some."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from chat_magics.history import ConversationRecord, Exchange, History

__all__ = ["ask", "begun", "intact", "make", "start_python"]


def make(conversation: ConversationRecord, prompt: str = "Hello", **values: Any) -> Exchange:
    """An exchange of this conversation that streams."""
    return Exchange(
        conversation=conversation.id,
        owner=conversation.owner,
        prompt=prompt,
        sent=prompt,
        base_url="demo",
        model_asked="demo",
        **values,
    )


def begun(history: History, talk: ConversationRecord, prompt: str = "Hello", **values: Any):
    """An exchange that is stored and streams, at the end of the conversation's path."""
    exchange = make(talk, prompt, **values)
    return exchange, history.begin(exchange, talk, [*talk.path, exchange.id])


def ask(history: History, talk: ConversationRecord, prompt: str = "Hello", **final: Any):
    """An exchange that is complete, and its conversation."""
    exchange, talk = begun(history, talk, prompt)
    done = exchange.model_copy(update={"status": "complete", "text": "Hi!", **final})
    history.finish(done)
    return done, talk


def intact(path: Path) -> bool:
    """True where SQLite finds no fault in the whole file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("pragma integrity_check").fetchall() == [("ok",)]


_IMPORTS = """
import os, sys
from chat_magics.history import History
from tests.history_samples import ask, begun, make
place = sys.argv[1]
"""


def start_python(code: str, place: object, *more: str, **options: Any) -> subprocess.Popen[str]:
    """A process that runs this code; `place`, History, ask, begun and make are there."""
    return subprocess.Popen(
        [sys.executable, "-c", _IMPORTS + code, str(place), *more],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
