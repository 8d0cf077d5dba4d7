"""The transcript in its page: scrolling, sizes, themes, keyboard, two views, a lost kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.aimock import FOLDER
from tests.view_page import ViewPage, row, view_page

pytestmark = pytest.mark.browser

AXE = Path(FOLDER) / "axe-core/axe.min.js"
LONG = "\n\n\n".join(f"Paragraph {n} of a reply that is longer than the panel." for n in range(40))
RICH = (
    "## Checks\n\n\nA [link](https://example.com) and `code`.\n\n\n```python\n"
    "def f(x):  # a comment\n    return 'text' + 12 if x else None\n```\n\n\n"
    "| a | b |\n|---|--:|\n| 1 | 2 |\n\n\n> quoted\n\n\n$$\\sum_i x_i^2$$"
)
OVERFLOW = """() => [...document.querySelectorAll("#one, #one *")].filter((element) =>
  element.getBoundingClientRect().right > innerWidth + 1
  && !element.closest("pre, .ct-wide, .chat-magics-math")).map((element) => element.className)"""


@pytest.fixture
def view(browser: Browser) -> Iterator[ViewPage]:
    with view_page(browser) as shown:
        yield shown
        assert shown.errors == []
        assert shown.outside == []


def _everything(view: ViewPage) -> None:
    files = [{"name": "a.csv", "kind": "text", "size": 3000}]
    view.snapshot(
        row("a", "How?", RICH, versions=[1, 2], attachments=files, notes=["asked again"]),
        row("b", "Why?", "Part", state="error", error="The server said no; try again."),
        row("c", "What?", "Some text", state="streaming", caption=""),
        row("d", "Then?", state="queued", caption=""),
        busy="c",
        queued=1,
    )
    view.tell("notice", message="History is kept in memory: the disk is full.")
    view.choose("b.csv", "text/csv", b"1")
    view.box.fill("x" * 4500)


def _settled(view: ViewPage) -> None:
    """Waits until two frames were painted."""
    frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    view.page.evaluate(frames)


def test_the_view_stays_at_the_end_only_while_the_reader_is_there(view: ViewPage) -> None:
    view.snapshot(row("a", "Go", LONG), row("b", "On", LONG, state="streaming"), busy="b")
    jump = view.page.get_by_label("Go to the end")
    _settled(view)
    assert view.scrolled < 2
    view.tell("delta", id="b", blocks=[[40, 0, "<p>more</p>" * 30]], count=41)
    _settled(view)
    assert view.scrolled < 2
    expect(jump).to_be_hidden()
    view.page.locator(".ct-log").hover()
    view.page.mouse.wheel(0, -300)
    expect(jump).to_be_visible()
    away = view.scrolled
    view.tell("delta", id="b", blocks=[[41, 0, "<p>even more</p>" * 30]], count=42)
    _settled(view)
    assert view.scrolled > away
    jump.click()
    _settled(view)
    assert view.scrolled < 2
    expect(jump).to_be_hidden()


def test_500_rows_are_all_there_and_the_last_one_is_in_view(view: ViewPage) -> None:
    rich = row("", "", RICH)
    view.snapshot(*({**rich, "id": f"r{n}", "prompt": f"Prompt {n}"} for n in range(500)))
    expect(view.rows.last.locator(".ct-caption")).to_be_in_viewport()
    expect(view.rows.first.locator(".ct-language")).to_have_text("python")
    _settled(view)
    assert view.scrolled < 2
    view.page.locator(".ct-log").press("Home")
    expect(view.rows.first.locator(".ct-prompt")).to_be_in_viewport()


def test_the_box_grows_with_its_text_up_to_a_third_of_the_panel(view: ViewPage) -> None:
    view.snapshot()
    heights = []
    for text in ("one", "one\ntwo\nthree", "line\n" * 200):
        view.box.fill(text)
        heights.append(view.box.evaluate("box => box.offsetHeight"))
    panel = view.page.locator("#one").evaluate("root => root.clientHeight")
    assert heights[0] < heights[1] < heights[2]
    assert heights[2] == pytest.approx(panel / 3, rel=0.03)


def test_nothing_leaves_a_window_of_390_pixels(browser: Browser) -> None:
    with view_page(browser, width=390) as view:
        _everything(view)
        expect(view.rows.first.locator(".ct-code")).to_be_attached()
        view.page.locator(".ct-log").press("Home")
        assert view.page.evaluate(OVERFLOW) == []
        assert view.page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.npm
@pytest.mark.parametrize("host", ["plain", "lab"])
@pytest.mark.parametrize("tone", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, host: str, tone: str) -> None:
    with view_page(browser, lab=tone if host == "lab" else "", dark=tone == "dark") as view:
        _everything(view)
        view.page.emulate_media(reduced_motion="reduce")
        # By the debugger's way, which no policy of the page stops.
        view.page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
        found: list[dict[str, Any]] = view.page.evaluate(
            "axe.run('#one').then((report) => report.violations.map(({ id, impact, nodes }) => "
            "({ id, impact, nodes: nodes.map((node) => node.html + node.failureSummary) })))"
        )
        assert [one for one in found if one["impact"] in ("serious", "critical")] == []


def test_the_keyboard_alone_reaches_the_buttons_of_a_row(view: ViewPage) -> None:
    view.snapshot(row("a", "How?", "So.", versions=[1, 2]))
    view.box.focus()
    view.page.keyboard.press("Shift+Tab")
    view.page.keyboard.press("Shift+Tab")
    expect(view.page.get_by_label("Copy reply")).to_be_focused()
    view.page.keyboard.press("ArrowRight")
    expect(view.page.get_by_label("Regenerate")).to_be_focused()
    outline = "button => getComputedStyle(button).outlineStyle"
    assert view.page.get_by_label("Regenerate").evaluate(outline) == "solid"
    view.page.keyboard.press("Enter")
    assert view.said("regenerate")[0]["id"] == "a"
    view.page.keyboard.press("ArrowLeft")
    view.page.keyboard.press("ArrowLeft")
    expect(view.page.get_by_label("Next version")).to_be_focused()


def test_the_log_is_busy_for_screen_readers_while_a_reply_comes(view: ViewPage) -> None:
    view.snapshot(row("a", "Go", state="streaming"), busy="a")
    log = view.page.get_by_role("log", name="Conversation")
    expect(log).to_have_attribute("aria-busy", "true")
    expect(log).to_have_attribute("aria-live", "polite")
    view.tell("busy", id=None, queued=0)
    expect(log).to_have_attribute("aria-busy", "false")


def test_keys_pressed_in_the_panel_do_not_reach_the_page(view: ViewPage) -> None:
    view.snapshot()
    view.page.evaluate("addEventListener('keydown', () => window.said.push({ type: 'leaked' }))")
    view.box.press("Shift+Enter")
    view.box.press("Escape")
    assert view.said("leaked") == []
    assert view.page.locator("#one").get_attribute("data-lm-suppress-shortcuts") == "true"


def test_a_second_view_shows_the_same_and_both_follow(view: ViewPage) -> None:
    view.snapshot(row("a", "How?", "So.", state="streaming"))
    view.page.evaluate("show(document.body.appendChild(document.createElement('div')))")
    expect(view.rows).to_have_count(2)
    view.tell("delta", id="a", blocks=[[1, 0, "<p>More.</p>"]], count=2)
    expect(view.page.get_by_text("More.")).to_have_count(2)
    assert len(view.said("ready")) == 1


def test_a_static_transcript_is_hidden_only_while_a_view_lives(view: ViewPage) -> None:
    static = view.page.get_by_text("static transcript")
    expect(static).to_be_hidden()
    view.page.evaluate("close_one()")
    expect(static).to_be_visible()


def test_a_row_moves_and_goes_and_the_others_stay_as_they_are(view: ViewPage) -> None:
    view.snapshot(row("a", "A"), row("b", "B"))
    kept = view.rows.nth(1).element_handle()
    view.tell("row", row=row("c", "C"), after="a")
    expect(view.page.locator(".ct-prompt")).to_have_text(["A", "C", "B"])
    view.tell("row", row=row("z", "Z"), after=None)
    view.tell("order", ids=["b", "c", "a", "z"])
    view.tell("remove", ids=["c"])
    expect(view.page.locator(".ct-prompt")).to_have_text(["B", "A", "Z"])
    assert kept.evaluate("row => row.isConnected")


def test_a_file_of_the_kernel_becomes_a_download(view: ViewPage) -> None:
    with view.page.expect_download() as download:
        view.tell("download", b"a;b\n", name="talk.csv", mime="text/csv")
    assert download.value.suggested_filename == "talk.csv"
    assert Path(download.value.path()).read_bytes() == b"a;b\n"


def test_a_picture_is_pasted_and_a_file_is_dropped(view: ViewPage) -> None:
    view.snapshot()
    for kind, name in (("paste", "shot.png"), ("drop", "b.png")):
        view.box.evaluate(
            "(box, [kind, name]) => { const data = new DataTransfer();"
            " data.items.add(new File(['x'], name, { type: 'image/png' }));"
            " const more = kind === 'paste' ? { clipboardData: data } : { dataTransfer: data };"
            " const Kind = kind === 'paste' ? ClipboardEvent : DragEvent;"
            " box.dispatchEvent(new Kind(kind, { bubbles: true, cancelable: true, ...more })); }",
            [kind, name],
        )
    expect(view.page.locator(".ct-composer .ct-name")).to_have_text(["shot.png", "b.png"])


def test_a_kernel_that_is_gone_ends_the_reply_and_keeps_what_was_typed(view: ViewPage) -> None:
    view.snapshot(row("a", "Go", "Part", state="streaming"), busy="a")
    view.box.fill("next")
    view.box.press("Enter")
    view.page.evaluate(
        "document.getElementById('one').classList.add('jupyter-widgets-disconnected');"
        "fire('comm_live_update')"
    )
    expect(view.rows.first).to_have_attribute("data-state", "interrupted")
    expect(view.page.locator(".ct-notice")).to_contain_text("The kernel is gone")
    expect(view.box).to_have_value("next")
    view.box.press("Enter")
    expect(view.box).to_have_value("next")
    assert len(view.said("ask")) == 1
