"""The pages inside real JupyterLab: our template and headers there, and kernels that go."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, expect

from tests.lab import Lab
from tests.panel_lab import LONG, kernel_ready, page_of
from tests.talks import until

APP = Path(__file__).parent.parent / "notebooks" / "app.ipynb"
OUTSIDE = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")
BEFORE_THE_SWEEP = 25.0
"""Seconds; pages that nobody looks at are left alone for longer."""


def lab_in(folder: Path, **environment: str) -> Lab:
    """A lab with the app's notebook, and a dashboard of somebody else."""
    (folder / "notebooks").mkdir()
    shutil.copy(APP, folder / "notebooks")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    other = new_notebook(cells=[new_code_cell("6 * 7")], metadata={"kernelspec": kernel})
    nbformat.write(other, folder / "other.ipynb")
    return Lab(folder, CHAT_MAGICS_BASE_URL="demo", **environment)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("lab"), JUPYTERHUB_USER="ada") as started:
        yield started


class Client:
    """Asks a lab as a browser does, with cookies."""

    def __init__(self, lab: Lab) -> None:
        self._url = lab.url
        self.cookies = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.cookies))

    def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, Any, str]:
        """Status, headers and body."""
        data = None if form is None else urlencode(form).encode()
        try:
            with self._opener.open(f"{self._url}/{path}", data, timeout=240) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except HTTPError as refused:
            return refused.code, refused.headers, refused.read().decode()

    def page(self, notebook: str) -> tuple[Any, str, str]:
        """Headers and HTML of a page, and the id of its kernel."""
        status, headers, html = self.ask(f"voila/render/{notebook}")
        assert status == 200, html
        found = re.search(r'"kernelId": *"([\w-]+)"', html)
        assert found is not None
        return headers, html, found[1]

    @property
    def kernels(self) -> set[str]:
        """The ids of those that run."""
        return {kernel["id"] for kernel in json.loads(self.ask("api/kernels")[2])}

    @property
    def xsrf(self) -> str:
        """The cookie's value."""
        return next(str(cookie.value) for cookie in self.cookies if cookie.name == "_xsrf")


@pytest.fixture
def client(lab: Lab) -> Client:
    return Client(lab)


def test_the_installation_enables_it() -> None:
    command = [sys.executable, "-m", "jupyter_server.extension.serverextension", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    listed = re.sub(r"\x1b\[\d*m", "", done.stdout + done.stderr)
    assert re.search(r"chat_magics\.server\s+enabled", listed)
    assert re.search(r"chat_magics\.server\s+OK", listed)


def test_our_page_has_our_template_and_headers_and_asks_nobody_else(client: Client) -> None:
    headers, html, _ = client.page("notebooks/app.ipynb")
    assert '<meta name="referrer" content="same-origin">' in html
    assert OUTSIDE.findall(html) == []
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "same-origin"
    loaded = json.loads(re.findall(r'id="jupyter-config-data"[^>]*>(.*?)</script>', html, re.S)[0])
    assert loaded["fullMathjaxUrl"] is None
    assert "chat-magics" not in [each["name"] for each in loaded["federated_extensions"]]


def test_another_template_cannot_be_asked_for(client: Client) -> None:
    _, html, _ = client.page("notebooks/app.ipynb?template=lab")
    assert OUTSIDE.findall(html) == []


def test_a_page_ends_its_kernel_with_its_cookie_only(client: Client) -> None:
    *_, kernel = client.page("notebooks/app.ipynb")
    assert client.ask(f"voila/api/shutdown/{kernel}", {})[0] == 403
    assert kernel in client.kernels
    assert client.ask(f"voila/api/shutdown/{kernel}", {"_xsrf": client.xsrf})[0] == 204
    assert kernel not in client.kernels


def test_another_dashboard_keeps_voilas_template_and_headers(client: Client) -> None:
    headers, html, kernel = client.page("other.ipynb")
    assert "42" in html
    assert "default-src" not in headers["Content-Security-Policy"]
    assert client.ask(f"voila/api/shutdown/{kernel}", {"_xsrf": client.xsrf})[0] == 204


def test_jupyterlab_keeps_its_own_headers(client: Client) -> None:
    status, headers, _ = client.ask("lab")
    assert (status, "default-src" in headers["Content-Security-Policy"]) == (200, False)


def test_a_notebook_that_is_not_there_is_not_found(client: Client) -> None:
    assert client.ask("voila/render/absent.ipynb")[0] == 404


def test_only_kernels_of_our_pages_go_when_nobody_looks(client: Client) -> None:
    client.ask("lab")
    made = client.ask(f"api/kernels?{urlencode({'_xsrf': client.xsrf})}", {})
    notebooks = json.loads(made[2])["id"]
    *_, others = client.page("other.ipynb")
    *_, ours = client.page("notebooks/app.ipynb")
    until(lambda: ours not in client.kernels)
    assert {notebooks, others} <= client.kernels


@pytest.mark.browser
def test_a_closed_tab_takes_its_kernel_along(browser: Browser, lab: Lab, client: Client) -> None:
    with page_of(browser) as sheet:
        before = client.kernels
        sheet.page.goto(f"{lab.url}/voila/render/notebooks/app.ipynb")
        sheet.page.locator(".ct-empty").wait_for(timeout=LONG)
        (kernel,) = client.kernels - before
        assert sheet.errors == []
        sheet.page.close(run_before_unload=True)
        until(lambda: kernel not in client.kernels, BEFORE_THE_SWEEP)


@pytest.mark.browser
def test_under_jupyterhub_what_is_said_belongs_to_its_user(browser: Browser, lab: Lab) -> None:
    with page_of(browser) as sheet:
        sheet.page.goto(f"{lab.url}/voila/render/notebooks/app.ipynb")
        box = sheet.page.get_by_role("textbox", name="Message")
        box.fill("Whose is this?")
        box.press("Enter")
        row = sheet.page.locator(".ct-row").last
        expect(row).to_have_attribute("data-state", "complete", timeout=LONG)
        assert sheet.errors == []
    file = lab.folder / "home" / "chat_magics" / "history.db"
    with closing(sqlite3.connect(file)) as history:
        assert history.execute("SELECT DISTINCT owner FROM exchanges").fetchall() == [("ada",)]


@pytest.mark.browser
def test_in_plain_jupyterlab_the_notebook_shows_the_panel(browser: Browser, lab: Lab) -> None:
    with page_of(browser) as sheet:
        sheet.page.goto(f"{lab.url}/doc/tree/notebooks/app.ipynb?reset")
        kernel_ready(sheet.page)
        sheet.run(0)
        sheet.run(1)
        panel = sheet.page.locator(".chat-magics-panel").first
        expect(panel.get_by_role("textbox", name="Message")).to_be_visible(timeout=LONG)
        assert sheet.errors == []


@pytest.mark.browser
def test_an_idle_page_is_ended_and_offers_to_go_on(browser: Browser, tmp_path: Path) -> None:
    with (
        lab_in(tmp_path, CHAT_MAGICS_SERVE_IDLE_MINUTES="0.3") as lab,
        page_of(browser) as sheet,
    ):
        sheet.page.goto(f"{lab.url}/voila/render/notebooks/app.ipynb")
        notice = sheet.page.locator(".ct-notice")
        expect(notice).to_contain_text("This session has ended", timeout=LONG)
        notice.get_by_role("button", name="Go on").click()
        expect(sheet.page.locator(".ct-empty")).to_be_visible(timeout=LONG)
