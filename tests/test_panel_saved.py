"""The panel where no kernel is, in the dock, and in Notebook 7."""

from __future__ import annotations

import subprocess
import sys

import pytest
from playwright.sync_api import Browser, expect

from tests.chat_server import ChatServer, Reply
from tests.lab import IDLE, Lab
from tests.panel_lab import (
    LONG,
    SHOW,
    Panel,
    kernel_ready,
    page_of,
    panel_in,
)

pytestmark = pytest.mark.browser

ANSWER = "A **left join** keeps $x^2$ rows.\n\n```python\nprint(1)\n```\n"
STILL = ".chat-magics-static"


@pytest.fixture(scope="module")
def saved(browser: Browser, lab: Lab, model: ChatServer) -> str:
    """A notebook with a panel and one reply, saved and closed, its kernel shut down."""
    model.script(Reply(ANSWER))
    with panel_in(browser, lab, "saved") as panel:
        panel.asked("Why <b>a join</b>?")
        expect(panel.page.locator(f"{STILL} strong")).to_have_count(1)
        expect(panel.page.locator(STILL)).to_be_hidden()
        panel.save()
        panel.page.locator("#jp-MainMenu").get_by_text("Kernel", exact=True).click()
        panel.page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
        panel.page.get_by_text("| No Kernel").or_(
            panel.page.get_by_text("| Unknown")
        ).first.wait_for()
        panel.sheet.errors.clear()
    return "saved.ipynb"


def test_a_reopened_notebook_shows_the_conversation_before_it_is_run(
    browser: Browser, lab: Lab, saved: str
) -> None:
    with page_of(browser) as sheet:
        sheet.page.goto(f"{lab.url}/doc/tree/{saved}?reset")
        kernel_ready(sheet.page)
        expect(sheet.page.locator(f"{STILL} .chat-magics-prompt")).to_have_text(
            "Why <b>a join</b>?"
        )
        expect(sheet.page.locator(f"{STILL} strong")).to_have_text("left join")
        expect(sheet.page.get_by_text("Error displaying widget")).to_be_hidden()
        sheet.run(0)
        panel = Panel(sheet, lab, saved)
        expect(panel.box).to_be_visible(timeout=LONG)
        expect(sheet.page.locator(STILL)).to_have_count(0)


def test_converted_to_html_it_shows_the_conversation_and_asks_nobody(
    browser: Browser, lab: Lab, saved: str
) -> None:
    command = [sys.executable, "-m", "nbconvert", "--to", "html", saved]
    subprocess.run(command, cwd=lab.folder, check=True, capture_output=True)
    with page_of(browser) as sheet:
        sheet.page.route("**/*", lambda r: r.continue_() if "file:" in r.request.url else r.abort())
        sheet.page.goto((lab.folder / "saved.html").as_uri())
        expect(sheet.page.locator(f"{STILL} strong")).to_have_text("left join")
        expect(sheet.page.locator(f"{STILL} .chat-magics-caption")).to_contain_text("test-model")
        expect(sheet.page.get_by_text("ChatPanel(children")).to_have_count(0)
        sheet.outside.clear()  # nbconvert's own page asks for require.js and MathJax


def test_dock_shows_the_panel_at_the_right(browser: Browser, lab: Lab) -> None:
    with panel_in(browser, lab, "dock", "panel.dock()") as panel:
        panel.sheet.run(1)
        dock = panel.page.locator(".chat-magics-dock .chat-magics-panel")
        expect(dock.get_by_role("textbox", name="Message")).to_be_visible(timeout=LONG)
        dock.get_by_role("textbox", name="Message").fill("In the dock")
        dock.get_by_role("textbox", name="Message").press("Enter")
        panel.ended(panel.row("In the dock"))
        expect(dock.locator(".ct-reply")).to_have_text("Hello from the test server.")


def test_where_no_dock_is_that_is_said(browser: Browser, lab: Lab) -> None:
    with panel_in(browser, lab, "nodock", "panel.dock()") as panel:
        panel.page.evaluate(
            "addEventListener('chat-magics:dock', (e) => e.stopImmediatePropagation(), true)"
        )
        panel.sheet.run(1)
        expect(panel.notice).to_contain_text("no dock")


def test_notebook_7_asks_streams_and_inserts(browser: Browser, lab: Lab, model: ChatServer) -> None:
    model.script(Reply(ANSWER))
    lab.write("seven.ipynb", SHOW)
    with page_of(browser) as sheet:
        sheet.page.goto(f"{lab.url}/notebooks/seven.ipynb")
        sheet.page.wait_for_selector(IDLE, timeout=LONG)
        sheet.errors.clear()  # Notebook 7 itself has some while it loads
        sheet.run(0)
        panel = Panel(sheet, lab, "seven.ipynb")
        expect(panel.box).to_be_visible(timeout=LONG)
        row = panel.asked("In Notebook 7")
        row.get_by_label("Insert as a cell below").click()
        expect(sheet.page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2)
        panel.open("Options")
        expect(panel.drawer.get_by_label("Temperature")).to_be_visible()
        assert sheet.errors == []
