"""The app in a real browser: people apart, the conversation in the URL, the end of kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
from playwright.sync_api import Browser, Error, expect

from tests.app_page import (
    LONG,
    AppPage,
    kernel_process,
    kernel_processes,
    serving,
    tab,
    visiting,
    visitor,
)
from tests.app_server import AppServer
from tests.chat_server import ChatServer, Reply
from tests.chromium import launched, patient

pytestmark = pytest.mark.browser

REFUSAL = "names no conversation of yours"


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[AppServer]:
    with serving(tmp_path_factory.mktemp("app"), model) as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def left_behind(app: AppServer, browser: Browser) -> psutil.Process:
    """The kernel of a page whose browser died before all tests, without a word to the server."""
    other = launched(browser.browser_type)
    page = AppPage(patient(other.new_page()), app)
    page.load()
    kernel = kernel_process(app, page.kernel)
    with suppress(Error):
        other.new_browser_cdp_session().send("Browser.crash")
    assert kernel.is_running()
    return kernel


@pytest.fixture
def shown(browser: Browser, app: AppServer) -> Iterator[AppPage]:
    with visiting(browser, app) as page:
        yield page


@pytest.fixture(scope="module")
def two(browser: Browser, app: AppServer) -> Iterator[tuple[AppPage, AppPage]]:
    """Two people who have both asked something, and have their pages open at once."""
    with visiting(browser, app) as ada, visiting(browser, app) as grace:
        ada.asked("The engine of Ada")
        grace.asked("The compiler of Grace")
        yield ada, grace


def test_two_people_at_once_see_only_their_own_conversations(two: tuple[AppPage, AppPage]) -> None:
    for page, own in zip(two, ("The engine of Ada", "The compiler of Grace"), strict=True):
        page.open("Conversations")
        listed = page.drawer.get_by_role("option")
        expect(listed).to_have_count(1)
        expect(listed).to_contain_text(own)


def test_nobody_finds_what_another_said(two: tuple[AppPage, AppPage]) -> None:
    grace = two[1]
    for words, found in (("engine", 0), ("compiler", 1)):
        search = grace.drawer.get_by_placeholder("Search")
        search.fill(words)
        search.press("Enter")
        expect(grace.drawer.get_by_role("option")).to_have_count(found)


def test_an_export_of_everything_holds_only_ones_own(two: tuple[AppPage, AppPage]) -> None:
    grace = two[1]
    grace.open("Files")
    grace.drawer.get_by_label("All conversations").check()
    with grace.page.expect_download() as downloading:
        grace.press("Download")
    exported = downloading.value.path().read_text()
    assert "compiler of Grace" in exported
    assert "engine" not in exported


def test_the_link_of_anothers_conversation_opens_a_new_one(two: tuple[AppPage, AppPage]) -> None:
    ada, grace = two
    theirs = ada.named()
    with tab(grace.page.context, grace.app, f"?conversation={theirs}") as page:
        page.says(REFUSAL)
        expect(page.rows).to_have_count(0)
        assert page.conversation == ""
        page.asked("My own")
        assert page.named() != theirs
        assert "engine" not in page.page.content()


def test_a_reload_opens_the_conversation_of_the_url_in_a_new_kernel(shown: AppPage) -> None:
    assert shown.conversation == ""
    shown.asked("Remember this")
    named, before = shown.named(), shown.kernel
    shown.reload()
    expect(shown.last).to_contain_text("Remember this")
    assert shown.conversation == named
    assert shown.kernel != before
    shown.asked("And that")
    expect(shown.rows).to_have_count(2)
    assert shown.conversation == named


def test_a_reply_that_a_reload_cuts_stands_there_and_can_be_regenerated(
    shown: AppPage, model: ChatServer
) -> None:
    model.script(Reply(["The beginning ", "never seen"], stall_after=1))
    row = shown.ask("Tell me much")
    expect(row.locator(".ct-reply")).to_have_text("The beginning ")
    shown.named()
    shown.reload()
    expect(shown.last).to_have_attribute("data-state", "interrupted", timeout=LONG)
    expect(shown.last.locator(".ct-reply")).to_contain_text("The beginning")
    shown.last.get_by_label("Regenerate", exact=True).click()
    expect(shown.last).to_have_attribute("data-state", "complete", timeout=LONG)
    expect(shown.last.locator(".ct-version")).to_have_text("2/2")


def test_a_new_conversation_has_no_address_until_it_is_used(shown: AppPage) -> None:
    shown.asked("First")
    first = shown.named()
    shown.open("New")
    expect(shown.page).to_have_url(shown.app.url)
    shown.reload()
    expect(shown.notice).to_be_hidden()
    shown.asked("Second")
    assert shown.named() != first


def test_opening_another_conversation_changes_the_address(shown: AppPage) -> None:
    shown.asked("First")
    first = shown.named()
    shown.open("New")
    shown.asked("Second")
    shown.named()
    shown.open("Conversations")
    shown.drawer.get_by_role("listbox").select_option(index=1)
    shown.press("Open")
    expect(shown.last).to_contain_text("First")
    expect(shown.page).to_have_url(f"{shown.app.url}?conversation={first}")


def test_a_draft_outlives_a_reload(shown: AppPage) -> None:
    shown.box.fill("Half a thought")
    shown.reload()
    expect(shown.box).to_have_value("Half a thought")


def test_the_kernel_of_a_closed_tab_goes(browser: Browser, app: AppServer) -> None:
    with visitor(browser) as person, tab(person, app) as page:
        kernel = kernel_process(app, page.kernel)
        page.close()
        app.until(lambda: not kernel.is_running())


def test_a_reload_frees_the_kernel_before(shown: AppPage) -> None:
    before = kernel_process(shown.app, shown.kernel)
    shown.reload()
    shown.app.until(lambda: not before.is_running())


def test_a_kernel_that_died_while_it_waited_is_nobodys(
    shown: AppPage, two: tuple[AppPage, AppPage]
) -> None:
    shown.app.until(lambda: shown.app.kernels > shown.app.sessions)
    taken = {page.kernel for page in (shown, *two)}
    for kernel, process in kernel_processes(shown.app).items():
        if kernel not in taken:
            process.kill()
            process.wait()
    shown.reload()
    shown.asked("Is anybody there?")


def test_the_kernel_of_a_browser_that_died_goes_too(
    app: AppServer, left_behind: psutil.Process
) -> None:
    app.until(lambda: not left_behind.is_running())
