"""The prompt box in a real Chromium: what it objects to, its files, where the keyboard is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.view_page import ViewPage, view_page

pytestmark = pytest.mark.browser


@pytest.fixture
def view(browser: Browser) -> Iterator[ViewPage]:
    with view_page(browser) as shown:
        shown.snapshot(starters=["Describe df"])
        yield shown
        assert shown.errors == []


def test_what_is_wrong_with_a_prompt_is_said_until_it_is_mended(view: ViewPage) -> None:
    notice = view.page.locator(".ct-notice")
    view.box.fill("y" * 5_001)
    view.box.press("Enter")
    expect(notice).to_contain_text("too long")
    view.box.fill("y")
    expect(notice).to_be_hidden()


def test_what_the_kernel_says_outlives_a_key(view: ViewPage) -> None:
    notice = view.page.locator(".ct-notice")
    view.tell("notice", message="Today's budget is spent.")
    view.box.fill("y")
    expect(notice).to_have_text("Today's budget is spent.")


def test_files_alone_are_not_sent_and_it_says_why(view: ViewPage) -> None:
    view.choose("a.csv", "text/csv", b"1,2")
    view.box.press("Enter")
    expect(view.page.locator(".ct-notice")).to_contain_text("A file goes with a prompt")
    assert view.said("ask") == []
    view.box.press_sequentially("Sum it up")
    expect(view.page.locator(".ct-notice")).to_be_hidden()
    view.box.press("Enter")
    assert view.said("ask")[0]["attachments"] == [{"name": "a.csv", "mime": "text/csv"}]


def test_each_kind_of_file_has_its_own_limit(view: ViewPage) -> None:
    notice = view.page.locator(".ct-notice")
    view.choose("long.txt", "text/plain", b"x" * 900_000, taken=False)
    expect(notice).to_contain_text("it has 900 kB, and a text file may have at most 256 kB")
    view.choose("c.exe", "application/x-msdownload", b"MZ", taken=False)
    expect(notice).to_contain_text("c.exe is not attached: this panel takes text files and images.")
    view.choose("chart.png", "image/png", b"x" * 900_000)


def test_an_empty_transcript_takes_other_starters(view: ViewPage) -> None:
    view.tell("starters", starters=["Explain the error"])
    expect(view.page.get_by_role("button", name="Explain the error")).to_be_visible()
    expect(view.page.get_by_role("button", name="Describe df")).to_have_count(0)


def test_the_keyboard_comes_into_the_box_unless_it_is_elsewhere(view: ViewPage) -> None:
    view.page.evaluate("document.body.append(Object.assign(document.createElement('input')))")
    elsewhere = view.page.locator("body > input")
    elsewhere.focus()
    view.tell("focus")
    expect(elsewhere).to_be_focused()
    elsewhere.blur()
    view.tell("focus")
    expect(view.box).to_be_focused()
