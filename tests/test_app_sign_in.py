"""The sign-in page in a real browser: the token is typed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app_page import AppPage, serving, visitor
from tests.app_server import AppServer
from tests.chat_server import ChatServer
from tests.test_panel_access import AXE

pytestmark = pytest.mark.browser

TOKEN = "sesame-0123456789"
BRIGHTNESS = "eval(getComputedStyle(document.body).backgroundColor.slice(4, -1).replace(/,/g, '+'))"


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[AppServer]:
    with serving(
        tmp_path_factory.mktemp("app"), model, "--base-url", "/chat", SERVE_TOKEN=TOKEN
    ) as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of somebody who was not let in yet."""
    with visitor(browser) as person:
        yield person.new_page()


def sign_in(page: Page, token: str) -> None:
    """Types the token where the focus is, and sends it by the keyboard."""
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.insert_text(token)
    page.keyboard.press("Enter")


def test_who_types_the_token_gets_the_page_that_they_wanted(page: Page, app: AppServer) -> None:
    shown = AppPage(page, app)
    page.goto(f"{app.url}?theme=dark")
    sign_in(page, TOKEN)
    page.wait_for_url(f"{app.url}?theme=dark*")
    shown.usable()
    shown.asked("Let in")
    assert (shown.errors, shown.outside) == ([], [])


def test_the_token_of_a_link_is_in_no_referrer(page: Page, app: AppServer) -> None:
    told: list[str] = []
    page.on("request", lambda request: told.append(request.headers.get("referer", "")))
    shown = AppPage(page, app)
    shown.load(f"?token={TOKEN}")
    assert TOKEN not in page.url
    assert [each for each in told if TOKEN in each] == []


def test_a_wrong_token_is_told_in_a_line_and_the_next_one_gets_in(
    page: Page, app: AppServer
) -> None:
    page.goto(f"{app.url}?theme=dark")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_have_text("This is not the token.")
    expect(page.get_by_label("Token")).to_have_accessible_description("This is not the token.")
    expect(page.get_by_label("Token")).to_have_value("")
    sign_in(page, f" {TOKEN} ")
    page.wait_for_url(f"{app.url}?theme=dark*")


@pytest.mark.parametrize(
    "next", ["//evil.example/", "https://evil.example", "/chat/..//evil.example"]
)
def test_signing_in_leads_to_no_other_host(page: Page, app: AppServer, next: str) -> None:
    page.goto(f"{app.url}login?next={quote(next)}")
    sign_in(page, TOKEN)
    page.wait_for_url(lambda url: "/login" not in url, wait_until="commit")
    assert urlsplit(page.url).netloc == urlsplit(app.url).netloc


def test_who_is_signed_in_already_is_led_on(page: Page, app: AppServer) -> None:
    page.goto(f"{app.url}?token={TOKEN}")
    page.goto(f"{app.url}login")
    page.wait_for_url(app.url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_in_either_scheme_and_asks_for_nothing_else(
    browser: Browser, app: AppServer, scheme: Literal["light", "dark"]
) -> None:
    with visitor(browser, width=390, height=700) as person:
        page = person.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{app.url}login")
        page.wait_for_load_state("networkidle")
        assert asked == [f"{app.url}login"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert (page.evaluate(BRIGHTNESS) > 380) is (scheme == "light")


@pytest.mark.npm
def test_axe_finds_nothing_on_the_sign_in_page(page: Page, app: AppServer) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{app.url}login")
        sign_in(page, "wrong")
        page.get_by_role("alert").wait_for()
        page.evaluate(AXE.read_text(encoding="utf-8"))
        assert page.evaluate("axe.run(document).then((found) => found.violations)") == []
