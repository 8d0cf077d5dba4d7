"""The panel on a page of real Voilà, used through a real browser: wide, and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.chat_server import ChatServer, Reply
from tests.test_lab import WIDE, WIDER
from tests.voila import Visit, Voila, visited

pytestmark = pytest.mark.browser

PAGE = "from chat_widgets import ChatPanel\nChatPanel()"
SIZES = {"desktop": (1180, 900), "phone": (390, 800)}
SCROLLERS = "html, body, .lm-BoxPanel-child, .jp-OutputArea-output, .chat-magics-panel, .ct-log"
IN_VIEW = """e => { const box = e.getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight && box.bottom > innerHeight - 60 }"""


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def voila(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[Voila]:
    folder = tmp_path_factory.mktemp("voila")
    settings = {"BASE_URL": model.url, "MODEL": "test-model", "CACHE": "0"}
    environment = {f"CHAT_MAGICS_{name}": value for name, value in settings.items()}
    with Voila(folder, PAGE, **environment) as started:
        yield started
        assert "Traceback" not in started.log


@pytest.fixture(scope="module", params=SIZES)
def visit(request: pytest.FixtureRequest, voila: Voila) -> Iterator[Visit]:
    width, height = SIZES[request.param]
    with visited(voila, width=width, height=height) as shown:
        yield shown
        assert shown.errors == []
        assert shown.outside == []


def test_a_reply_streams_with_code_table_and_formula(visit: Visit, model: ChatServer) -> None:
    model.script(Reply(["The beginning ", "never before release\n\n", WIDE], stall_after=1))
    visit.box.fill("Why?")
    visit.box.press("Enter")
    expect(visit.last.locator(".ct-reply")).to_have_text("The beginning ", use_inner_text=False)
    expect(visit.last).to_have_attribute("data-state", "streaming")
    model.release()
    expect(visit.last).to_have_attribute("data-state", "complete")
    for shown in ("table td", "pre[data-lang=python] .pg-n", "math msub", ".chat-magics-math"):
        expect(visit.last.locator(shown).first).to_be_visible()
    expect(visit.last.locator(".ct-caption")).to_contain_text("test-model · 10 →")


def test_the_page_does_not_scroll_sideways_and_what_is_wide_does(visit: Visit) -> None:
    assert visit.page.eval_on_selector_all(SCROLLERS, WIDER) == []
    if visit.page.viewport_size == {"width": 390, "height": 800}:
        for scrolls in (".ct-wide", ".ct-code pre", "div.chat-magics-math"):
            assert visit.page.eval_on_selector_all(scrolls, WIDER) != []


def test_the_panel_fills_the_page(visit: Visit) -> None:
    assert visit.page.locator(".ct-root").evaluate(IN_VIEW)
    assert visit.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert visit.evaluate(
        "(e => e.scrollHeight <= e.clientHeight)(document.querySelector('.lm-BoxPanel-child'))"
    )


def test_stop_keeps_what_came(visit: Visit, model: ChatServer) -> None:
    model.script(Reply(["First words ", "never seen"], stall_after=1))
    visit.box.fill("Stop me")
    visit.box.press("Enter")
    expect(visit.last.locator(".ct-reply")).to_have_text("First words ")
    before = model.disconnects
    visit.page.get_by_role("button", name="Stop").click()
    model.until(lambda: model.disconnects > before)
    expect(visit.last).to_have_attribute("data-state", "stopped")
    expect(visit.last.locator(".ct-reply")).to_have_text("First words ")


def test_stop_before_the_first_token_gives_the_box_back(visit: Visit, model: ChatServer) -> None:
    model.script(Reply("never seen", stall_after=0))
    asked = len(model.posts)
    visit.box.fill("Stop me at once")
    visit.box.press("Enter")
    model.until(lambda: len(model.posts) > asked)
    visit.page.get_by_role("button", name="Stop").click()
    expect(visit.page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    model.release()


def test_the_options_of_the_drawer_are_asked_with(visit: Visit, model: ChatServer) -> None:
    visit.page.get_by_role("button", name="Options").click()
    visit.page.get_by_label("Temperature").fill("0.25")
    visit.page.get_by_label("System prompt").fill("Be short.")
    visit.page.get_by_label("System prompt").blur()
    assert visit.page.eval_on_selector_all(SCROLLERS, WIDER) == []
    visit.page.get_by_role("button", name="Options").click()
    visit.ask("With options")
    assert model.bodies[-1]["temperature"] == 0.25
    assert model.bodies[-1]["messages"][0]["content"] == "Be short."
