"""One path: a prompt is the same by every surface, on the wire, in history and in the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chat_magics import Conversation, Session
from chat_widgets import ChatPanel
from tests.app_server import AppServer
from tests.chat_server import ChatServer
from tests.shell import Shell

PROMPT = "The same for {all} of $us?"
OWN = {
    *(
        "id",
        "context",
        "conversation",
        "created",
        "ended",
        "surface",
        "cell",
        "execution",
        "request_id",
    ),
    *("latency", "time_to_first_token"),
}
"""What two exchanges never share."""


def by_python(shell: Shell) -> None:
    str(Conversation(session=Session.of(shell.ip)).ask(PROMPT))


def by_cell(shell: Shell) -> None:
    shell.run(f"%%chat --new\n{PROMPT}")


def by_line(shell: Shell) -> None:
    shell.run("%chat_new")
    shell.run(f"%chat {PROMPT}")


def by_panel(shell: Shell) -> None:
    panel = ChatPanel(Conversation(session=Session.of(shell.ip)))
    panel.transcript._take(panel.transcript, {"type": "ask", "text": PROMPT}, [])
    (reply,) = panel.conversation.replies
    reply.wait()
    panel.close()


SURFACES: tuple[Callable[[Shell], None], ...] = (by_python, by_cell, by_line, by_panel)


def test_the_same_bytes_go_out(shell: Shell, server: ChatServer, tmp_path: Path) -> None:
    shell.run("%chat_config cache false")
    for ask in SURFACES:
        ask(shell)
    asked = {"CHAT_MAGICS_BASE_URL": server.url, "CHAT_MAGICS_MODEL": "test-model"}
    with AppServer(tmp_path, **asked) as app:
        assert app.post("api/query", {"prompt": PROMPT}).status == 200
    assert len(server.posts) == len(SURFACES) + 1
    assert len({request.raw for request in server.posts}) == 1


def test_the_rows_differ_by_their_surface_alone(shell: Shell) -> None:
    shell.run("%chat_config cache false")
    for ask in SURFACES:
        ask(shell)
    rows = Session.of(shell.ip).history.exchanges()
    assert sorted(rows["surface"]) == ["cell", "cell", "panel", "python"]
    different = {name for name in rows if rows[name].astype(str).nunique() > 1}
    assert different <= OWN


@pytest.mark.parametrize("first", SURFACES)
def test_what_one_asked_the_others_find_in_the_cache(
    shell: Shell, server: ChatServer, first: Callable[[Shell], None]
) -> None:
    first(shell)
    for ask in SURFACES:
        ask(shell)
    assert len(server.posts) == 1
