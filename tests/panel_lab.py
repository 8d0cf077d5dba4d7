"""The panel in real JupyterLab, as a person uses it: cells, prompts, drawers, what is shown."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.chat_server import ChatServer
from tests.chromium import patient
from tests.lab import HERE, Lab, Sheet

EXTENSION = Path(__file__).parent.parent / "widgets" / "chat_widgets" / "labextension"
SHOW = "%load_ext chat_magics\nfrom chat_widgets import ChatPanel\npanel = ChatPanel()\npanel"
LONG = 60_000


@contextmanager
def lab_with_extension(folder: Path, model: ChatServer, **more: str) -> Iterator[Lab]:
    """A lab with our extension, its kernels on the tests' model server.

    Args:
        folder: for the notebooks and the home.
        model: which the kernels ask.
        more: variables for the kernels.
    """
    shutil.copytree(EXTENSION, folder / "data" / "labextensions" / "chat-magics")
    settings = {"CHAT_MAGICS_BASE_URL": model.url, "CHAT_MAGICS_MODEL": "test-model"}
    with Lab(folder, JUPYTER_PATH=str(folder / "data"), **settings, **more) as started:
        yield started


class Panel:
    """A notebook whose first cell shows a panel, open in a page of its own.

    Args:
        sheet: the notebook.
        lab: that serves it.
        name: of its file.
    """

    def __init__(self, sheet: Sheet, lab: Lab, name: str) -> None:
        self.sheet, self.lab, self.name = sheet, lab, name
        self.page: Page = sheet.page
        self.whole = self.page.locator(".chat-magics-panel").first

    @property
    def box(self) -> Locator:
        """Where prompts are typed."""
        return self.whole.get_by_role("textbox", name="Message")

    @property
    def rows(self) -> Locator:
        """Prompts with their replies."""
        return self.whole.locator(".ct-rows > .ct-row")

    @property
    def notice(self) -> Locator:
        """The calm line above the box."""
        return self.whole.locator(".ct-notice")

    @property
    def drawer(self) -> Locator:
        """What is open below the bar."""
        return self.whole.locator(".chat-magics-drawer")

    @property
    def said(self) -> Locator:
        """The calm line of the drawer."""
        return self.drawer.locator(".chat-magics-said")

    def row(self, text: str) -> Locator:
        """The row with this prompt or reply."""
        return self.rows.filter(has_text=text)

    def ask(self, prompt: str) -> None:
        """Types a prompt and sends it."""
        self.box.fill(prompt)
        self.box.press("Enter")

    def asked(self, prompt: str) -> Locator:
        """Asks, and waits for the end of the reply; gives its row."""
        self.ask(prompt)
        row = self.rows.filter(has=self.page.locator(".ct-prompt", has_text=prompt)).last
        self.ended(row)
        return row

    def ended(self, row: Locator, state: str = "complete") -> None:
        """Waits until a reply has ended so."""
        expect(row).to_have_attribute("data-state", state, timeout=LONG)

    def tool(self, row: Locator, name: str) -> None:
        """Presses a button of a reply."""
        row.hover()
        row.get_by_label(name, exact=True).click()

    def open(self, drawer: str) -> None:
        """Opens a drawer, or closes it."""
        self.whole.locator(".chat-magics-bar").get_by_role("button", name=drawer).click()

    def press(self, name: str) -> None:
        """Presses a button of the drawer."""
        self.drawer.get_by_role("button", name=name, exact=True).click()

    def save(self) -> None:
        """Saves the notebook."""
        self.page.locator("[data-command='docmanager:save']").first.click()
        self.page.wait_for_selector(".jp-mod-dirty", state="detached")

    def reload(self) -> None:
        """Loads the page anew; the panel is shown again by its notebook."""
        self.page.reload()
        kernel_ready(self.page)


@contextmanager
def panel_in(
    browser: Browser, lab: Lab, name: str, *cells: str, width: int = 1180, first: str = SHOW
) -> Iterator[Panel]:
    """A new notebook with a panel, shown; the page must have had no error in the end.

    Args:
        browser: of `chromium`.
        lab: that serves the notebook.
        name: of the notebook, without ending.
        cells: after the first one, which shows the panel.
        width: of the page, in pixels.
        first: the first cell.
    """
    file = f"{name}.ipynb"
    lab.write(file, first, *cells)
    with page_of(browser, width) as sheet:
        sheet.page.goto(f"{lab.url}/doc/tree/{file}?reset")
        kernel_ready(sheet.page)
        panel = Panel(sheet, lab, file)
        sheet.run(0)
        expect(panel.box).to_be_visible(timeout=LONG)
        yield panel
        assert sheet.errors == []


@contextmanager
def page_of(browser: Browser, width: int = 1180) -> Iterator[Sheet]:
    """A page in a profile of its own; whoever it asked beyond this machine is a failure."""
    context = browser.new_context(
        viewport={"width": width, "height": 1000},
        permissions=["clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    sheet = watched(patient(context).new_page())
    yield sheet
    context.close()
    assert sheet.outside == []


def kernel_ready(page: Page) -> None:
    """Waits until the notebook is there and its kernel idle."""
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=LONG)
    page.get_by_text(re.compile(r"\| Idle$")).wait_for(timeout=LONG)


def watched(page: Page) -> Sheet:
    """The page, with what it complains of and whom it asks."""
    sheet = Sheet(page)
    page.on("console", lambda m: sheet.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: sheet.errors.append(str(error)))
    page.on("request", lambda r: None if HERE.match(r.url) else sheet.outside.append(r.url))
    return sheet
