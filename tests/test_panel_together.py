"""The panel beside cells, other panels, other tabs, and through what goes wrong in between."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, WebSocketRoute, expect

from tests.chat_server import ChatServer, Reply
from tests.lab import Lab
from tests.panel_lab import (
    LONG,
    Panel,
    kernel_ready,
    lab_with_extension,
    panel_in,
    watched,
)

pytestmark = pytest.mark.browser

SLEEP = "import pathlib, time\nwhile not pathlib.Path('{go}').exists():\n    time.sleep(0.02)\n"
COMPUTE = "import pathlib\nwhile not pathlib.Path('{go}').exists():\n    sum(range(100_000))\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with lab_with_extension(folder, model, CHAT_MAGICS_CACHE="false") as started:
        yield started


@pytest.fixture(autouse=True)
def _released(model: ChatServer) -> Iterator[None]:
    yield
    model.release()


def _streaming(panel: Panel, model: ChatServer, prompt: str = "Go on") -> None:
    """Asks what stalls after the first words."""
    model.script(Reply(["First words ", "and the rest"], stall_after=1))
    panel.ask(prompt)
    expect(panel.row(prompt).locator(".ct-reply")).to_contain_text("First words", timeout=LONG)


def test_cells_and_panel_are_one_conversation(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    cells = ("%%chat\nFrom a cell", "[e.prompt for e in panel.conversation.exchanges()]")
    with panel_in(browser, lab, "cells", *cells) as panel:
        model.script(Reply(["First ", "second"], stall_after=1))
        panel.sheet.run(1, wait=False)
        row = panel.row("From a cell")
        expect(row).to_have_attribute("data-state", "streaming")
        expect(row.locator(".ct-reply")).to_contain_text("First")
        model.release()
        panel.ended(row)
        panel.asked("From the panel")
        sent = [message["content"] for message in model.bodies[-1]["messages"]]
        assert sent == ["From a cell", "First second", "From the panel"]
        panel.sheet.run(2)
        assert "['From a cell', 'From the panel']" in panel.sheet.output(2)


def test_two_panels_of_one_conversation_agree(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    with panel_in(browser, lab, "two", "ChatPanel()") as panel:
        panel.sheet.run(1)
        panels = panel.page.locator(".chat-magics-panel")
        expect(panels).to_have_count(2)
        _streaming(panel, model)
        replies = panel.page.locator(".ct-reply")
        expect(replies.nth(1)).to_contain_text("First words")
        panels.nth(1).get_by_role("button", name="Stop").click()
        panel.ended(panel.rows, "stopped")
        expect(replies).to_have_text(["First words", "First words"])
        panels.nth(1).get_by_role("button", name="New", exact=True).click()
        expect(panel.rows).to_have_count(0)


@pytest.mark.parametrize("cell", [SLEEP, COMPUTE], ids=["sleeping", "computing"])
def test_while_a_cell_runs_the_panel_asks_streams_and_stops(
    browser: Browser, lab: Lab, model: ChatServer, cell: str
) -> None:
    name = "sleeping" if cell is SLEEP else "computing"
    with panel_in(browser, lab, name, cell.format(go=f"go-{name}")) as panel:
        panel.sheet.run(1, wait=False)
        panel.asked("While you work")
        _streaming(panel, model, "Stop this one")
        panel.whole.get_by_role("button", name="Stop").click()
        panel.ended(panel.row("Stop this one"), "stopped")
        panel.open("Conversations")
        expect(panel.drawer.locator("select option")).not_to_have_count(0)
        panel.open("New")
        expect(panel.rows).to_have_count(0)
        assert panel.page.locator(".jp-InputPrompt", has_text="*").count() == 1
        (lab.folder / f"go-{name}").touch()
        panel.sheet.wait_idle()


def test_a_reload_in_mid_stream_loses_nothing(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    with panel_in(browser, lab, "reload") as panel:
        panel.asked("Before")
        _streaming(panel, model)
        panel.box.fill("half a thought")
        panel.save()
        panel.page.goto(f"{lab.url}/doc/tree/reload.ipynb")
        kernel_ready(panel.page)
        expect(panel.rows).to_have_count(2, timeout=LONG)
        expect(panel.row("Go on").locator(".ct-reply")).to_contain_text("First words")
        expect(panel.box).to_have_value("half a thought")
        model.release()
        panel.ended(panel.row("Go on"))
        expect(panel.row("Go on").locator(".ct-reply")).to_have_text("First words and the rest")


def test_a_restarted_kernel_is_said_and_what_came_stays(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    with panel_in(browser, lab, "restart") as panel:
        _streaming(panel, model, "Restart now")
        panel.box.fill("half a thought")
        panel.page.locator("[data-command='notebook:restart-kernel']").first.click()
        panel.page.locator(".jp-Dialog .jp-mod-accept").click()
        expect(panel.notice).to_contain_text("The kernel is gone")
        panel.ended(panel.row("Restart now"), "interrupted")
        expect(panel.row("Restart now").locator(".ct-reply")).to_contain_text("First words")
        expect(panel.box).to_have_value("half a thought")
        panel.sheet.wait_idle()
        panel.page.get_by_role("button", name="Run this cell and advance").click()
        lost = panel.page.locator(".chat-magics-panel.jupyter-widgets-disconnected")
        expect(lost).to_have_count(0, timeout=LONG)
        expect(panel.box).to_be_visible(timeout=LONG)
        panel.asked("In the new kernel")
        panel.open("Conversations")
        expect(panel.drawer.locator("select option", has_text="Restart now")).to_have_count(1)


def test_a_websocket_that_is_cut_comes_back_with_all_that_was_said(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    routes: list[WebSocketRoute] = []

    def through(route: WebSocketRoute) -> None:
        route.connect_to_server()
        routes.append(route)

    with panel_in(browser, lab, "cut") as panel:
        panel.save()
        panel.page.route_web_socket(re.compile("/channels"), through)
        panel.page.goto(f"{lab.url}/doc/tree/cut.ipynb")
        kernel_ready(panel.page)
        _streaming(panel, model)
        cut = routes[-1]
        cut.close(code=4000)
        model.release()
        model.until(lambda: model.held == 0)
        panel.ended(panel.row("Go on"))
        expect(panel.row("Go on").locator(".ct-reply")).to_have_text("First words and the rest")
        panel.asked("After the cut")
        panel.sheet.errors.clear()  # JupyterLab's own words about its connection


@pytest.mark.parametrize("lost", ["delta", "row", "settled", "busy"])
def test_what_was_said_while_nothing_came_through_is_asked_for(
    browser: Browser, lab: Lab, model: ChatServer, lost: str
) -> None:
    dropped: list[str | bytes] = []
    wanted = threading.Event()

    def through(route: WebSocketRoute) -> None:
        def passed(message: str | bytes) -> None:
            raw = message if isinstance(message, bytes) else message.encode()
            if wanted.is_set() and f'"type":"{lost}"'.encode() in raw.replace(b'": ', b'":'):
                dropped.append(message)
            else:
                route.send(message)

        route.connect_to_server().on_message(passed)

    with panel_in(browser, lab, f"lost_{lost}") as panel:
        panel.save()
        panel.page.route_web_socket(re.compile("/channels"), through)
        panel.page.goto(f"{lab.url}/doc/tree/lost_{lost}.ipynb")
        kernel_ready(panel.page)
        _streaming(panel, model)
        wanted.set()
        model.release()
        model.until(lambda: model.held == 0)
        row = panel.row("Go on")
        if lost == "row":
            panel.ask("Asked meanwhile")
        while not dropped:
            panel.page.wait_for_timeout(50)
        wanted.clear()
        expect(row.locator(".ct-reply")).to_have_text("First words and the rest")
        panel.ended(row)
        panel.asked("After it")


def test_two_tabs_show_the_same_and_both_can_ask(
    browser: Browser, lab: Lab, model: ChatServer
) -> None:
    with panel_in(browser, lab, "tabs") as panel:
        panel.asked("In the first tab")
        panel.save()
        sheet = watched(panel.page.context.new_page())
        sheet.page.goto(f"{lab.url}/doc/tree/tabs.ipynb")
        kernel_ready(sheet.page)
        other = Panel(sheet, lab, "tabs.ipynb")
        expect(other.rows).to_have_count(1, timeout=LONG)
        _streaming(panel, model, "Seen by both")
        expect(other.row("Seen by both").locator(".ct-reply")).to_contain_text("First words")
        model.release()
        other.ended(other.row("Seen by both"))
        other.asked("In the second tab")
        panel.ended(panel.row("In the second tab"))
        assert sheet.outside == []
