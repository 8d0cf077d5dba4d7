"""A visitor of the app in a real browser: what they see, and what the page complained of."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.aimock import Aimock
from tests.app_server import AppServer
from tests.chat_server import ChatServer
from tests.chromium import patient
from tests.lab import HERE

__all__ = [
    "LONG",
    "AppPage",
    "free_port",
    "kernel_process",
    "kernel_processes",
    "serving",
    "tab",
    "visiting",
    "visitor",
]

LONG = 60_000


class AppPage:
    """One tab with the app.

    Args:
        page: of the browser.
        app: whose page it is.
    """

    def __init__(self, page: Page, app: AppServer) -> None:
        self.page, self.app = page, app
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.sockets: list[str] = []
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda r: None if HERE.match(r.url) else self.outside.append(r.url))
        page.on("websocket", lambda opened: self.sockets.append(opened.url))

    def load(self, query: str = "") -> None:
        """Opens the app, and waits until it can be used."""
        self.page.goto(self.app.url + query)
        self.usable()

    def reload(self) -> None:
        """Loads the page anew, and waits until it can be used."""
        self.page.reload()
        self.usable()

    def usable(self) -> None:
        """Waits for the box, and for the kernel behind it."""
        expect(self.box).to_be_visible(timeout=LONG)
        self.page.locator(".ct-empty:not([hidden]), .ct-rows > .ct-row").first.wait_for(
            timeout=LONG
        )

    @property
    def box(self) -> Locator:
        """Where prompts are typed."""
        return self.page.get_by_role("textbox", name="Message")

    @property
    def rows(self) -> Locator:
        """Prompts with their replies."""
        return self.page.locator(".ct-rows > .ct-row")

    @property
    def last(self) -> Locator:
        """The last row."""
        return self.rows.last

    @property
    def notice(self) -> Locator:
        """The calm line above the box."""
        return self.page.locator(".ct-notice")

    @property
    def drawer(self) -> Locator:
        """What is open below the bar."""
        return self.page.locator(".chat-magics-drawer")

    @property
    def conversation(self) -> str:
        """The one that the URL names; empty where it names none."""
        return parse_qs(urlsplit(self.page.url).query).get("conversation", [""])[0]

    @property
    def kernel(self) -> str:
        """The id of the kernel behind the page."""
        config = self.page.locator("#jupyter-config-data").text_content() or "{}"
        return str(json.loads(config)["kernelId"])

    def ask(self, prompt: str) -> Locator:
        """Types a prompt and sends it; gives its row."""
        self.box.fill(prompt)
        self.box.press("Enter")
        return self.rows.filter(has=self.page.locator(".ct-prompt", has_text=prompt)).last

    def asked(self, prompt: str, state: str = "complete") -> Locator:
        """Asks, and waits until the reply has ended so; gives its row."""
        row = self.ask(prompt)
        expect(row).to_have_attribute("data-state", state, timeout=LONG)
        return row

    def named(self) -> str:
        """Waits until the URL names a conversation; gives its id."""
        self.page.wait_for_function("location.search.includes('conversation=')")
        return self.conversation

    def open(self, drawer: str) -> None:
        """Opens a drawer, or closes it."""
        bar = self.page.locator(".chat-magics-bar")
        bar.get_by_role("button", name=drawer, exact=True).click()

    def press(self, name: str) -> None:
        """Presses a button of the drawer."""
        self.drawer.get_by_role("button", name=name, exact=True).click()

    def says(self, text: str) -> None:
        """Waits until the calm line above the box says so."""
        expect(self.notice).to_contain_text(text, timeout=LONG)

    def goes_on(self) -> None:
        """Presses «Go on», and waits until the page can be used again."""
        with self.page.expect_navigation(timeout=LONG):  # a kernel starts for it
            self.notice.get_by_role("button", name="Go on").click(timeout=LONG)
        self.usable()

    def close(self) -> None:
        """Closes the tab as a person does, with what a page may do then."""
        if not self.page.is_closed():
            with self.page.expect_event("close"):
                self.page.close(run_before_unload=True)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """What JavaScript in the page gives."""
        return self.page.evaluate(script, argument)


@contextmanager
def visitor(
    browser: Browser, width: int = 1180, height: int = 900, *, dark: bool = False
) -> Iterator[BrowserContext]:
    """A person: a browser with cookies of its own, on a light system or a dark one."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        accept_downloads=True,
    )
    try:
        yield patient(context)
    finally:  # a page that stays open would keep its seat from the tests that follow
        context.close()


@contextmanager
def tab(
    person: BrowserContext, app: AppServer, query: str = "", *, troubled: bool = False
) -> Iterator[AppPage]:
    """A tab of a person with the app; whatever the page complained of is a failure.

    Args:
        person: whose tab.
        app: which is opened.
        query: of the URL.
        troubled: the server goes away in this test, which a browser calls an error.
    """
    shown = AppPage(person.new_page(), app)
    shown.load(query)
    yield shown
    assert troubled or not shown.errors, shown.errors
    assert not shown.outside, shown.outside
    shown.close()


@contextmanager
def visiting(
    browser: Browser,
    app: AppServer,
    query: str = "",
    *,
    width: int = 1180,
    dark: bool = False,
    troubled: bool = False,
) -> Iterator[AppPage]:
    """A new person with one tab."""
    with (
        visitor(browser, width, dark=dark) as person,
        tab(person, app, query, troubled=troubled) as shown,
    ):
        yield shown


@contextmanager
def serving(
    folder: Path, model: ChatServer | Aimock, *arguments: str, **settings: str
) -> Iterator[AppServer]:
    """The app on a model server; all visitors of the tests have one address.

    Args:
        folder: for its home and its log.
        model: which is asked.
        arguments: of `chat-magics serve`.
        settings: further ones, without `CHAT_MAGICS_`.
    """
    given = {
        "BASE_URL": model.url,
        "MODEL": "test-model",
        "CACHE": "0",
        "REQUESTS_PER_MINUTE_PER_ADDRESS": "1000",
        "SERVE_PAGE_LOADS_PER_MINUTE": "1000",
        **settings,
    }
    environment = {f"CHAT_MAGICS_{name}": value for name, value in given.items()}
    with AppServer(folder, *arguments, **environment) as app:
        yield app
        assert "Traceback" not in app.log, app.log


def kernel_processes(app: AppServer) -> dict[str, psutil.Process]:
    """The processes of a server's kernels by the kernel's id, found by the file of their line."""
    found = {}
    for process in psutil.Process(app.pid).children(recursive=True):
        if named := re.search(r"kernel-([0-9a-f-]+)\.json", " ".join(process.cmdline())):
            found[named[1]] = process
    return found


def kernel_process(app: AppServer, kernel: str) -> psutil.Process:
    """The process of one kernel."""
    return kernel_processes(app)[kernel]


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
