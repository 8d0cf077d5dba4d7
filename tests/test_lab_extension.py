"""The Chat tile, its command and the dock, in real JupyterLab and Notebook 7."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.lab import IDLE, Lab, Sheet, opened

pytestmark = pytest.mark.browser

EXTENSION = Path(__file__).parent.parent / "widgets" / "chat_widgets" / "labextension"
DOCK = ".chat-magics-dock"
# Stands in for chat_widgets, so that this file is about the page only: a real widget that asks
# the page for what a panel asks it, and shows the page's answer.
STAND_IN = '''
import anywidget, ipywidgets, traitlets
from IPython.display import display

class View(anywidget.AnyWidget):
    panel = traitlets.Unicode().tag(sync=True)
    _esm = """
    const ask = (el, name, detail) => {
      const options = { bubbles: true, cancelable: true, detail };
      const done = !el.dispatchEvent(new CustomEvent("chat-magics:" + name, options));
      el.querySelector("output").textContent = name + (done ? " done" : " not done");
    };
    const render = ({ model, el }) => {
      el.className = "stand-in";
      el.innerHTML = "<form class='ct-composer'><textarea></textarea></form>" +
        "<button>Insert</button><button>Dock</button><output></output>";
      const [insert, dock] = el.querySelectorAll("button");
      insert.onclick = () => ask(el, "insert", { code: "ran = True", language: "python" });
      dock.onclick = () => ask(el, "dock", { model_id: model.get("panel") });
    };
    export default { render };
    """

class ChatPanel(ipywidgets.VBox):
    docked = None

    def __init__(self):
        view = View()
        super().__init__([view])
        view.panel = self.model_id

    @classmethod
    def dock_here(cls):
        cls.docked = cls.docked or cls()
        display(cls.docked)
'''
WAIT = "import pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.02)\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    data = tmp_path_factory.mktemp("data")
    shutil.copytree(EXTENSION, data / "labextensions" / "chat-magics")
    (data / "packages" / "chat_widgets").mkdir(parents=True)
    (data / "packages" / "chat_widgets" / "__init__.py").write_text(STAND_IN)
    folder = tmp_path_factory.mktemp("lab")
    with Lab(folder, JUPYTER_PATH=str(data), PYTHONPATH=str(data / "packages")) as started:
        yield started


def _command(page: Page) -> None:
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").wait_for()
    page.keyboard.type("Chat: open beside")
    page.locator(
        ".lm-CommandPalette-item.lm-mod-active", has_text="beside this notebook"
    ).wait_for()
    page.keyboard.press("Enter")


def _docked(page: Page) -> Locator:
    dock = page.locator(DOCK)
    dock.locator(".stand-in").wait_for(timeout=240_000)
    return dock


def _cells(page: Page) -> Locator:
    return page.locator(".jp-Notebook .jp-CodeCell")


def _close_notebook(page: Page) -> None:
    page.locator("#jp-main-dock-panel .lm-mod-closable .lm-TabBar-tabCloseIcon").first.click()
    page.get_by_role("button", name="Discard").click()


def _calm(sheet: Sheet) -> None:
    # JupyterLab's own, where a notebook is closed while its debugger is still being asked.
    assert [error for error in sheet.errors if "the debugger state" not in error] == []
    assert sheet.outside == []


def test_the_command_opens_one_dock_and_puts_the_keyboard_into_it(lab: Lab) -> None:
    lab.write("one.ipynb", "1")
    with opened(lab, "one.ipynb") as sheet:
        _command(sheet.page)
        prompt = _docked(sheet.page).locator("textarea")
        expect(prompt).to_be_focused()
        _cells(sheet.page).first.click()
        _command(sheet.page)
        expect(prompt).to_be_focused()
        expect(sheet.page.locator(DOCK)).to_have_count(1)
        _calm(sheet)


def test_opening_leaves_no_trace_in_the_notebook_and_its_history(lab: Lab) -> None:
    lab.write("trace.ipynb", "41", "print(_, len(In))")
    with opened(lab, "trace.ipynb") as sheet:
        sheet.run(0)
        _command(sheet.page)
        _docked(sheet.page)
        sheet.run(1)
        assert "41 3" in sheet.output(1)
        sheet.page.keyboard.press("Control+s")
        sheet.page.wait_for_selector(".jp-mod-dirty", state="detached")
    assert "chat_widgets" not in lab.read("trace.ipynb")


def test_the_tile_makes_a_notebook_where_none_is_open(lab: Lab) -> None:
    lab.write("closed.ipynb", "1")
    with opened(lab, "closed.ipynb") as sheet:
        _close_notebook(sheet.page)
        sheet.page.locator(".jp-LauncherCard[title='Chat']").click()
        expect(_docked(sheet.page)).to_contain_text("Untitled.ipynb")
        expect(sheet.page.locator(".jp-Launcher")).to_have_count(0)
        _calm(sheet)


def test_code_from_a_cell_goes_below_that_cell_and_does_not_run(lab: Lab) -> None:
    lab.write("below.ipynb", "from chat_widgets import ChatPanel\nChatPanel()", "2", "3")
    with opened(lab, "below.ipynb") as sheet:
        sheet.run(0)
        _cells(sheet.page).nth(2).click()
        sheet.page.get_by_text("Insert", exact=True).click()
        expect(sheet.page.get_by_text("insert done")).to_be_visible()
        expect(_cells(sheet.page)).to_have_count(4)
        assert "ran = True" in _cells(sheet.page).nth(1).inner_text()
        assert "[ ]:" in _cells(sheet.page).nth(1).inner_text()


def test_code_from_the_dock_goes_below_the_active_cell(lab: Lab) -> None:
    lab.write("active.ipynb", "1", "2", "3")
    with opened(lab, "active.ipynb") as sheet:
        _command(sheet.page)
        dock = _docked(sheet.page)
        _cells(sheet.page).nth(1).click()
        dock.get_by_text("Insert", exact=True).click()
        dock.get_by_text("Insert", exact=True).click()
        expect(_cells(sheet.page)).to_have_count(5)
        assert "ran = True" in _cells(sheet.page).nth(2).inner_text()
        assert "ran = True" in _cells(sheet.page).nth(3).inner_text()


def test_a_panel_of_a_cell_asks_for_the_dock_and_is_shown_there_too(lab: Lab) -> None:
    lab.write("move.ipynb", "from chat_widgets import ChatPanel\nChatPanel()")
    with opened(lab, "move.ipynb") as sheet:
        sheet.run(0)
        sheet.page.locator(".jp-Notebook").get_by_text("Dock", exact=True).click()
        _docked(sheet.page)
        expect(sheet.page.locator(".jp-Notebook").get_by_text("dock done")).to_be_visible()
        expect(sheet.page.locator(".stand-in")).to_have_count(2)
        _calm(sheet)


def test_the_dock_closes_by_its_button_and_with_its_notebook(lab: Lab) -> None:
    lab.write("close.ipynb", "1")
    with opened(lab, "close.ipynb") as sheet:
        _command(sheet.page)
        _docked(sheet.page).get_by_label("Close the chat").click()
        expect(sheet.page.locator(DOCK)).to_have_count(0)
        _command(sheet.page)
        _docked(sheet.page)
        _close_notebook(sheet.page)
        expect(sheet.page.locator(DOCK)).to_have_count(0)
        _calm(sheet)


def test_a_restart_is_said_and_the_chat_opens_again(lab: Lab) -> None:
    lab.write("restart.ipynb", "1")
    with opened(lab, "restart.ipynb") as sheet:
        _command(sheet.page)
        dock = _docked(sheet.page)
        sheet.page.locator("[data-command='notebook:restart-kernel']").first.click()
        sheet.page.locator(".jp-Dialog .jp-mod-accept").click()
        expect(dock).to_contain_text("restarted")
        expect(dock.locator(".stand-in")).to_have_count(0)
        dock.get_by_text("Open again").click()
        expect(_docked(sheet.page)).not_to_contain_text("restarted")


def test_a_reloaded_page_has_its_dock_again(lab: Lab) -> None:
    lab.write("reload.ipynb", "1")
    with opened(lab, "reload.ipynb") as sheet:
        _command(sheet.page)
        _docked(sheet.page).locator("textarea").evaluate("box => box.dataset.old = 'yes'")
        sheet.page.reload()
        expect(_docked(sheet.page).locator("textarea")).not_to_have_attribute("data-old", "yes")
        expect(sheet.page.locator(DOCK)).to_have_count(1)


def test_it_waits_for_a_running_cell_and_opens_though_that_cell_fails(lab: Lab) -> None:
    lab.write("busy.ipynb", f"{WAIT}1 / 0")
    with opened(lab, "busy.ipynb") as sheet:
        sheet.run(0, wait=False)
        _command(sheet.page)
        expect(sheet.page.locator(DOCK)).to_contain_text("when the running cell ends")
        (lab.folder / "go").touch()
        expect(_docked(sheet.page)).not_to_contain_text("when the running cell ends")
        assert "ZeroDivisionError" in sheet.output(0)


def test_a_kernel_without_the_package_is_told_what_to_install(lab: Lab) -> None:
    lab.write("absent.ipynb", "import sys\nsys.modules['chat_widgets'] = None")
    with opened(lab, "absent.ipynb") as sheet:
        sheet.run(0)
        _command(sheet.page)
        expect(sheet.page.locator(DOCK)).to_contain_text("%pip install chat-magics")
        assert "Traceback" not in sheet.page.locator(DOCK).inner_text()


def test_notebook_7_has_the_dock_and_takes_code(lab: Lab) -> None:
    lab.write("seven.ipynb", "1")
    with opened(lab, "seven.ipynb") as sheet:
        sheet.page.goto(f"{lab.url}/notebooks/seven.ipynb")
        sheet.page.wait_for_selector(IDLE, timeout=240_000)
        sheet.errors.clear()  # Notebook 7 itself has some while it loads
        _command(sheet.page)
        dock = _docked(sheet.page)
        assert dock.evaluate("dock => dock.offsetWidth") >= 360
        dock.get_by_text("Insert", exact=True).click()
        expect(_cells(sheet.page)).to_have_count(2)
        _calm(sheet)


def test_the_extension_has_the_version_of_the_package() -> None:
    described = json.loads((EXTENSION / "package.json").read_text())
    assert described["version"] == version("chat-magics")
