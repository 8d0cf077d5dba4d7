"""A real JupyterHub: two people with cells and panels of their own, under one policy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.app_page import AppPage
from tests.chat_server import ChatServer
from tests.chromium import patient
from tests.hub import PASSWORD, Hub, HubKernel
from tests.hub_place import INSTALL, installed

pytestmark = [pytest.mark.hub, pytest.mark.skipif(not installed(), reason=INSTALL)]

POLICY = """
models = ["test-model"]
tokens_in_all = 10_000
max_tokens = 50

[owners.ada]
tokens_in_all = 70
"""


class Course(NamedTuple):
    """A hub with two people signed in, and the model server."""

    hub: Hub
    model: ChatServer
    tokens: dict[str, str]

    def prompts(self, name: str) -> list[tuple[str, str]]:
        """Owner and prompt of all that stands in somebody's history."""
        (place,) = (self.hub.folder / name).rglob("history.db")
        assert place.stat().st_mode & 0o077 == 0
        with sqlite3.connect(place) as history:
            return history.execute(
                "SELECT owner, prompt FROM exchanges ORDER BY created"
            ).fetchall()


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "policy.toml").write_text(POLICY)
    (folder / "keys").mkdir()
    cells = [new_code_cell("from chat_widgets.app import show\nshow()")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for name in ("ada", "bob"):
        (folder / "keys" / name).write_text(f"key-of-{name}\n")
        (folder / name).mkdir()
        page = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(page, folder / name / "chat.ipynb")
    with ChatServer() as model, Hub(folder, {"ada", "bob"}, model.url) as hub:
        yield Course(hub, model, hub.sign_in("ada", "bob"))
    assert model.violations == []


def keys_sent(course: Course) -> list[str]:
    return [request.headers["authorization"] for request in course.model.posts]


def test_cells_are_the_hubs_users_and_held_to_the_policy(course: Course) -> None:
    with HubKernel(course.hub, "ada", course.tokens["ada"]) as kernel:
        kernel.run("%load_ext chat_magics")
        refusal = kernel.run("%%chat --model big\nHello")
        assert "big is not allowed here; the policy allows test-model" in refusal
        assert "Hello from the test server." in kernel.run("%%chat\nFrom a cell of ada's")
        assert "70 tokens in all are spent" in kernel.run("%%chat\nOnce more")
        assert "it is the hub's user, ada" in kernel.run("%chat_config owner bob")
    asked = [prompt for owner, prompt in course.prompts("ada") if owner == "ada"]
    assert "From a cell of ada's" in asked
    assert keys_sent(course) == ["Bearer key-of-ada"]


def test_nobody_comes_near_anothers_server(course: Course) -> None:
    hub, ada = course.hub, course.tokens["ada"]
    for path in ("api/contents/chat.ipynb", "api/kernels", "voila/render/chat.ipynb"):
        assert hub.ask("GET", f"user/bob/{path}", token=ada).status in (403, 404), path
        assert hub.ask("GET", f"user/bob/{path}", token=course.tokens["bob"]).status == 200, path
    made = hub.ask("POST", "user/bob/api/kernels", {}, course.tokens["bob"]).json["id"]
    for token in (ada, "guessed"):
        place = f"{hub.url.replace('http', 'ws', 1)}/user/bob/api/kernels/{made}/channels"
        headers = {"Authorization": f"token {token}"}
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(place, additional_headers=headers, proxy=None),
        ):
            pass
        assert refused.value.response.status_code == 403


@pytest.mark.browser
def test_a_person_signs_in_and_has_the_panel_as_a_page(course: Course, browser: Browser) -> None:
    context = patient(browser.new_context())
    page = context.new_page()
    page.goto(f"{course.hub.url}/hub/login?next=/user/bob/voila/render/chat.ipynb")
    page.get_by_label("Username").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    shown = AppPage(page, course.hub)  # type: ignore[arg-type]
    expect(shown.box).to_be_visible(timeout=600_000)  # the first kernel of a server just begun
    shown.usable()
    row = shown.asked("From a page of bob's")
    expect(row).to_contain_text("Hello from the test server.")
    context.close()
    assert course.prompts("bob") == [("bob", "From a page of bob's")]
    assert keys_sent(course)[-1] == "Bearer key-of-bob"
    assert "bob" not in str(course.prompts("ada"))
