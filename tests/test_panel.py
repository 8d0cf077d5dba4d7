"""What a person does in the panel, in real JupyterLab: ask, stop, change, look behind, retry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.chat_server import ChatServer, Hang, Reply, Status
from tests.lab import Lab
from tests.panel_lab import Panel, panel_in

pytestmark = pytest.mark.browser

CODE = "Do this:\n\n```python\nran = True\n```\n\nThat is all."
REFUSED = {"error": {"message": "the server does not like this", "type": "invalid"}}


@pytest.fixture(scope="module")
def panel(browser: Browser, lab: Lab) -> Iterator[Panel]:
    """One panel for the whole file; each test asks in a new conversation."""
    with panel_in(browser, lab, "panel") as shown:
        yield shown


@pytest.fixture(autouse=True)
def _anew(panel: Panel, model: ChatServer) -> None:
    model.release()
    panel.open("New")
    expect(panel.rows).to_have_count(0)


def test_a_reply_streams_and_ends_with_the_quiet_line(panel: Panel, model: ChatServer) -> None:
    model.script(Reply(["A **left join** ", "keeps all rows."], stall_after=1))
    panel.ask("Why a join?")
    expect(panel.rows.locator(".ct-reply strong")).to_have_text("left join")
    expect(panel.rows).to_have_attribute("data-state", "streaming")
    model.release()
    panel.ended(panel.rows)
    expect(panel.rows.locator(".ct-caption")).to_contain_text("test-model · 10 →")
    expect(panel.whole.locator(".chat-magics-title")).to_have_text("Why a join?")


def test_stop_keeps_what_came(panel: Panel, model: ChatServer) -> None:
    model.script(Reply(["First words ", "never seen"], stall_after=1))
    panel.ask("Stop me")
    expect(panel.rows.locator(".ct-reply")).to_contain_text("First words")
    panel.whole.get_by_role("button", name="Stop").click()
    panel.ended(panel.rows, "stopped")
    expect(panel.rows.locator(".ct-reply")).to_have_text("First words")


def test_stop_before_the_first_token_is_at_once(panel: Panel, model: ChatServer) -> None:
    model.script(Hang())
    panel.ask("Hang")
    expect(panel.rows.locator(".ct-status")).to_contain_text("waiting for the first token")
    panel.box.press("Escape")
    panel.ended(panel.rows, "stopped")


def test_a_prompt_sent_meanwhile_waits_its_turn(panel: Panel, model: ChatServer) -> None:
    model.script(Reply(["One ", "two"], stall_after=1), Reply("Second reply"))
    panel.ask("The first")
    expect(panel.rows.locator(".ct-reply")).to_contain_text("One")
    panel.ask("The second")
    expect(panel.rows.nth(1)).to_have_attribute("data-state", "queued")
    model.release()
    panel.ended(panel.rows.nth(1))
    assert [m["content"] for m in model.bodies[-1]["messages"]][-3:] == [
        "The first",
        "One two",
        "The second",
    ]


def test_regenerate_keeps_the_old_version_one_step_away(panel: Panel, model: ChatServer) -> None:
    model.script(Reply("Old answer"), Reply("New answer"))
    row = panel.asked("Again?")
    panel.tool(row, "Regenerate")
    expect(panel.rows.locator(".ct-version")).to_have_text("2/2")
    expect(panel.rows.locator(".ct-reply")).to_have_text("New answer")
    panel.tool(panel.rows, "Previous version")
    expect(panel.rows.locator(".ct-reply")).to_have_text("Old answer")
    expect(panel.rows.locator(".ct-version")).to_have_text("1/2")
    panel.tool(panel.rows, "Next version")
    expect(panel.rows.locator(".ct-reply")).to_have_text("New answer")


def test_an_edited_prompt_cuts_the_branch_which_comes_back(panel: Panel, model: ChatServer) -> None:
    model.script(Reply("Reply 1"), Reply("Reply 2"), Reply("Reply 3"))
    first = panel.asked("Prompt one")
    panel.asked("Prompt two")
    panel.tool(first, "Edit the prompt")
    edit = panel.rows.get_by_role("textbox", name="Edit the prompt")
    edit.fill("Prompt changed")
    edit.press("Enter")
    expect(panel.rows.locator(".ct-reply")).to_have_text(["Reply 3"])
    panel.ended(panel.rows)
    assert [m["content"] for m in model.bodies[-1]["messages"]] == ["Prompt changed"]
    panel.tool(panel.rows, "Previous version")
    expect(panel.rows.locator(".ct-reply")).to_have_text(["Reply 1", "Reply 2"])


def test_a_reply_and_a_block_of_code_are_copied(panel: Panel, model: ChatServer) -> None:
    model.script(Reply(CODE))
    row = panel.asked("Write code")
    row.get_by_label("Copy code").click()
    expect(panel.whole.locator(".ct-said")).to_contain_text("opied")
    assert panel.page.evaluate("navigator.clipboard.readText()") == "ran = True"
    panel.tool(row, "Copy reply")
    panel.page.wait_for_function(
        "navigator.clipboard.readText().then(text => text.includes('Do this:'))"
    )


def test_code_goes_into_a_new_cell_below_the_panel(panel: Panel, model: ChatServer) -> None:
    model.script(Reply(CODE))
    row = panel.asked("Write a cell")
    row.get_by_label("Insert as a cell below").click()
    cells = panel.page.locator(".jp-Notebook .jp-CodeCell")
    expect(cells.nth(1)).to_contain_text("ran = True")
    expect(cells.nth(1).locator(".jp-InputPrompt")).to_have_text("[ ]:")


def test_what_was_sent_is_shown_exactly(panel: Panel, model: ChatServer) -> None:
    row = panel.asked("Show me <b>all</b>")
    panel.tool(row, "Show what was sent")
    window = panel.whole.get_by_role("dialog")
    expect(window).to_contain_text("Show me <b>all</b>")
    expect(window).to_contain_text("test-model")
    panel.page.keyboard.press("Escape")
    expect(window).to_be_hidden()


def test_an_error_is_a_calm_row_and_retry_asks_again(panel: Panel, model: ChatServer) -> None:
    model.script(Status(400, REFUSED), Reply("Now it works"))
    panel.ask("Fail once")
    panel.ended(panel.rows, "error")
    expect(panel.rows.locator(".ct-error p")).to_contain_text("does not like this")
    panel.rows.get_by_role("button", name="Retry").click()
    panel.ended(panel.rows)
    expect(panel.rows.locator(".ct-reply")).to_have_text("Now it works")


def test_a_prompt_of_200_kb_is_refused_kindly_and_kept(panel: Panel, model: ChatServer) -> None:
    asked = len(model.posts)
    panel.ask("y" * 200_000)
    expect(panel.notice).to_contain_text("200,000 characters")
    assert len(panel.box.input_value()) == 200_000
    assert len(model.posts) == asked
    panel.box.fill("")
