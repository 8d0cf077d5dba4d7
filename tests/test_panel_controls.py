"""The panel's drawers in real JupyterLab: options, conversations, files, analytics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.chat_server import ChatServer
from tests.lab import Lab
from tests.panel_lab import SHOW, Panel, panel_in

pytestmark = pytest.mark.browser

BUDGET = SHOW.replace("ChatPanel()", "ChatPanel(tokens_per_day=100_000)")


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer("test-model", "other-model") as started:
        yield started
    assert started.violations == []


@pytest.fixture(scope="module")
def shown(browser: Browser, lab: Lab) -> Iterator[Panel]:
    with panel_in(browser, lab, "controls", "len(panel.conversation.exchanges())") as panel:
        yield panel


@pytest.fixture
def panel(shown: Panel) -> Iterator[Panel]:
    """The panel in a new conversation; what a test opened is closed after it."""
    shown.open("New")
    expect(shown.rows).to_have_count(0)
    yield shown
    opened = shown.whole.locator(".chat-magics-bar .chat-magics-open")
    if opened.count():
        opened.click()
    expect(shown.drawer).to_have_count(0)


def test_the_options_arrive_on_the_wire(panel: Panel, model: ChatServer) -> None:
    panel.open("Options")
    expect(panel.drawer.locator("datalist option")).to_have_count(2)
    for label, value in (
        ("Model", "other-model"),
        ("Temperature", "0.25"),
        ("Longest reply", "64"),
        ("System prompt", "Be brief."),
    ):
        field = panel.drawer.get_by_label(label)
        field.fill(value)
        field.press("Tab")
    expect(panel.whole.locator(".chat-magics-model")).to_have_text("other-model")
    panel.asked("With options")
    body = model.bodies[-1]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("other-model", 0.25, 64)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    panel.drawer.get_by_label("Temperature").fill("warm")
    panel.drawer.get_by_label("Temperature").press("Tab")
    asked = len(model.posts)
    panel.ask("Too warm")
    expect(panel.notice).to_contain_text("'warm' is no number between 0 and 2")
    expect(panel.box).to_have_value("Too warm")
    assert len(model.posts) == asked
    panel.box.fill("")
    for label in ("Model", "Temperature", "Longest reply", "System prompt"):
        panel.drawer.get_by_label(label).fill("")
        panel.drawer.get_by_label(label).press("Tab")


def test_the_cache_is_used_and_passed_by_as_is_chosen(panel: Panel, model: ChatServer) -> None:
    panel.asked("The same prompt")
    asked = len(model.posts)
    panel.open("New")
    row = panel.asked("The same prompt")
    expect(row.locator(".ct-caption")).to_contain_text("cached")
    panel.open("New")
    panel.open("Options")
    panel.drawer.get_by_label("Ask anew, past the cache").check()
    row = panel.asked("The same prompt")
    expect(row.locator(".ct-caption")).not_to_contain_text("cached")
    assert len(model.posts) == asked + 1
    panel.drawer.get_by_label("Ask anew, past the cache").uncheck()


def test_conversations_are_found_opened_named_pinned_and_deleted(panel: Panel) -> None:
    panel.asked("About zebras")
    panel.open("New")
    expect(panel.box).to_be_focused()
    panel.asked("About lions")
    panel.open("Conversations")
    panel.drawer.get_by_placeholder("Search").fill("zebras")
    listed = panel.drawer.locator("select option")
    expect(listed).to_have_count(1)
    panel.drawer.locator("select").select_option(index=0)
    panel.drawer.locator("select").press("Enter")
    expect(panel.rows.locator(".ct-prompt")).to_have_text("About zebras")
    expect(listed).to_contain_text("open")
    panel.drawer.get_by_placeholder("a new name").fill("stripes")
    panel.drawer.get_by_placeholder("a new name").press("Enter")
    expect(panel.whole.locator(".chat-magics-title")).to_have_text("stripes")
    panel.press("Pin")
    expect(listed).to_contain_text("★ stripes")
    panel.press("Unpin")
    panel.press("Delete")
    expect(panel.said).to_contain_text("press again")
    panel.press("Really delete")
    expect(panel.said).to_contain_text("is deleted")
    expect(panel.rows).to_have_count(0)


@pytest.mark.parametrize(("format", "ending"), [("markdown", ".md"), ("json", ".json")])
def test_an_export_is_a_real_download(panel: Panel, format: str, ending: str) -> None:
    panel.asked("Save me: ../?")
    panel.open("Files")
    panel.drawer.get_by_label("Format").select_option(format)
    with panel.page.expect_download() as download:
        panel.press("Download")
    assert download.value.suggested_filename == f"Save-me{ending}"
    assert "Save me" in Path(download.value.path()).read_text()


def test_an_exported_file_comes_back_by_upload(panel: Panel, tmp_path: Path) -> None:
    panel.asked("There and back")
    panel.open("Files")
    panel.drawer.get_by_label("Format").select_option("json")
    with panel.page.expect_download() as download:
        panel.press("Download")
    file = tmp_path / "mine.json"
    download.value.save_as(file)
    _import(panel, file)
    expect(panel.said).to_contain_text("conversation")
    file.write_bytes(b"\x00 no conversation")
    _import(panel, file)
    expect(panel.said).to_contain_text("mine.json")


def _import(panel: Panel, file: Path) -> None:
    with panel.page.expect_file_chooser() as chooser:
        panel.drawer.get_by_role("button", name="Import a file").click()
    chooser.value.set_files(file)


def test_analytics_follow_the_conversation(panel: Panel) -> None:
    panel.asked("Count me")
    panel.open("Analytics")
    figures = panel.drawer.locator(".chat-magics-figures div")
    messages = figures.filter(has_text="Total messages").locator("dd")
    expect(messages).to_have_text("2")
    expect(panel.drawer).to_contain_text("Last reply: 5 words")
    expect(panel.drawer.locator("img")).to_be_visible(timeout=240_000)
    panel.asked("Count me again")
    expect(messages).to_have_text("4")
    panel.press("All conversations")
    expect(messages).not_to_have_text("4")
    panel.press("This conversation")


def test_the_budget_is_shown_and_what_is_left_of_it(browser: Browser, lab: Lab) -> None:
    with panel_in(browser, lab, "budget", first=BUDGET) as panel:
        panel.asked("Spend")
        panel.open("Options")
        expect(panel.drawer).to_contain_text("Spent today:")
        expect(panel.drawer).to_contain_text("tokens per day")
