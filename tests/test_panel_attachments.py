"""Files in the panel, in real JupyterLab: chosen, pasted, shown as chips, sent, refused kindly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, expect

from tests.chat_server import ChatServer, Reply
from tests.file_samples import PNG, data_url
from tests.lab import Lab
from tests.panel_lab import LONG, Panel, panel_in

pytestmark = pytest.mark.browser

PASTE = """(box, bytes) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "image.png", { type: "image/png" }));
  const pasted = { clipboardData: data, bubbles: true, cancelable: true };
  box.dispatchEvent(new ClipboardEvent("paste", pasted));
}"""


@pytest.fixture(scope="module")
def panel(browser: Browser, lab: Lab) -> Iterator[Panel]:
    """One panel for the whole file; each test asks in a new conversation."""
    with panel_in(browser, lab, "attachments") as shown:
        yield shown


@pytest.fixture(autouse=True)
def _anew(panel: Panel, model: ChatServer) -> None:
    panel.open("New")
    expect(panel.rows).to_have_count(0)


def choose(panel: Panel, *files: tuple[str, str, bytes]) -> None:
    """Chooses files, as by the button with the clip."""
    given = [FilePayload(name=name, mimeType=mime, buffer=data) for name, mime, data in files]
    panel.whole.locator(".ct-composer input[type=file]").set_input_files(given)


def chips(panel: Panel) -> Locator:
    """The files that wait in the prompt box."""
    return panel.whole.locator(".ct-composer .ct-file")


def content(model: ChatServer, message: int = -1) -> Any:
    return model.bodies[-1]["messages"][message]["content"]


def test_text_and_image_are_sent_shown_and_sent_again(panel: Panel, model: ChatServer) -> None:
    choose(panel, ("sales.csv", "text/csv", b"x,y\n"), ("dot.png", "image/png", PNG))
    expect(chips(panel)).to_have_count(2)
    panel.ask("Sum")
    panel.ended(panel.rows)
    text, image = content(model)
    assert text["text"] == "Sum\n\nFile sales.csv:\n```csv\nx,y\n```"
    assert image["image_url"]["url"] == data_url(PNG)
    expect(chips(panel)).to_have_count(0)
    expect(panel.rows.locator(".ct-file .ct-name")).to_have_text(["sales.csv", "dot.png"])
    panel.ask("And now?")
    panel.ended(panel.rows.last)
    assert content(model, 0) == [text, image]


def test_a_pasted_picture_goes_with_the_prompt(panel: Panel, model: ChatServer) -> None:
    panel.box.evaluate(PASTE, list(PNG))
    expect(chips(panel)).to_contain_text("image.png")
    panel.ask("What is it?")
    panel.ended(panel.rows)
    assert content(model)[1]["image_url"]["url"] == data_url(PNG)


def test_a_removed_file_is_not_sent(panel: Panel, model: ChatServer) -> None:
    choose(panel, ("a.txt", "text/plain", b"1"))
    panel.whole.get_by_label("Remove a.txt").click()
    panel.ask("Hello")
    panel.ended(panel.rows)
    assert content(model) == "Hello"


@pytest.mark.parametrize(
    ("name", "mime", "data", "said"),
    [
        ("evil.png", "image/png", b"MZ\x90\x00\x03", "evil.png is no image that models take"),
        ("page.png", "image/png", b"<script>1</script>", "page.png is no image that models take"),
        ("a.txt", "text/plain", b"a\x00b", "a.txt is neither an image nor text in UTF-8"),
        ("none.txt", "text/plain", b"", "none.txt is empty"),
    ],
)
def test_what_is_not_what_it_says_comes_back_with_the_prompt(
    panel: Panel, model: ChatServer, name: str, mime: str, data: bytes, said: str
) -> None:
    before = len(model.posts)
    choose(panel, (name, mime, data))
    panel.ask("Look")
    expect(panel.notice).to_contain_text(said)
    expect(panel.box).to_have_value("Look")
    expect(chips(panel)).to_contain_text(name)
    assert len(model.posts) == before
    panel.whole.get_by_label(f"Remove {name}").click()
    panel.box.fill("")


def test_a_program_and_files_too_large_for_their_kind_are_not_even_taken(panel: Panel) -> None:
    choose(panel, ("run.exe", "application/x-msdownload", b"MZ"))
    expect(panel.notice).to_contain_text("run.exe is not attached")
    choose(panel, ("huge.png", "image/png", PNG + bytes(8_000_000)))
    expect(panel.notice).to_contain_text("an image may have at most 8.0 MB")
    choose(panel, ("big.txt", "text/plain", b"a" * 900_000))
    expect(panel.notice).to_contain_text("a text file may have at most 256 kB")
    expect(chips(panel)).to_have_count(0)


def test_a_large_image_reaches_the_kernel_and_the_server(panel: Panel, model: ChatServer) -> None:
    large = PNG + bytes(7_000_000)
    choose(panel, ("large.png", "image/png", large))
    panel.ask("Look")
    panel.ended(panel.rows)
    assert content(model)[1]["image_url"]["url"] == data_url(large)


def test_asking_again_and_editing_keep_the_files(panel: Panel, model: ChatServer) -> None:
    choose(panel, ("dot.png", "image/png", PNG))
    panel.ask("Look")
    panel.ended(panel.rows)
    model.script(Reply("second"))
    panel.tool(panel.rows, "Regenerate")
    expect(panel.rows.locator(".ct-reply")).to_have_text("second")
    assert content(model)[1]["image_url"]["url"] == data_url(PNG)
    expect(panel.rows.locator(".ct-file .ct-name")).to_have_text(["dot.png"])


def test_what_was_sent_names_the_image(panel: Panel) -> None:
    choose(panel, ("dot.png", "image/png", PNG))
    panel.ask("Look")
    panel.ended(panel.rows)
    panel.tool(panel.rows, "Show what was sent")
    window = panel.page.get_by_role("dialog", name="What was sent")
    expect(window).to_contain_text(f"[image/png, {len(PNG)} B]")
    panel.page.keyboard.press("Escape")
    expect(window).to_be_hidden()


def test_a_page_that_is_loaded_anew_shows_the_files(panel: Panel) -> None:
    choose(panel, ("dot.png", "image/png", PNG))
    panel.ask("Look again")
    panel.ended(panel.rows)
    panel.save()
    panel.reload()
    expect(panel.rows.locator(".ct-file .ct-name")).to_have_text(["dot.png"], timeout=LONG)
