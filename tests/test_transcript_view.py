"""What a person sees and does in the transcript, in a real Chromium; the test is the kernel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.view_page import ViewPage, row, view_page

pytestmark = pytest.mark.browser

CODE = "Do this:\n\n\n```python\nimport math\n\nmath.pi\n```"


@pytest.fixture
def view(browser: Browser) -> Iterator[ViewPage]:
    with view_page(browser) as shown:
        yield shown
        assert shown.errors == []
        assert shown.outside == []


def _ask(view: ViewPage, text: str) -> None:
    view.box.fill(text)
    view.box.press("Enter")


def _streaming(view: ViewPage, **more: Any) -> None:
    view.snapshot(row("a", "Go", state="streaming", caption="", **more), busy="a")


def test_a_new_view_says_ready_and_shows_the_snapshot(view: ViewPage) -> None:
    assert len(view.said("ready")) == 1
    view.snapshot(row("a", "How?", "A **left join**."), row("b", "Why?", "Because."))
    expect(view.rows).to_have_count(2)
    expect(view.rows.locator(".ct-prompt")).to_have_text(["How?", "Why?"])
    expect(view.rows.first.locator(".ct-reply strong")).to_have_text("left join")
    expect(view.rows.first.locator(".ct-caption")).to_have_text(
        "demo · 12 → 34 tokens · 1.2 s · $0"
    )


def test_enter_sends_and_shift_enter_is_a_new_line(view: ViewPage) -> None:
    view.snapshot()
    view.box.fill("one")
    view.box.press("Shift+Enter")
    view.box.press_sequentially("two")
    view.box.press("Enter")
    assert [message["text"] for message in view.said("ask")] == ["one\ntwo"]
    expect(view.box).to_have_value("")


def test_enter_that_ends_an_ime_composition_does_not_send(view: ViewPage) -> None:
    view.snapshot()
    view.box.focus()
    session = view.page.context.new_cdp_session(view.page)
    session.send(
        "Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3}
    )
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    assert view.said("ask") == []
    session.send("Input.insertText", {"text": "日本"})
    expect(view.box).to_have_value("日本")
    view.box.press("Enter")
    assert view.said("ask")[0]["text"] == "日本"


def test_the_button_stops_while_a_reply_is_under_way_and_enter_queues(view: ViewPage) -> None:
    _streaming(view)
    _ask(view, "next")
    assert view.said("ask")[0]["text"] == "next"
    view.page.get_by_role("button", name="Stop").click()
    view.box.press("Escape")
    assert len(view.said("stop")) == 2
    view.tell("busy", id=None, queued=0)
    expect(view.page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    view.box.press("Escape")
    assert len(view.said("stop")) == 2


def test_a_prompt_that_the_kernel_has_not_taken_is_shown_and_then_becomes_its_row(
    view: ViewPage,
) -> None:
    view.snapshot()
    _ask(view, "busy?")
    unsent = view.page.locator(".ct-row[data-state=unsent]")
    expect(unsent).to_contain_text("queued: the kernel is busy")
    view.tell("row", row=row("a", "busy?", state="streaming"), after=None)
    expect(unsent).to_have_count(0)
    expect(view.rows).to_have_count(1)


def test_arrow_up_in_an_empty_box_recalls_prompts_from_the_last(view: ViewPage) -> None:
    view.snapshot(row("a", "first"), row("b", "second"))
    view.box.press("ArrowUp")
    expect(view.box).to_have_value("second")
    view.box.press("ArrowUp")
    expect(view.box).to_have_value("first")
    view.box.press("ArrowDown")
    expect(view.box).to_have_value("second")
    view.box.fill("mine")
    view.box.press("ArrowUp")
    expect(view.box).to_have_value("mine")


def test_deltas_change_blocks_in_units_of_utf_16(view: ViewPage) -> None:
    _streaming(view)
    view.stream("a", 0, "", "<p>An 𝔼 and a 🎉</p>")
    view.stream("a", 0, "<p>An 𝔼 and a 🎉</p>", "<p>An 𝔼 and a 🎉 it is</p>")
    expect(view.rows.locator(".ct-block")).to_have_text("An 𝔼 and a 🎉 it is")
    view.tell("delta", id="a", blocks=[[1, 0, "<p>two</p>"]], count=2)
    expect(view.rows.locator(".ct-block")).to_have_count(2)
    view.tell("delta", id="a", blocks=[], count=1)
    expect(view.rows.locator(".ct-block")).to_have_count(1)


def test_a_delta_of_what_is_not_there_asks_for_everything_again(view: ViewPage) -> None:
    _streaming(view)
    view.tell("delta", id="a", blocks=[[0, 7, "lost"]], count=1)
    view.tell("delta", id="other", blocks=[[0, 0, "lost"]], count=1)
    assert len(view.said("ready")) == 3


def test_code_grows_line_by_line_and_keeps_the_lines_that_stay(view: ViewPage) -> None:
    _streaming(view)
    one = '<pre data-lang="python"><code>a = 1\n<span class="pg-n">b</span></code></pre>\n'
    two = one.replace("</code>", "\n\nc</code>")
    view.stream("a", 0, "", one)
    line = view.page.locator(".ct-line").first.element_handle()
    view.stream("a", 0, one, two)
    expect(view.page.locator(".ct-line")).to_have_count(4)
    assert view.page.locator("pre").text_content() == "a = 1\nb\n\nc"
    assert line.evaluate("line => line.isConnected")


def test_a_code_block_copies_its_code_and_copies_where_no_cell_can_be_added(view: ViewPage) -> None:
    view.snapshot(row("a", "How?", CODE))
    expect(view.page.locator(".ct-language")).to_have_text("python")
    view.page.get_by_label("Copy code").click()
    assert view.clipboard() == "import math\n\nmath.pi"
    view.page.evaluate("navigator.clipboard.writeText('')")
    view.page.get_by_label("Insert as a cell below", exact=True).click()
    expect(view.said_below).to_have_text("copied: this page cannot add a cell")
    assert view.clipboard() == "import math\n\nmath.pi"


def test_a_page_that_has_cells_is_given_the_code(view: ViewPage) -> None:
    view.snapshot(row("a", "How?", CODE))
    view.page.evaluate(
        "addEventListener('chat-magics:insert', (event) => {"
        " window.said.push({ type: 'cell', ...event.detail }); event.preventDefault(); })"
    )
    view.page.get_by_label("Insert the code as a cell below").click()
    expect(view.said_below).to_have_text("put into a new cell")
    assert view.said("cell") == [
        {"type": "cell", "code": "import math\n\nmath.pi", "language": "python"}
    ]


def test_a_reply_is_copied_as_markdown(view: ViewPage) -> None:
    reply = "# Two\n\n- **a**\n- `b` [c](https://example.com/)\n\n\n| x | y |\n|---|---|\n| 1 | 2 |"
    view.snapshot(row("a", "How?", reply + "\n\n\n" + CODE))
    view.page.get_by_label("Copy reply").click()
    expect(view.said_below).to_have_text("copied")
    table = "| x | y |\n| --- | --- |\n| 1 | 2 |"
    head = "# Two\n\n- **a**\n- `b` [c](https://example.com/)"
    assert view.clipboard() == f"{head}\n\n{table}\n\n{CODE.replace(chr(10) * 3, chr(10) * 2)}"


def test_the_buttons_of_a_row_say_what_is_wanted(view: ViewPage) -> None:
    view.snapshot(row("a", "How?", "So.", versions=[2, 3]))
    for name in ("Regenerate", "Previous version", "Next version", "Show what was sent"):
        view.page.get_by_label(name).click()
    assert view.said("regenerate")[0]["id"] == "a"
    assert [message["step"] for message in view.said("version")] == [-1, 1]
    assert view.said("show_sent")[0]["id"] == "a"
    expect(view.page.get_by_label("Version 2 of 3")).to_have_text("2/3")


def test_an_earlier_prompt_is_edited_in_its_place(view: ViewPage) -> None:
    view.snapshot(row("a", "How?", "So."))
    edit = view.page.get_by_label("Edit the prompt")
    edit.click()
    view.page.get_by_role("textbox", name="Edit the prompt").press("Escape")
    expect(view.rows).to_contain_text("How?")
    edit.click()
    box = view.page.get_by_role("textbox", name="Edit the prompt")
    box.fill("How else?")
    box.press("Enter")
    assert [(m["id"], m["text"]) for m in view.said("edit")] == [("a", "How else?")]


def test_an_error_is_a_calm_row_with_a_retry(view: ViewPage) -> None:
    _streaming(view)
    view.tell("settled", id="a", caption="failed", notes=[], state="error", versions=[1, 1],
              error="No answer <b>came</b>; look at the network.")  # fmt: skip
    expect(view.rows.locator(".ct-error p")).to_have_text(
        "No answer <b>came</b>; look at the network."
    )
    view.page.get_by_role("button", name="Retry").click()
    assert view.said("retry")[0]["id"] == "a"


def test_a_status_ticks_until_the_first_text_comes(view: ViewPage) -> None:
    _streaming(view)
    now = view.page.evaluate("Date.now()")
    status = view.rows.locator(".ct-status")
    view.tell("status", id="a", text="waiting for the first token", since=now - 12_000)
    expect(status).to_have_text(re.compile("^waiting for the first token, 1[34] s$"))
    view.tell("status", id="a", text="next try in {seconds} s (2 of 4)", until=now + 60_000)
    expect(status).to_have_text(re.compile(r"^next try in \d+ s \(2 of 4\)$"))
    view.stream("a", 0, "", "<p>Text</p>")
    expect(status).to_be_hidden()


def test_what_is_no_reply_is_shown_as_text_and_never_as_markup(view: ViewPage) -> None:
    evil = "<img src=x onerror=alert(1)>"
    files = [{"name": evil, "kind": "text", "size": 3}]
    view.snapshot(row("a", evil, caption=evil, notes=[evil], error=evil, attachments=files))
    view.tell("notice", message=evil)
    assert view.page.locator("#one img").count() == 0
    expect(view.page.locator(".ct-notice")).to_have_text(evil)
    expect(view.rows.locator(".ct-name")).to_have_text(evil)


def test_a_refused_prompt_goes_back_into_the_box_with_its_files(view: ViewPage) -> None:
    view.snapshot()
    view.choose("a.csv", "text/csv", b"1,2")
    _ask(view, "too much")
    view.box.fill("typed since")
    view.tell("refused", text="too much", message="Today's budget is spent.")
    expect(view.box).to_have_value("too much\n\ntyped since")
    expect(view.page.locator(".ct-notice")).to_have_text("Today's budget is spent.")
    expect(view.page.locator(".ct-composer .ct-file")).to_contain_text("a.csv")


def test_a_prompt_of_200_kb_is_refused_kindly_and_kept(view: ViewPage) -> None:
    view.snapshot()
    view.box.fill("x" * 4100)
    expect(view.page.locator(".ct-counter")).to_have_text("4,100 of 5,000")
    _ask(view, "y" * 200_000)
    expect(view.page.locator(".ct-notice")).to_contain_text("200,000 characters, and at most 5,000")
    assert view.said("ask") == []
    assert len(view.box.input_value()) == 200_000


def test_files_go_with_the_prompt_in_order_and_wrong_ones_are_named(view: ViewPage) -> None:
    view.snapshot()
    view.choose("a.csv", "text/csv", b"1,2")
    view.choose("b.txt", "text/plain", b"hello")
    view.choose("c.exe", "application/x-msdownload", b"MZ", taken=False)
    expect(view.page.locator(".ct-notice")).to_contain_text("c.exe is not attached")
    view.choose("big.txt", "text/plain", b"x" * 300_000, taken=False)
    expect(view.page.locator(".ct-notice")).to_contain_text("at most 256 kB")
    view.page.get_by_label("Remove b.txt").click()
    _ask(view, "look")
    (asked,) = view.said("ask")
    assert asked["attachments"] == [{"name": "a.csv", "mime": "text/csv"}]
    assert asked["buffers"] == ["1,2"]


def test_a_draft_and_an_untaken_prompt_outlive_a_reload(view: ViewPage) -> None:
    view.snapshot(row("a", "old"))
    _ask(view, "never taken")
    view.box.fill("half a thought")
    view.reload()
    expect(view.box).to_have_value("half a thought")
    view.snapshot(row("a", "old"))
    expect(view.box).to_have_value("never taken\n\nhalf a thought")


def test_an_empty_transcript_offers_ways_to_begin(view: ViewPage) -> None:
    view.snapshot(starters=["Describe df", "Plot df", "Explain the error"])
    view.page.get_by_role("button", name="Plot df").click()
    expect(view.box).to_have_value("Plot df")
    expect(view.box).to_be_focused()
    view.tell("row", row=row("a", "Plot df"), after=None)
    expect(view.page.get_by_role("button", name="Describe df")).to_be_hidden()


def test_what_was_sent_is_shown_in_a_window_that_escape_closes(view: ViewPage) -> None:
    view.snapshot(row("a", "How?", "So."), busy="a")
    view.page.get_by_label("Show what was sent").click()
    messages = [{"role": "system", "content": "Be <b>brief</b>."}]
    view.tell("sent", id="a", messages=messages, options={"temperature": 0.2}, model="m",
              request_id="r1")  # fmt: skip
    window = view.page.get_by_role("dialog")
    expect(window).to_contain_text("Be <b>brief</b>.")
    window.get_by_label("Copy as JSON").click()
    assert json.loads(view.clipboard())["messages"] == messages
    view.page.keyboard.press("Escape")
    expect(window).to_be_hidden()
    assert view.said("stop") == []


def test_a_reply_that_falls_silent_is_asked_after(view: ViewPage) -> None:
    _streaming(view, blocks=["<p>😀</p>"])
    expect(view.rows).to_have_attribute("data-state", "streaming")
    view.page.wait_for_function("() => said.some(({ type }) => type === 'check')")
    assert view.said("check")[0] == {"type": "check", "id": "a", "units": 9, "buffers": []}
    view.tell("row", row=row("a", "Go", blocks=["<p>😀 whole</p>"]), after=None)
    expect(view.rows.locator(".ct-reply")).to_have_text("😀 whole")
