"""What the app allows, seen in a real browser: requests, replies at a time, seats, page loads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, expect

from tests.app_browser import Browser as Cookies
from tests.app_page import LONG, serving, tab, visiting, visitor
from tests.app_server import Answered, AppServer
from tests.chat_server import ChatServer, Reply

pytestmark = pytest.mark.browser

SEATS = 2
WAITING = 1
LOADS = 20
FLOOD = 40


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[AppServer]:
    seats = ("--max-sessions", str(SEATS), "--preheated", str(WAITING))
    limits = {"REQUESTS_PER_MINUTE": "2", "MAX_LIMIT_WAIT": "10"}
    loads = {"SERVE_PAGE_LOADS_PER_MINUTE": str(LOADS)}
    with serving(tmp_path_factory.mktemp("app"), model, *seats, **limits, **loads) as started:
        yield started


def test_one_person_has_one_reply_at_a_time_over_all_tabs(
    browser: Browser, app: AppServer, model: ChatServer
) -> None:
    with visitor(browser) as person, tab(person, app) as one, tab(person, app) as other:
        model.script(Reply(["The beginning ", "and the end"], stall_after=1))
        first = one.ask("In the first tab")
        expect(first.locator(".ct-reply")).to_have_text("The beginning ")
        second = other.ask("In the second tab")
        expect(second.locator(".ct-status")).to_contain_text("your other reply")
        asked = len(model.posts)
        model.release()
        for row in (first, second):
            expect(row).to_have_attribute("data-state", "complete", timeout=LONG)
        assert len(model.posts) == asked + 1


def test_a_limit_holds_over_reloads_and_says_when_it_goes_on(
    browser: Browser, app: AppServer, model: ChatServer
) -> None:
    app.until(lambda: app.sessions == 0)
    with visiting(browser, app) as page, visiting(browser, app) as somebody_else:
        page.asked("One")
        page.asked("Two")
        page.named()
        page.reload()
        asked = len(model.posts)
        row = page.asked("Three", "error")
        expect(row.locator(".ct-error")).to_contain_text("2 requests a minute are reached")
        expect(row.locator(".ct-error")).to_contain_text("again in ")
        assert len(model.posts) == asked
        somebody_else.asked("Mine")


def test_the_page_says_in_words_that_all_seats_are_taken(browser: Browser, app: AppServer) -> None:
    app.until(lambda: app.sessions == 0)
    with visiting(browser, app), visiting(browser, app), visitor(browser) as late:
        page = late.new_page()
        answer = page.goto(app.url)
        assert answer is not None
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        expect(page.get_by_role("heading")).to_have_text("All seats are taken.")
        expect(page.get_by_text("tries again in 30 seconds")).to_be_visible()


def test_a_page_that_is_loaded_anew_has_the_place_of_the_one_before(app: AppServer) -> None:
    app.until(lambda: app.sessions == 0)
    ada = Cookies(app)
    kernels = [ada.open_page() for _ in range(SEATS)]
    anew = ada.sent("GET", "/")
    assert app.sessions == SEATS  # the server has seen the page before it hears of the other's end
    assert ada.submit(f"/voila/api/shutdown/{kernels.pop()}").status == 204
    kernels.append(ada.kernel_of(ada.got(anew)))
    for kernel in kernels:
        assert ada.submit(f"/voila/api/shutdown/{kernel}").status == 204


def test_a_flood_of_reloads_is_bounded(app: AppServer) -> None:
    app.until(lambda: (app.sessions, app.kernels) == (0, WAITING))
    most, over = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.is_set():
            most = max(most, app.kernels)

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(FLOOD) as pool:
        answers: list[Answered] = list(pool.map(app.get, [""] * FLOOD))
    over.set()
    watching.join()
    counted = Counter(answer.status for answer in answers)
    assert set(counted) == {200, 429, 503}
    assert counted[200] == SEATS
    assert counted[429] >= FLOOD - LOADS
    assert all(int(a.headers["Retry-After"]) > 0 for a in answers if a.status != 200)
    assert SEATS <= most <= SEATS + WAITING
