"""Who gets in, and whose page is whose: over HTTP and websocket, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.web import create_signed_value
from websockets.exceptions import InvalidStatus

from chat_magics.server.notices import notices
from tests.app_browser import Browser, message
from tests.app_page import kernel_process
from tests.app_people import App, app_on

TOKEN = "let-me-in-0123456789"
SECRET = "signs-cookies-0123456789"
PARTNER = "https://partner.example"
SHOWN = f"token {TOKEN}"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app behind a token."""
    told = {
        "CHAT_MAGICS_SERVE_TOKEN": TOKEN,
        "CHAT_MAGICS_SERVE_COOKIE_SECRET": SECRET,
        "CHAT_MAGICS_SERVE_ALLOW_ORIGINS": PARTNER,
        "CHAT_MAGICS_REQUESTS_PER_MINUTE": "1000",
        "CHAT_MAGICS_REQUESTS_PER_MINUTE_PER_ADDRESS": "1000",
    }
    with app_on(tmp_path_factory.mktemp("app"), **told) as running:
        yield running


@pytest.fixture
def ada(app: App) -> Browser:
    """A browser that was let in."""
    browser = Browser(app.server)
    browser.get(f"/?token={TOKEN}")
    return browser


@pytest.fixture(scope="module")
def page(app: App) -> tuple[Browser, str]:
    """A browser with its page, and the page's kernel."""
    browser = Browser(app.server)
    browser.get(f"/?token={TOKEN}")
    return browser, browser.open_page()


def refused(browser: Browser, kernel: str, origin: str | None = None) -> int:
    """The status with which a websocket is refused."""
    with pytest.raises(InvalidStatus) as told:
        browser.socket(kernel, origin)
    return told.value.response.status_code


def test_without_the_token_a_browser_is_asked_for_it_and_a_program_refused(app: App) -> None:
    kernels = app.server.kernels
    page = Browser(app.server).get("/?conversation=abc")
    assert (page.status, page.headers["Location"]) == (302, "/login?next=%2F%3Fconversation%3Dabc")
    assert Browser(app.server).query("Hello").status == 401
    assert app.server.kernels == kernels


@pytest.mark.parametrize("shown", [SHOWN, f"Bearer {TOKEN}"])
def test_the_token_admits_a_program_which_is_the_same_person_each_time(
    app: App, shown: str
) -> None:
    sessions = []
    for _ in range(2):
        program = Browser(app.server)
        assert program.query("Hello", Authorization=shown).status == 200
        sessions.append(program.get("/api/sessions", Authorization=shown).json["sessions"])
    assert len(sessions[1]) == len(sessions[0]) + 1
    assert {each["owner"] for each in sessions[1]} == {sessions[0][0]["owner"]}


@pytest.mark.parametrize(
    "shown", ["token wrong", f"token {TOKEN}x", "token ", "Basic abc", "token \u00e9", TOKEN]
)
def test_a_wrong_token_admits_nobody(app: App, shown: str) -> None:
    program = Browser(app.server)
    assert program.query("Hello", Authorization=shown).status == 401
    assert program.get("/?token=wrong").headers["Location"].startswith("/login?")
    assert not program.cookies


def test_a_link_with_the_token_leaves_a_cookie_and_no_token_in_the_address(app: App) -> None:
    browser = Browser(app.server)
    got = browser.get(f"/?token={TOKEN}&conversation=abc")
    assert (got.status, got.headers["Location"]) == (302, "/?conversation=abc")
    cookie = next(c for c in got.headers.get_all("Set-Cookie") if c.startswith("user"))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert TOKEN not in cookie
    assert browser.query("Hello").status == 200


def test_a_cookie_that_came_by_https_goes_by_nothing_else(app: App) -> None:
    for told, secure in (("https", True), ("http", False)):
        got = Browser(app.server).get(f"/?token={TOKEN}", X_Forwarded_Proto=told)
        (cookie,) = [c for c in got.headers.get_all("Set-Cookie") if c.startswith("user")]
        assert ("Secure" in cookie) is secure


def test_the_token_can_be_typed(app: App) -> None:
    browser = Browser(app.server)
    browser.get("/login")
    assert browser.submit("/login", password="wrong").status == 401
    assert browser.submit("/login?next=//evil.example/", password=TOKEN).headers["Location"] == "/"
    assert browser.query("Hello").status == 200


def test_a_form_of_another_page_signs_nobody_in(app: App) -> None:
    browser = Browser(app.server)
    assert browser.submit("/login", password=TOKEN).status == 403
    assert not browser.cookies or browser.query("Hello").status == 401


def test_two_browsers_are_two_people(app: App, ada: Browser) -> None:
    eve = Browser(app.server)
    eve.get(f"/?token={TOKEN}")
    id = ada.query("Private").json["session"]
    assert ada.get(f"/api/sessions/{id}").status == 200
    assert eve.get(f"/api/sessions/{id}").status == 404
    assert ada.owner != eve.owner


def test_with_a_cookie_one_is_oneself_whatever_else_is_shown(ada: Browser) -> None:
    owner = ada.owner
    ada.query("Hello", Authorization=SHOWN)
    assert ada.owner == owner


def test_a_cookie_that_was_changed_admits_nobody(app: App, ada: Browser) -> None:
    name, value = ada.login
    forged = create_signed_value("of another server", name, json.dumps({"username": "root"}))
    for changed in (value[:-2] + '0"', value.replace("2|", "1|", 1), forged.decode(), "x", "{}"):
        eve = Browser(app.server)
        eve.cookies[name] = changed
        assert eve.query("Hello").status == 401


@pytest.mark.parametrize("kept", ['"root"', "[]", "{", '{"username": 1}', '{"username": "root"}'])
def test_a_signed_cookie_that_says_something_else_admits_nobody(
    app: App, ada: Browser, kept: str
) -> None:
    name, _ = ada.login
    eve = Browser(app.server)
    eve.cookies[name] = create_signed_value(SECRET, name, kept).decode()
    assert eve.query("Hello").status == 401


def test_a_new_token_shuts_out_who_knew_the_old_one_and_keeps_who_they_are(app: App) -> None:
    browser = Browser(app.server)
    browser.get(f"/?token={TOKEN}")
    name, _ = browser.login
    before = json.dumps({"username": "visitor-of-old", "admitted": "by another"})
    browser.cookies[name] = create_signed_value(SECRET, name, before).decode()
    assert browser.query("Hello").status == 401
    browser.get(f"/?token={TOKEN}")
    assert browser.owner == "visitor-of-old"


def test_a_page_whose_kernel_is_gone_hears_its_status_and_the_log_has_no_word_of_it(
    app: App, ada: Browser
) -> None:
    said = app.server.log
    for _ in range(2):
        with pytest.raises(InvalidStatus) as told:
            ada.socket("00000000-0000-0000-0000-000000000000")
        assert (told.value.response.status_code, told.value.response.body) == (404, b"")
    assert app.server.log == said


@pytest.mark.parametrize(
    ("path", "headers", "status", "said"),
    [
        ("/nothing", {}, 404, b"Nothing is here"),
        ("/voila/labextensions/none/x.js", {}, 404, b"Nothing is here"),
        ("/", {"Host": "rebound.example"}, 403, b"Not let in"),
    ],
)
def test_an_error_is_told_in_a_page_that_asks_no_other_host(
    ada: Browser, path: str, headers: dict[str, str], status: int, said: bytes
) -> None:
    got = ada.get(path, **headers)
    assert got.status == status
    assert said in got.body
    assert b'<a href="/">Open the app</a>' in got.body
    assert b"://" not in got.body


def test_a_fault_of_the_server_is_told_without_its_details() -> None:
    told = {"status_code": 500, "message": "key", "exception": ValueError("key"), "base_url": "/"}
    html = notices().get_template("error.html").render(told)
    assert "This did not work" in html
    assert "key" not in html


def test_nobody_loses_their_conversations_by_signing_out(ada: Browser) -> None:
    assert ada.get("/logout").status == 404
    assert ada.query("Hello").status == 200


@pytest.mark.parametrize("path", ["/", "/login", "/api/models", "/api/nothing", "/nothing"])
def test_every_answer_tells_browsers_what_it_may_do(ada: Browser, path: str) -> None:
    headers = ada.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "object-src 'none'" in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_files_are_what_they_say(ada: Browser) -> None:
    assert ada.get("/voila/static/voila.js").headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_of_an_allowed_origin_may_ask(ada: Browser) -> None:
    asked = ada.ask("OPTIONS", "/api/query", Origin=PARTNER, Access_Control_Request_Method="POST")
    assert asked.status == 204
    for got in (asked, ada.query("Hello", Origin=PARTNER)):
        assert got.headers["Access-Control-Allow-Origin"] == PARTNER
        assert "Origin" in got.headers["Vary"]


def test_the_page_of_any_other_origin_may_not(ada: Browser) -> None:
    for origin in ("https://evil.example", "https://partner.example.evil.example", "null"):
        for got in (
            ada.query("Hello", Origin=origin),
            ada.ask("OPTIONS", "/api/query", Origin=origin),
        ):
            assert got.status == 403
            assert "Access-Control-Allow-Origin" not in got.headers


def test_under_another_name_nothing_of_a_person_is_given(ada: Browser) -> None:
    for path in ("/", "/api/sessions", "/login"):
        assert ada.get(path, Host="rebound.example").status == 403
    assert ada.get("/api/models", Host="partner.example").status in (200, 401)


def test_a_page_talks_to_its_kernel(app: App, page: tuple[Browser, str]) -> None:
    browser, kernel = page
    assert browser.get(f"/api/kernels/{kernel}").status == 200
    with browser.socket(kernel, app.server.url.rstrip("/")) as socket:
        socket.send(message("kernel_info_request", {}))
        while json.loads(socket.recv(30))["msg_type"] != "kernel_info_reply":
            pass


def test_a_page_of_another_origin_gets_no_socket(page: tuple[Browser, str]) -> None:
    browser, kernel = page
    assert refused(browser, kernel, "https://evil.example") == 403


def test_nobody_gets_near_anothers_kernel(
    app: App, ada: Browser, page: tuple[Browser, str]
) -> None:
    browser, kernel = page
    for stranger, status in ((ada, 404), (Browser(app.server), 403)):
        stranger.get("/login")
        assert refused(stranger, kernel) == status
        assert stranger.get(f"/api/kernels/{kernel}").status == status
        assert stranger.submit(f"/voila/api/shutdown/{kernel}").status == status
        shown = {"X_XSRFToken": stranger.cookies["_xsrf"]}
        assert stranger.ask("DELETE", f"/api/kernels/{kernel}", **shown).status == status
    assert browser.get(f"/api/kernels/{kernel}").status == 200


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_no_code_runs_by_the_websocket(
    page: tuple[Browser, str], tmp_path: Path, channel: str
) -> None:
    browser, kernel = page
    wish = {"code": f"open({str(tmp_path / 'ran')!r}, 'w')", "silent": False}
    with browser.socket(kernel) as socket:
        socket.send(message("execute_request", wish, channel))
        socket.send(message("kernel_info_request", {}, channel))  # those are served in their order
        kinds = []
        while "kernel_info_reply" not in kinds:
            kinds.append(json.loads(socket.recv(30))["msg_type"])
    assert "execute_reply" not in kinds
    assert not (tmp_path / "ran").exists()


def test_a_page_ends_its_kernel_and_no_form_without_its_cookie_does(app: App, ada: Browser) -> None:
    kernel = ada.open_page()
    xsrf = ada.cookies.pop("_xsrf")
    assert ada.submit(f"/voila/api/shutdown/{kernel}").status == 403
    ada.cookies["_xsrf"] = xsrf
    assert ada.submit(f"/voila/api/shutdown/{kernel}").status == 204
    assert ada.get(f"/api/kernels/{kernel}").status == 404


def test_a_page_that_goes_while_its_kernel_is_asked_is_no_fault(app: App, ada: Browser) -> None:
    kernel = ada.open_page()
    process = kernel_process(app.server, kernel)
    process.suspend()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
    path = f"/api/kernels/{kernel}/channels"
    ada.sent("GET", path, Sec_WebSocket_Key="x" * 22 + "==", **upgrade).close()
    for _ in range(20):  # the server turns to other things, and sees meanwhile who has gone
        assert ada.get("/login").status in (200, 302)
    process.resume()
    with ada.socket(kernel) as socket:
        socket.send(message("kernel_info_request", {}))
        while json.loads(socket.recv(240))["msg_type"] != "kernel_info_reply":
            pass
    assert "Traceback" not in app.server.log
