"""The front of the app's page: light until it is used, and no word is lost when it wakes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_magics.errors import ConfigError
from chat_widgets import app_panel
from chat_widgets.front import Front
from chat_widgets.visitor import Visitor
from tests.chat_server import ChatServer

HEAVY = ("openai", "pydantic", "sqlalchemy", "markdown_it", "pygments.lexer", "chat_magics.history")
TOLD = {"model": "test-model", "limit": 77, "accept": [".txt"], "max_bytes": {"text": 9}}
VISITOR = Visitor(owner="ada", door="http://127.0.0.1:9/")


@pytest.fixture
def front(server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    given = {"BASE_URL": server.url, "MODEL": "test-model", "HOME": str(tmp_path)}
    for name, value in {**given, "SERVE_FRONT": json.dumps(TOLD)}.items():
        monkeypatch.setenv(f"CHAT_MAGICS_{name}", value)
    shown = Front.for_visitor(VISITOR)
    yield shown
    server.release()
    if shown._panel is not None:
        while shown._panel._stage.replies:
            shown._panel._stage.settled()
        shown._panel.close()
        shown._panel.session.close()


def _say(front: Front, **message: Any) -> list[dict[str, Any]]:
    """What the view is told when it says something."""
    heard: list[dict[str, Any]] = []
    front.transcript.send = lambda content, buffers=None: heard.append(dict(content))
    front.transcript._take(front.transcript, {"type": "ready"}, [])
    front.transcript._take(front.transcript, message, [])
    return [{name: part for name, part in each.items() if name != "n"} for each in heard]


def test_a_page_that_is_only_open_loads_nothing_heavy() -> None:
    # With Python 3.10, IPython itself brings Pygments along.
    code = (
        "import os, sys, IPython.core.interactiveshell; before = set(sys.modules)\n"
        "os.environ['CHAT_MAGICS_SERVE_FRONT'] = sys.argv[1]\n"
        "from chat_widgets.front import Front; from chat_widgets.visitor import Visitor\n"
        "front = Front.for_visitor(Visitor())\n"
        "front.transcript._take(front.transcript, {'type': 'ready'}, [])\n"
        "print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(TOLD)], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & set(HEAVY) == set()


def test_it_shows_at_once_what_the_server_told(front: Front) -> None:
    shown = front.transcript
    assert (shown.limit, shown.accept, shown.max_bytes) == (77, [".txt"], {"text": 9})
    assert (front.bar.model.value, front.bar.title.value) == ("test-model", "New conversation")


def test_the_first_prompt_is_asked(front: Front, server: ChatServer) -> None:
    _say(front, type="ask", text="Why?")
    server.until(lambda: len(server.posts) == 1)
    assert server.bodies[0]["messages"][-1] == {"role": "user", "content": "Why?"}


def test_a_button_wakes_it(front: Front) -> None:
    front.bar.toggle("Options")
    assert front.bar.options.model.placeholder == "test-model"


def test_a_prompt_comes_back_where_the_panel_cannot_be_made(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ConfigError("no home: set one")

    monkeypatch.setattr(app_panel, "_session", fails)
    heard = _say(front, type="ask", text="Why?")
    assert {"type": "refused", "text": "Why?", "message": "no home: set one"} in heard
