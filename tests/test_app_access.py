"""The app for everyone, under a path of its own: sizes, themes, keyboard alone, axe-core."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.app_page import AppPage, serving, tab, visiting, visitor
from tests.app_server import AppServer
from tests.chat_server import ChatServer, Reply, Status
from tests.test_panel_access import AXE, DRAWERS, RICH, WIDER

pytestmark = pytest.mark.browser

REFUSED = {"error": {"message": "no", "type": "invalid"}}
LOOKS = [(1180, False), (390, False), (1180, True), (390, True)]
FITS = "document.documentElement.scrollWidth <= innerWidth && scrollX === 0"
RUN = """async () => (await axe.run(document)).violations
  .filter((v) => ["serious", "critical"].includes(v.impact))
  .map((v) => [v.id, ...v.nodes.map((n) => n.html.slice(0, 120) + n.failureSummary)])"""


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[AppServer]:
    arguments = ("--base-url", "/chat", "--own-key")
    with serving(tmp_path_factory.mktemp("app"), model, *arguments) as started:
        yield started


@pytest.fixture(scope="module", params=LOOKS, ids=["desktop", "phone", "dark", "dark-phone"])
def shown(
    request: pytest.FixtureRequest, browser: Browser, app: AppServer, model: ChatServer
) -> Iterator[AppPage]:
    """A page with a rich reply and one that failed."""
    width, dark = request.param
    with visiting(browser, app, width=width, dark=dark) as page:
        model.script(Reply(RICH), Status(400, REFUSED))
        page.asked("Show everything")
        page.asked("Fail", "error")
        yield page


def test_nothing_is_wider_than_the_page(shown: AppPage) -> None:
    assert shown.evaluate(FITS)
    for drawer in DRAWERS:
        shown.open(drawer)
        expect(shown.drawer).to_be_visible()
        assert shown.evaluate(FITS)
        assert shown.evaluate(WIDER) == []
    shown.open(DRAWERS[-1])


def test_the_bar_is_one_row(shown: AppPage) -> None:
    bar = shown.page.locator(".chat-magics-bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 36


def test_analytics_can_be_of_one_conversation_or_of_all(shown: AppPage) -> None:
    shown.open("Analytics")
    expect(shown.drawer.locator("img")).to_be_visible(timeout=240_000)
    for scope in ("This conversation", "All conversations"):
        found = shown.drawer.get_by_role("button", name=scope).bounding_box()
        assert found is not None
        assert found["height"] > 20
    shown.open("Analytics")


@pytest.mark.npm
def test_axe_finds_nothing_serious(shown: AppPage) -> None:
    shown.evaluate(AXE.read_text(encoding="utf-8"))
    found = [json.dumps(each) for each in shown.evaluate(RUN)]
    for drawer in DRAWERS:
        shown.open(drawer)
        expect(shown.drawer).to_be_visible()
        if drawer == "Analytics":
            expect(shown.drawer.locator("img")).to_be_visible(timeout=240_000)
        found += [json.dumps([drawer, *each]) for each in shown.evaluate(RUN)]
    shown.open(DRAWERS[-1])
    assert found == []


def test_on_a_low_page_the_box_stays_in_view(browser: Browser, app: AppServer) -> None:
    with visitor(browser, 590, 400) as person, tab(person, app) as page:
        for drawer in DRAWERS:
            page.open(drawer)
            expect(page.drawer).to_be_visible()
            box = page.box.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < 400


def test_it_is_as_dark_as_the_system_of_its_visitor(browser: Browser, app: AppServer) -> None:
    with visiting(browser, app, dark=True) as page:
        transcript = page.page.locator(".ct-root")
        expect(transcript).to_have_css("background-color", "rgb(33, 33, 33)")
        page.page.emulate_media(color_scheme="light")
        expect(transcript).to_have_css("background-color", "rgb(255, 255, 255)")
        page.page.emulate_media(color_scheme="dark")
        expect(page.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")


def test_under_a_path_of_its_own_all_stays_below_it(browser: Browser, app: AppServer) -> None:
    with visiting(browser, app) as page:
        assert app.url.endswith("/chat/")
        page.asked("Where am I?")
        page.named()
        (socket,) = page.sockets
        assert re.match(r"ws://127\.0\.0\.1:\d+/chat/api/kernels/", socket)
        paths = {cookie["name"]: cookie["path"] for cookie in page.page.context.cookies()}
        assert paths.pop("_xsrf") == "/"  # two of them, of two paths, would contradict each other
        assert set(paths.values()) == {"/chat/"}
        listed = page.evaluate("fetch('/chat/api/sessions').then((answer) => answer.json())")
        assert [each["title"] for each in listed["sessions"]] == ["Where am I?"]
        page.reload()
        expect(page.last).to_contain_text("Where am I?")


def test_the_app_works_by_keyboard_alone(
    browser: Browser, app: AppServer, model: ChatServer
) -> None:
    with visiting(browser, app) as page:
        keys = page.page.keyboard
        expect(page.box).to_be_focused()
        model.script(Reply(["The beginning ", "never seen"], stall_after=1))
        keys.type("By keyboard")
        keys.press("Enter")
        expect(page.last.locator(".ct-reply")).to_have_text("The beginning ")
        keys.press("Escape")
        expect(page.last).to_have_attribute("data-state", "stopped")
        walked = []
        while "Conversations" not in walked and len(walked) < 30:
            keys.press("Shift+Tab")
            walked.append(_focused(page))
        assert "Copy reply" in walked
        assert "no focus seen" not in walked
        keys.press("Enter")
        expect(page.drawer.get_by_placeholder("Search")).to_be_visible()


def _focused(page: AppPage) -> str:
    name: str = page.evaluate(
        "(({activeElement: e}) => { const s = getComputedStyle(e);"
        " if (s.outlineStyle === 'none' && s.boxShadow === 'none') return 'no focus seen';"
        " return e.getAttribute('aria-label') || e.innerText || e.tagName; })(document)"
    )
    return name.strip()
