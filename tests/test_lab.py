"""`%%chat` in real JupyterLab, seen and used through a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chat_server import ChatServer, Reply
from tests.lab import Lab, Sheet, opened

pytestmark = pytest.mark.browser

HOSTILE = """Hello
<script>window.hacked = 1</script>
<img src="{trap}/img" onerror="window.hacked = 1">
<iframe srcdoc="<script>parent.hacked = 1</script>"></iframe>
<svg onload="window.hacked = 1"></svg><style>body {{ background: url({trap}/css) }}</style>
<form action="{trap}/form"><button>go</button></form>
<button data-commandlinker-command="apputils:change-theme">theme</button>
![remote]({trap}/markdown) [click](javascript:window.hacked=1)
$\\text{{<img src=x onerror=window.hacked=1>}}$

Bye
"""


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with Lab(folder, CHAT_MAGICS_BASE_URL=model.url, CHAT_MAGICS_MODEL="test-model") as started:
        yield started


def _calm(sheet: Sheet) -> None:
    assert sheet.errors == []
    assert sheet.outside == []


def test_a_cell_streams_its_reply_and_the_quiet_line(lab: Lab, model: ChatServer) -> None:
    model.script(Reply("A **left join** keeps $x^2$ rows.\n\n```python\nprint(1)\n```\n"))
    lab.write("ask.ipynb", "%load_ext chat_magics", "%%chat --new\nWhy?")
    with opened(lab, "ask.ipynb") as sheet:
        sheet.run(0)
        sheet.run(1)
        assert "A left join keeps" in sheet.output(1)
        assert "test-model · 10 →" in sheet.output(1)
        sheet.page.wait_for_selector("mjx-container", timeout=240_000, state="attached")
        assert sheet.page.locator(".chat-magics pre .pg-nb").inner_text() == "print"
        _calm(sheet)


def test_the_stop_button_keeps_what_came(lab: Lab, model: ChatServer) -> None:
    model.script(Reply(["First words ", "never seen"], stall_after=1))
    lab.write("stop.ipynb", "%load_ext chat_magics", "%%chat --new -o a\nStop me", "a.status")
    with opened(lab, "stop.ipynb") as sheet:
        sheet.run(0)
        sheet.run(1, wait=False)
        sheet.page.wait_for_function("document.body.innerText.includes('First words')")
        sheet.page.locator("[data-command='notebook:interrupt-kernel']").first.click()
        sheet.wait_idle()
        model.release()
        assert "First words" in sheet.output(1)
        assert "interrupted; 12 characters of the reply are kept" in sheet.output(1)
        assert "Traceback" not in sheet.output(1)
        sheet.run(2)
        assert "interrupted" in sheet.output(2)


def test_running_a_cell_again_replaces_its_turn(lab: Lab, model: ChatServer) -> None:
    lab.write("again.ipynb", "%load_ext chat_magics", "%chat one", "%chat two")
    with opened(lab, "again.ipynb") as sheet:
        for number in (0, 1, 2, 1, 2):
            sheet.run(number)
        said = [message["content"] for message in model.bodies[-1]["messages"]]
        assert said[::2] == ["one", "two"]
        assert sheet.output(2).count("test-model") == 1


def test_code_goes_into_a_new_cell_and_does_not_run(lab: Lab, model: ChatServer) -> None:
    model.script(Reply("Try\n```python\nran = True\n```\n"))
    lab.write("code.ipynb", "%load_ext chat_magics", "%chat --new -f code Write code", "1")
    with opened(lab, "code.ipynb") as sheet:
        sheet.run(0)
        sheet.run(1)
        cells = sheet.page.locator(".jp-Notebook .jp-CodeCell .jp-InputArea-editor")
        cells.filter(has_text="ran = True").first.wait_for()
        assert cells.count() == 4


def test_a_hostile_reply_runs_nothing_and_fetches_nothing(lab: Lab, model: ChatServer) -> None:
    with ChatServer() as trap:
        model.script(Reply(HOSTILE.format(trap=trap.url)))
        lab.write("hostile.ipynb", "%load_ext chat_magics", "%chat --new Attack me")
        with opened(lab, "hostile.ipynb") as sheet:
            sheet.run(0)
            sheet.run(1)
            for link in sheet.page.locator(".chat-magics a").all():
                assert not (link.get_attribute("href") or "").startswith("javascript")
            assert "Bye" in sheet.output(1)
            assert sheet.page.evaluate("window.hacked") is None
            assert (
                sheet.page.locator(".chat-magics :is(img, form, iframe, svg, button)").count() == 0
            )
        assert trap.requests == []


WIDE = """| one | two | three | four | five | six | seven |
|---|---|---|---|---|---|---|
| number one | number two | number three | number four | number five | number six | seven |

```python
result = function(first_argument=1, second_argument=2, third_argument=3, fourth_argument=4)
```

`one_long_name_without_any_blank_in_it_that_goes_on_and_on_and_on` https://example.org/a/b/c/d/e/f/g/h

$$a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 + b_1 + b_2 + b_3 + b_4 + b_5 + b_6 = z$$

And $a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t = z$ in a line.
"""
WIDER = "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.className || e.tagName)"
SHEET = "html, .jp-WindowedPanel-outer, .jp-OutputArea, .jp-OutputArea-output"


def test_on_a_phone_the_page_does_not_scroll_sideways(lab: Lab, model: ChatServer) -> None:
    model.script(Reply(WIDE))
    lab.write("phone.ipynb", "%load_ext chat_magics", "%chat --new Wide")
    with opened(lab, "phone.ipynb", width=390, alone=True) as sheet:
        sheet.run(0)
        sheet.run(1)
        sheet.page.wait_for_selector("p mjx-container", timeout=240_000, state="attached")
        assert sheet.page.eval_on_selector_all(SHEET, WIDER) == []
        for scrolls in (".chat-magics table", ".chat-magics pre", "div.chat-magics-math"):
            assert sheet.page.eval_on_selector_all(scrolls, WIDER) != []


def test_a_frame_is_read_from_the_left_and_its_prices_are_no_formulas(
    lab: Lab, model: ChatServer
) -> None:
    model.script(Reply("That makes $x^2$"))
    cells = ("%load_ext chat_magics", "%chat --new $5 and then $6", "%chat_history")
    lab.write("frame.ipynb", *cells)
    with opened(lab, "frame.ipynb") as sheet:
        for number in range(3):
            sheet.run(number)
        sheet.page.wait_for_selector(
            ".chat-magics mjx-container", timeout=240_000, state="attached"
        )
        cell = sheet.page.locator(".chat-magics-frame tbody td").nth(1)
        assert cell.inner_text() == "$5 and then $6"
        assert cell.evaluate("e => getComputedStyle(e).textAlign") == "left"
        assert sheet.page.locator(".chat-magics-frame mjx-container").count() == 0
        _calm(sheet)


def test_it_is_readable_in_the_dark_theme(lab: Lab, model: ChatServer) -> None:
    lab.use_dark_theme()
    model.script(Reply("Some `code` and text"))
    lab.write("dark.ipynb", "%load_ext chat_magics", "%chat --new Hello")
    with opened(lab, "dark.ipynb") as sheet:
        sheet.run(0)
        sheet.run(1)
        caption = sheet.page.locator(".chat-magics-caption").last
        colour = caption.evaluate("e => getComputedStyle(e).color")
        levels = [float(part) for part in colour.strip("rgba()").split(",")[:3]]
        assert min(levels) > 120


def test_the_saved_notebook_holds_the_reply_and_no_script(lab: Lab, model: ChatServer) -> None:
    model.script(Reply("Kept for the reader"))
    lab.write("saved.ipynb", "%load_ext chat_magics", "%chat --new Keep it")
    with opened(lab, "saved.ipynb") as sheet:
        sheet.run(0)
        sheet.run(1)
        sheet.page.keyboard.press("Control+s")
        sheet.page.wait_for_selector(".jp-mod-dirty", state="detached")
    saved = lab.read("saved.ipynb")
    assert "Kept for the reader" in saved
    assert "<script" not in saved


def test_the_quickstart_runs_on_the_demo_model(tmp_path: Path) -> None:
    notebook = Path(__file__).parent.parent / "notebooks" / "quickstart.ipynb"
    (tmp_path / "quickstart.ipynb").write_bytes(notebook.read_bytes())
    with (
        Lab(tmp_path, CHAT_MAGICS_BASE_URL="demo") as own,
        opened(own, "quickstart.ipynb") as sheet,
    ):
        sheet.run(0)
        sheet.run(1)
        assert "no language model stands behind it" in sheet.output(1)
        assert "demo ·" in sheet.output(1)
        _calm(sheet)
