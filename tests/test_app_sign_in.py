"""The sign-in page in a real browser: the token is typed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.app_page import AppPage, serving, visitor
from tests.app_server import AppServer
from tests.chat_server import ChatServer
from tests.panel_lab import chromium

pytestmark = pytest.mark.browser

TOKEN = "sesame-0123456789"


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of somebody who was not let in yet."""
    with visitor(browser) as person:
        yield person.new_page()


def sign_in(page: Page, token: str) -> None:
    """Types the token, and sends it by the keyboard."""
    page.locator("input[type=password]").fill(token)
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
