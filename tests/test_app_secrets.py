"""What nobody gets: files of the machine, the key, and what admits."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psutil
import pytest

from tests.app_browser import Browser
from tests.app_people import App, app_on
from tests.chat_server import Status
from tests.talks import CANARY, leaks

TOKEN = "let-me-in-0123456789"
SECRET = "signs-cookies-0123456789"
CANARY_FILE = "nobody may read this"

UP = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "....//", "..%252f", "..%c0%af")
PLACES = (
    "/voila/files/",
    "/voila/templates/",
    "/voila/templates/chat_magics/static/",
    "/voila/templates/lab/static/",
    "/voila/static/",
    "/voila/labextensions/",
    "/voila/labextensions/anywidget/",
    "/voila/api/themes/",
    "/api/sessions/",
    "/api/kernels/",
    "/kernel/",
    "/static/",
    "/",
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app, started in a folder with things of its owner."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "secret.txt").write_text(CANARY_FILE)
    told = {
        "CHAT_MAGICS_SERVE_TOKEN": TOKEN,
        "CHAT_MAGICS_SERVE_COOKIE_SECRET": SECRET,
        "CHAT_MAGICS_MAX_ATTEMPTS": "1",
    }
    with app_on(folder, **told) as running:
        yield running


@pytest.fixture(scope="module")
def ada(app: App) -> Browser:
    """A browser that was let in."""
    browser = Browser(app.server)
    browser.get(f"/?token={TOKEN}")
    return browser


@pytest.mark.parametrize("place", PLACES)
def test_no_path_leads_out_of_its_folder(app: App, ada: Browser, place: str) -> None:
    inside = str(app.server.folder / "secret.txt").lstrip("/")
    for up in UP:
        for name in ("etc/passwd", inside, "secret.txt"):
            got = ada.get(f"{place}{up * 12}{name}")
            assert got.status in (400, 403, 404, 405), (up, name, got)
            assert CANARY_FILE.encode() not in got.body
            assert b"root:" not in got.body


@pytest.mark.parametrize(
    "path",
    [
        "/voila/files/",
        "/voila/files/app.ipynb",
        "/voila/files/secret.txt",
        "/voila/render/app.ipynb",
        "/voila/tree",
        "/voila/templates/x",
        "/voila/templates/chat_magics/conf.json",
        "/voila/templates/chat_magics/static/%00",
        "/voila/static/%00",
        "/app.ipynb",
        "/secret.txt",
        "/files/app.ipynb",
        "/api/contents",
        "/api/contents/app.ipynb",
        "/api/kernels",
        "/api/kernelspecs",
        "/api/terminals",
        "/voila/api/contents/",
        "/voila/query/00000000-0000-0000-0000-000000000000",
        "/voila/execution/00000000-0000-0000-0000-000000000000",
    ],
)
def test_nothing_of_the_notebooks_folder_is_served(ada: Browser, path: str) -> None:
    got = ada.get(path)
    assert got.status in (400, 403, 404)
    assert b"chat_widgets" not in got.body


def test_nobody_starts_a_kernel_but_by_the_page(app: App, ada: Browser) -> None:
    kernels = app.server.kernels
    for path in ("/api/kernels", "/api/sessions", "/api/terminals"):
        assert ada.submit(path, name="python3").status in (403, 404, 405)
    assert app.server.kernels == kernels


def test_the_door_of_the_kernels_opens_to_them_alone(app: App, ada: Browser) -> None:
    kernel = ada.open_page()
    for secret in ("", "0" * 32, "x"):
        assert ada.get(f"/kernel/{secret}/{kernel}").status == 404
        assert ada.submit(f"/kernel/{secret}/{kernel}", conversation="x").status in (403, 404, 405)


def test_no_secret_is_told_to_anybody(app: App, ada: Browser) -> None:
    app.model.script(Status(401, {"error": {"message": f"Incorrect API key: {CANARY}"}}))
    paths = ("/", "/healthz", "/readyz", "/metrics", "/api/models", "/api/openapi.json")
    answers = [ada.query("Refuse"), *map(ada.get, paths), ada.get("/login?token=wrong")]
    card = next((app.server.home / "servers").iterdir()).read_text()
    for secret in (CANARY, TOKEN, SECRET, *re.findall(r"[0-9a-f]{64}", card)):
        for got in answers:
            assert secret not in got.body.decode()
            assert secret not in str(got.headers)


def test_no_secret_is_written_down(app: App, ada: Browser) -> None:
    ada.get(f"/?token={TOKEN}")
    ada.open_page()
    (door,) = set(re.findall(rb"/kernel/([0-9a-f]{32})/", b"".join(environments(app))))
    for secret in (CANARY, TOKEN, SECRET, door.decode()):
        assert leaks(app.server.home, secret) == []
        assert secret not in app.server.log


def test_a_kernel_knows_the_key_and_nothing_that_admits(app: App, ada: Browser) -> None:
    ada.open_page()
    for environment in environments(app):
        assert CANARY.encode() in environment
        assert TOKEN.encode() not in environment
        assert SECRET.encode() not in environment


def environments(app: App) -> list[bytes]:
    """What the processes of the kernels were started with."""
    kernels = psutil.Process(app.server.pid).children()
    assert kernels
    found = [" ".join(f"{k}={v}" for k, v in kernel.environ().items()) for kernel in kernels]
    return [each.encode() for each in found]


def test_the_card_of_the_server_is_its_owners_alone(app: App) -> None:
    (card,) = (app.server.home / "servers").iterdir()
    assert oct(card.stat().st_mode)[-3:] == "600"
    assert oct(card.parent.stat().st_mode)[-3:] == "700"
