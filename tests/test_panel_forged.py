"""Messages that no view of ours sends: what any visitor of a Voilà page can do with its socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.chat_server import ChatServer
from tests.voila import Visit, Voila, visited

pytestmark = pytest.mark.browser

PAGE = "from chat_widgets import ChatPanel\nChatPanel()"
NOBODY = "0" * 32

ATTACKER = """async (url) => {
  const socket = new WebSocket(url.replace(/session_id=[^&]*/, "session_id=attacker"));
  window.heard = [];
  socket.onmessage = ({ data }) => window.heard.push(JSON.parse(data));
  await new Promise((resolve) => (socket.onopen = resolve));
  window.forge = (msg_type, content, metadata = {}) => {
    const header = { msg_id: crypto.randomUUID(), msg_type, session: "attacker", username: "",
      version: "5.4", date: new Date().toISOString() };
    socket.send(JSON.stringify({ header, parent_header: {}, metadata, content, channel: "shell",
      buffers: [] }));
    return header.msg_id;
  };
}"""
TRANSCRIPT = """() => heard.find(({ msg_type, content }) => msg_type === "comm_msg"
  && content.data.method === "custom" && content.data.content.type === "busy")?.content.comm_id"""

FORGED: list[Any] = [
    None,
    1,
    [],
    {},
    "stop",
    {"type": None},
    {"type": ["stop"]},
    {"type": "nonsense"},
    {"type": "stop", "id": NOBODY, "more": 1},
    {"type": "ask"},
    {"type": "ask", "text": 5},
    {"type": "ask", "text": ""},
    {"type": "ask", "text": " \n\t"},
    {"type": "ask", "text": {"toString": "x"}},
    {"type": "ask", "text": "x" * 6_000},
    {"type": "ask", "text": "x" * 3_000_000},
    {"type": "ask", "text": "x", "surface": "cell"},
    {"type": "ask", "text": "x", "attachments": [{"name": "a.txt", "mime": "text/plain"}]},
    {"type": "ask", "text": "x", "attachments": [{"name": "../../x", "mime": 1}] * 1_000},
    {"type": "edit", "id": "../../etc/passwd", "text": "x"},
    {"type": "edit", "id": NOBODY, "text": "x"},
    {"type": "edit", "id": NOBODY},
    {"type": "regenerate", "id": NOBODY},
    {"type": "regenerate", "id": [NOBODY]},
    {"type": "retry", "id": NOBODY},
    {"type": "retry", "id": "' OR 1=1 --"},
    {"type": "version", "id": NOBODY, "step": 1},
    {"type": "version", "id": NOBODY, "step": 10**300},
    {"type": "version", "id": NOBODY, "step": True},
    {"type": "show_sent", "id": NOBODY},
    {"type": "show_sent", "id": "\x00\u202e" * 16},
    {"type": "docked", "done": "yes"},
    {"type": "stop"},
]
STATES: list[dict[str, Any]] = [
    {"limit": 10**9, "height": "9px;background:url(https://example.org)", "placeholder": "forged"},
    {"uid": 5, "limit": "x", "accept": 1},
    {"_esm": "window.hacked = 1", "_css": "* { display: none }"},
    {"_view_name": "Other", "unknown": 1},
]


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def overheard(
    tmp_path_factory: pytest.TempPathFactory, model: ChatServer
) -> Iterator[tuple[Voila, Visit, str]]:
    """A panel that was asked once, and its transcript's comm, which the attacker has overheard."""
    folder = tmp_path_factory.mktemp("voila")
    settings = {"BASE_URL": model.url, "MODEL": "test-model", "CACHE": "0"}
    environment = {f"CHAT_MAGICS_{name}": value for name, value in settings.items()}
    with Voila(folder, PAGE, **environment) as voila, visited(voila) as visit:
        visit.evaluate(ATTACKER, visit.sockets[0])
        visit.ask("Before")
        yield voila, visit, visit.page.wait_for_function(TRANSCRIPT).json_value()


@pytest.fixture
def attacked(overheard: tuple[Voila, Visit, str]) -> tuple[Voila, Visit, str]:
    """The same, with a new socket of the attacker's."""
    overheard[1].evaluate(ATTACKER, overheard[1].sockets[0])
    return overheard


def _answered(visit: Visit) -> None:
    """Waits until the kernel is through with all that was forged."""
    asked = visit.evaluate("forge('kernel_info_request', {})")
    visit.page.wait_for_function(
        "id => heard.some((m) => m.parent_header.msg_id === id && m.content.execution_state"
        " === 'idle')",
        arg=asked,
        timeout=240_000,
    )


def _unharmed(attacked: tuple[Voila, Visit, str], model: ChatServer) -> None:
    voila, visit, _ = attacked
    _answered(visit)
    rows = visit.page.locator(".ct-rows > .ct-row")
    before = rows.count()
    visit.ask("After")
    assert rows.count() == before + 1
    said = {message["content"] for body in model.bodies for message in body["messages"]}
    assert said == {"Before", "After", "Hello from the test server."}
    assert visit.evaluate("heard.filter((m) => ['error', 'stream'].includes(m.msg_type))") == []
    assert "Traceback" not in voila.log
    assert visit.errors == []
    assert visit.outside == []


def test_no_forged_message_asks_changes_or_raises(
    attacked: tuple[Voila, Visit, str], model: ChatServer
) -> None:
    _, visit, comm = attacked
    for content in FORGED:
        data = {"method": "custom", "content": content}
        visit.evaluate("content => { forge('comm_msg', content) }", {"comm_id": comm, "data": data})
    _unharmed(attacked, model)


def test_no_visitor_sets_a_trait_of_the_transcript(
    attacked: tuple[Voila, Visit, str], model: ChatServer
) -> None:
    _, visit, comm = attacked
    for state in STATES:
        data = {"method": "update", "state": state, "buffer_paths": []}
        visit.evaluate("content => { forge('comm_msg', content) }", {"comm_id": comm, "data": data})
    _unharmed(attacked, model)
    assert visit.evaluate("window.hacked") is None
    expect(visit.box).to_have_attribute("placeholder", "Message…")


def test_no_visitor_runs_code(
    attacked: tuple[Voila, Visit, str], tmp_path: Path, model: ChatServer
) -> None:
    _, visit, _ = attacked
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()"
    visit.evaluate("code => { forge('execute_request', {code, silent: false}) }", code)
    visit.evaluate(
        "code => { forge('execute_request', {code, silent: true}, {subshell_id: 'x'}) }", code
    )
    _answered(visit)
    visit.ask("After")
    assert not ran.exists()
