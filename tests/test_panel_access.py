"""The panel for everyone, in real JupyterLab: keyboard alone, axe-core, the dark theme, a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.aimock import FOLDER
from tests.chat_server import ChatServer, Reply, Status
from tests.lab import Lab
from tests.panel_lab import Panel, lab_with_extension, panel_in

pytestmark = pytest.mark.browser

AXE = Path(FOLDER) / "axe-core/axe.min.js"
DRAWERS = ("Conversations", "Options", "Files", "Analytics")
RICH = (
    "## Checks\n\nA [link](https://example.com) and `code`.\n\n```python\ndef f(x):  # comment\n"
    "    return 'text' + 12 if x else None\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n$$x^2$$"
)
REFUSED = {"error": {"message": "no", "type": "invalid"}}
WIDER = """() => [...document.querySelectorAll(".chat-magics-panel, .chat-magics-panel *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest("pre, .ct-wide, .chat-magics-math"))
  .map((e) => e.className)"""


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with lab_with_extension(folder, model, CHAT_MAGICS_CACHE="false") as started:
        yield started


def _filled(panel: Panel, model: ChatServer) -> None:
    model.script(Reply(RICH), Status(400, REFUSED))
    panel.asked("Show everything")
    panel.ask("Fail")
    panel.ended(panel.row("Fail"), "error")


def _findings(panel: Panel) -> list[str]:
    """What axe-core finds in the panel that is serious, with each drawer open in turn."""
    panel.page.evaluate(AXE.read_text(encoding="utf-8"))
    run = (
        "async () => (await axe.run('.chat-magics-panel', {rules: {region: {enabled: false}}}))"
        ".violations.filter((v) => ['serious', 'critical'].includes(v.impact))"
        ".map((v) => [v.id, ...v.nodes.map((n) => n.html.slice(0, 120) + n.failureSummary)])"
    )
    found: list[str] = [json.dumps(each) for each in panel.page.evaluate(run)]
    for drawer in DRAWERS:
        panel.open(drawer)
        expect(panel.drawer).to_be_visible()
        if drawer == "Analytics":
            expect(panel.drawer.locator("img")).to_be_visible(timeout=240_000)
        found += [json.dumps([drawer, *each]) for each in panel.page.evaluate(run)]
    panel.open(DRAWERS[-1])
    return found


@pytest.mark.npm
def test_axe_finds_nothing_serious_in_the_light_theme(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    with panel_in(browser, lab, "light") as panel:
        _filled(panel, model)
        panel.sheet.errors.clear()
        assert _findings(panel) == []


def test_on_a_phone_nothing_is_wider_than_the_page(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    with panel_in(browser, lab, "phone", width=390) as panel:
        _filled(panel, model)
        for drawer in DRAWERS:
            panel.open(drawer)
            expect(panel.drawer).to_be_visible()
            assert panel.page.evaluate(WIDER) == []


def test_the_whole_panel_works_by_keyboard_alone(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    with panel_in(browser, lab, "keys") as panel:
        keys = panel.page.keyboard
        panel.box.focus()
        keys.type("By keyboard")
        keys.press("Enter")
        panel.ended(panel.row("By keyboard"))
        expect(panel.box).to_be_focused()
        keys.press("ArrowUp")
        expect(panel.box).to_have_value("By keyboard")
        panel.box.fill("")
        walked = []
        while "Conversations" not in walked and len(walked) < 30:
            keys.press("Shift+Tab")
            walked.append(_focused(panel))
        assert "Copy reply" in walked
        assert "no focus seen" not in walked
        keys.press("Enter")
        search = panel.drawer.get_by_placeholder("Search")
        expect(search).to_be_visible()
        for _ in ("Options", "Files", "Analytics", "Search"):
            keys.press("Tab")
        expect(search).to_be_focused()
        keys.type("nothing has this")
        keys.press("Enter")
        expect(panel.said).to_have_text("Nothing was found.")


def _focused(panel: Panel) -> str:
    name: str = panel.page.evaluate(
        "(({activeElement: e}) => { const s = getComputedStyle(e);"
        " if (s.outlineStyle === 'none' && s.boxShadow === 'none') return 'no focus seen';"
        " return e.getAttribute('aria-label') || e.innerText || e.tagName; })(document)"
    )
    return name.strip()


@pytest.mark.npm
def test_axe_finds_nothing_serious_in_the_dark_theme(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    lab.use_dark_theme()
    with panel_in(browser, lab, "dark") as panel:
        _filled(panel, model)
        panel.sheet.errors.clear()
        assert _findings(panel) == []
