"""What a visitor can do to the app with a socket of their own: nothing; and keys of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.app_page import AppPage, serving, visiting
from tests.app_server import AppServer
from tests.chat_server import ChatServer, Reply
from tests.talks import CANARY, leaks
from tests.test_panel_forged import ATTACKER

pytestmark = pytest.mark.browser

V1 = "v1.kernel.websocket.jupyter.org"
COMMS = """() => Object.keys(heard.find((m) => m.msg_type === "comm_info_reply").content.comms)"""
STATES = """() => Object.fromEntries(heard
  .filter((m) => m.msg_type === "comm_msg" && m.content.data.method === "update")
  .map((m) => [m.content.comm_id, m.content.data.state]))"""
RAW = """([url, protocols, bytes]) => new Promise((resolve) => {
  const socket = new WebSocket(url.replace(/session_id=[^&]*/, "session_id=raw"), protocols);
  socket.onopen = () => socket.send(new Uint8Array(bytes));
  socket.onclose = ({ code }) => resolve(code);
})"""
COUNT_BYTES = """async (url) => {
  const socket = new WebSocket(url.replace(/session_id=[^&]*/, "session_id=older"));
  window.came = 0;
  socket.onmessage = ({ data }) => (window.came += typeof data === "string" ? 0 : 1);
  await new Promise((resolve) => (socket.onopen = resolve));
}"""
FORGED = {"in_url": False, "conversation": "0" * 32, "uid": "forged", "said": "forged"}
FORGED |= {"owner": "somebody", "caution": "forged", "limit": 10**9, "_esm": "hacked = 1"}
MINE = ("in_url", "conversation", "uid", "said", "caution", "limit", "_esm")


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[AppServer]:
    with serving(tmp_path_factory.mktemp("app"), model, "--own-key") as started:
        yield started


@pytest.fixture(scope="module")
def theirs(browser: Browser, app: AppServer) -> Iterator[AppPage]:
    """The page of somebody else, who said something."""
    with visiting(browser, app) as page:
        page.asked("The secret of somebody else")
        yield page


@pytest.fixture(scope="module")
def attacked(browser: Browser, app: AppServer) -> Iterator[AppPage]:
    """A page with everything open, whose owner forges messages."""
    with visiting(browser, app, troubled=True) as page:
        page.asked("Before")
        page.open("Options")
        expect(page.drawer.get_by_label("Your own API key")).to_be_visible()
        page.evaluate(ATTACKER, page.sockets[0])
        yield page


def _comms(page: AppPage) -> list[str]:
    page.evaluate("forge('comm_info_request', {})")
    page.page.wait_for_function('heard.some((m) => m.msg_type === "comm_info_reply")')
    comms: list[str] = page.evaluate(COMMS)
    return comms


def _states(page: AppPage) -> dict[str, Any]:
    """What each widget of the page's kernel holds now, asked for anew."""
    page.evaluate(ATTACKER, page.sockets[0])
    comms = _comms(page)
    for comm in comms:
        page.evaluate("c => forge('comm_msg', {comm_id: c, data: {method: 'request_state'}})", comm)
    page.page.wait_for_function(f"n => Object.keys(({STATES})()).length >= n", arg=len(comms))
    states: dict[str, Any] = page.evaluate(STATES)
    return {
        comm: {name: state[name] for name in MINE if name in state}
        for comm, state in states.items()
        if "_esm" in state
    }


def test_forged_states_change_nothing_of_transcript_and_key(attacked: AppPage) -> None:
    before = _states(attacked)
    assert len(before) == 2
    for comm in before:
        message = {"comm_id": comm, "data": {"method": "update", "state": FORGED}}
        attacked.evaluate("m => forge('comm_msg', m)", message)
    assert _states(attacked) == before
    named = attacked.named()
    attacked.asked("After")
    assert attacked.conversation == named


def test_no_message_opens_or_shows_what_another_said(attacked: AppPage, theirs: AppPage) -> None:
    conversation = theirs.named()
    exchange = theirs.last.get_attribute("data-id")
    for comm in _states(attacked):
        for content in (
            {"type": "open", "id": conversation},
            {"type": "show_sent", "id": exchange},
            {"type": "version", "id": exchange, "step": 1},
            {"type": "edit", "id": exchange, "text": "Mine now"},
            {"type": "regenerate", "id": exchange},
        ):
            data = {"method": "custom", "content": content}
            message = {"comm_id": comm, "data": data}
            attacked.evaluate("m => forge('comm_msg', m)", message)
    attacked.asked("Are you through?")
    assert "secret of somebody else" not in attacked.evaluate("JSON.stringify(heard)")
    assert "secret of somebody else" not in attacked.page.content()
    assert conversation not in attacked.page.url
    theirs.reload()
    expect(theirs.rows).to_have_count(1)


@pytest.mark.parametrize(
    ("protocol", "sent"), [(V1, [255] * 8), (V1, []), (V1, [0] * 64), (None, [127, *[255] * 3])]
)
def test_bytes_that_are_no_message_end_the_socket_and_nothing_else(
    attacked: AppPage, protocol: str | None, sent: list[int]
) -> None:
    protocols = [protocol] if protocol else []
    assert attacked.evaluate(RAW, [attacked.sockets[0], protocols, sent]) == 1007
    attacked.asked("Still there?")


def test_bytes_for_a_socket_of_the_older_protocol_leave_the_server_at_work(
    attacked: AppPage, model: ChatServer
) -> None:
    attacked.evaluate(COUNT_BYTES, attacked.sockets[0])
    model.script(Reply("A formula, whose font comes in bytes: $x^2$"))
    attacked.asked("Show a formula")
    attacked.page.wait_for_function("window.came > 0")
    assert attacked.app.get("healthz").status == 200
    attacked.asked("Still there?")


def test_a_key_of_ones_own_is_used_and_seen_nowhere(
    browser: Browser, app: AppServer, model: ChatServer
) -> None:
    with visiting(browser, app) as page:
        frames: list[bytes] = []
        page.page.on("websocket", lambda socket: socket.on("framereceived", _kept(frames)))
        page.reload()
        page.open("Options")
        field = page.drawer.get_by_label("Your own API key")
        field.fill(CANARY)
        field.press("Enter")
        expect(page.drawer.get_by_text("Your key is used at 127.0.0.1")).to_be_visible()
        expect(field).to_have_value("")
        page.asked("With my key")
        assert model.posts[-1].headers["authorization"] == f"Bearer {CANARY}"
        assert len(frames) > 10
        assert not [frame for frame in frames if CANARY.encode() in frame]
        assert CANARY not in page.page.content()
        assert CANARY not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")
        page.reload()
        page.asked("Without it")
        assert CANARY not in model.posts[-1].headers.get("authorization", "")
    assert leaks(app.folder) == []


def _kept(frames: list[bytes]) -> Any:
    return lambda frame: frames.append(frame if isinstance(frame, bytes) else frame.encode())


def test_without_the_setting_there_is_no_field_for_a_key(
    tmp_path_factory: pytest.TempPathFactory, browser: Browser, model: ChatServer
) -> None:
    with (
        serving(tmp_path_factory.mktemp("plain"), model, "--preheated", "0") as app,
        visiting(browser, app) as page,
    ):
        page.open("Options")
        expect(page.drawer.get_by_label("Temperature")).to_be_visible()
        expect(page.page.locator("input[type=password]")).to_have_count(0)
