"""The app when server, kernel or session is gone: the page says so, and nothing is lost."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.app_page import LONG, AppPage, free_port, kernel_process, serving, visiting, visitor
from tests.app_server import AppServer
from tests.chat_server import ChatServer, Reply

pytestmark = pytest.mark.browser

LOST = "The server cannot be reached"
ENDED = "This session has ended"


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[AppServer]:
    with serving(tmp_path_factory.mktemp("app"), model, "--port", str(free_port())) as started:
        yield started


@pytest.fixture
def shown(browser: Browser, app: AppServer) -> Iterator[AppPage]:
    with visiting(browser, app, troubled=True) as page:
        yield page


def test_a_server_that_died_and_came_back_takes_the_conversation_up(shown: AppPage) -> None:
    shown.asked("Answered before")
    shown.box.fill("Typed, not sent")
    shown.app.stop(signal.SIGKILL)
    shown.says(LOST)
    shown.app.start()
    shown.says(ENDED)
    expect(shown.last).to_contain_text("Answered before")
    shown.goes_on()
    expect(shown.last).to_contain_text("Answered before")
    expect(shown.box).to_have_value("Typed, not sent")
    shown.asked("Answered after")
    expect(shown.rows).to_have_count(2)


def test_a_prompt_to_a_server_that_is_away_waits_and_comes_back(shown: AppPage) -> None:
    shown.app.stop(signal.SIGKILL)
    shown.says(LOST)
    shown.box.fill("Meanwhile")
    shown.box.press("Enter")
    waiting = shown.page.locator(".ct-unsent .ct-status")
    expect(waiting).to_contain_text("waits until the server can be reached")
    shown.says(LOST)
    shown.app.start()
    shown.says(ENDED)
    expect(shown.box).to_have_value("Meanwhile")


def test_what_came_before_the_kernel_died_is_kept(shown: AppPage, model: ChatServer) -> None:
    shown.asked("Answered before")
    model.script(Reply(["The beginning ", "never seen"], stall_after=1))
    row = shown.ask("Cut short")
    expect(row.locator(".ct-reply")).to_have_text("The beginning ")
    kept = list(shown.app.home.glob("history.db*"))  # four times a second
    shown.app.until(lambda: any(b"The beginning" in file.read_bytes() for file in kept))
    kernel_process(shown.app, shown.kernel).kill()
    shown.says(ENDED)
    expect(row).to_have_attribute("data-state", "interrupted")
    shown.goes_on()
    expect(shown.rows).to_have_count(2)
    expect(shown.last).to_have_attribute("data-state", "interrupted")
    expect(shown.last.locator(".ct-reply")).to_contain_text("The beginning")


def test_a_prompt_that_no_kernel_takes_comes_back(shown: AppPage) -> None:
    kernel = kernel_process(shown.app, shown.kernel)
    kernel.kill()
    kernel.wait()
    shown.box.fill("To nobody")
    shown.box.press("Enter")
    shown.says(ENDED)
    expect(shown.box).to_have_value("To nobody")
    shown.box.press("Enter")
    expect(shown.box).to_have_value("To nobody")
    shown.goes_on()
    expect(shown.box).to_have_value("To nobody")
    shown.box.press("Enter")
    expect(shown.last).to_have_attribute("data-state", "complete")


def test_the_command_lists_the_pages_and_ends_one(shown: AppPage) -> None:
    shown.asked("Who is there?")
    shown.named()
    listed = _sessions(shown.app)
    assert "Who is there?" in listed
    assert shown.kernel[:8] in listed
    ended = _sessions(shown.app, "--end", shown.kernel[:8])
    assert ended.startswith("Ended the page of visitor-")
    shown.says(ENDED)
    shown.goes_on()
    expect(shown.last).to_contain_text("Who is there?")


def _sessions(app: AppServer, *arguments: str) -> str:
    command = [sys.executable, "-m", "chat_magics", "sessions", *arguments]
    return subprocess.run(
        command, env=app.environment, cwd=app.folder, check=True, capture_output=True, text=True
    ).stdout


def test_a_page_whose_kernel_ends_before_it_is_shown_says_what_to_do(
    browser: Browser, app: AppServer
) -> None:
    with visitor(browser) as person:
        page = person.new_page()
        page.route("**/*.js*", lambda route: None)  # they come when this is taken back
        got = page.goto(app.url, wait_until="commit")
        assert got is not None
        found = re.search(r'"kernelId": "([0-9a-f-]{36})"', got.text())
        assert found is not None
        kernel_process(app, found[1]).kill()
        asked = f"{app.url}api/kernels/{found[1]}"
        app.until(lambda: person.request.get(asked).status == 404)
        page.unroute_all()
        expect(page.get_by_text("Load the page again")).to_be_visible(timeout=LONG)


def test_a_page_that_does_nothing_for_long_is_ended_and_says_so(
    tmp_path_factory: pytest.TempPathFactory, browser: Browser, model: ChatServer
) -> None:
    folder = tmp_path_factory.mktemp("idle")
    with (
        serving(folder, model, "--idle-minutes", "0.3", "--preheated", "0") as app,
        visiting(browser, app, troubled=True) as page,
    ):
        kernel = kernel_process(app, page.kernel)
        page.says(ENDED)
        app.until(lambda: not kernel.is_running())
        page.goes_on()
