"""Behind a proxy: who it names, and from where, is believed of it and of nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.app_browser import Browser
from tests.app_people import App, app_on

PROXY = "127.0.0.2"
"""Another address of this machine, from which a request comes as from another one."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app that trusts its proxy, and not the rest of this machine."""
    told = {
        "CHAT_MAGICS_SERVE_TRUSTED_PROXIES": f"{PROXY}, 10.0.0.0/8",
        "CHAT_MAGICS_SERVE_IDENTITY_HEADER": "X-Person",
        "CHAT_MAGICS_SERVE_ALLOW_ORIGINS": "https://chat.example",
        "CHAT_MAGICS_REQUESTS_PER_MINUTE_PER_ADDRESS": "2",
    }
    arguments = ("--auth", "proxy", "--base-url", "/chat/")
    with app_on(tmp_path_factory.mktemp("app"), *arguments, **told) as running:
        yield running


class Proxied(Browser):
    """Asks through the proxy, or past it."""

    def said(self, **headers: str | list[str]) -> int:
        """The status of a prompt with these headers."""
        body = b'{"prompt": "Hello"}'
        told = {"Content_Type": "application/json", **headers}
        return self.ask("POST", "/chat/api/query", body, **told).status


@pytest.fixture
def proxy(app: App) -> Proxied:
    """The proxy."""
    return Proxied(app.server, PROXY)


def test_whom_the_proxy_names_is_who_asks(proxy: Proxied) -> None:
    assert proxy.said(X_Person="ada", X_Forwarded_For="192.0.2.1") == 200
    listed = [
        proxy.get("/chat/api/sessions", X_Person=name).json["sessions"] for name in ("ada", "eve")
    ]
    assert ([each["owner"] for each in listed[0]], listed[1]) == (["ada"], [])


def test_who_comes_past_the_proxy_is_nobody_whatever_they_say(app: App) -> None:
    direct = Proxied(app.server)
    for headers in ({"X_Person": "ada"}, {"X_Person": "ada", "X_Forwarded_For": PROXY}, {}):
        assert direct.said(**headers) == 401
    page = direct.get("/chat/", X_Person="ada")
    assert (page.status, b"Not let in" in page.body) == (403, True)
    assert set(direct.cookies) <= {"_xsrf"}


@pytest.mark.parametrize(
    "names", [[], ["ada", "root"], [""], ["  "], ["a" * 201], ["ada\troot"], ["ada\x07"]]
)
def test_a_name_that_is_none_is_nobody(proxy: Proxied, names: list[str]) -> None:
    assert proxy.said(X_Person=names) in (400, 401)  # Tornado itself refuses control characters


def test_another_header_names_nobody(proxy: Proxied) -> None:
    assert proxy.said(X_Forwarded_User="ada") == 401


def test_an_address_is_the_last_one_that_no_proxy_of_ours_has(proxy: Proxied) -> None:
    chains = ("192.0.2.7", "1.1.1.1, 192.0.2.7", "2.2.2.2, 192.0.2.7, 10.0.0.5")
    statuses = [proxy.said(X_Person=f"p{n}", X_Forwarded_For=c) for n, c in enumerate(chains)]
    assert statuses == [200, 200, 429]
    assert proxy.said(X_Person="p3", X_Forwarded_For="192.0.2.8") == 200


def test_the_app_is_reached_under_its_public_name(proxy: Proxied) -> None:
    through = {"X_Person": "ada", "X_Forwarded_For": "192.0.2.20"}
    assert proxy.said(Host="chat.example", Origin="https://chat.example", **through) == 200
    assert proxy.said(Host="evil.example", **through) == 403
    assert proxy.said(Origin="https://evil.example", **through) == 403


def test_below_its_path_the_app_is_there_and_nowhere_else(proxy: Proxied) -> None:
    assert proxy.get("/chat/healthz").status == 200
    assert proxy.get("/healthz").status == 404
    assert proxy.get("/chat/api/nothing", X_Person="ada").json["status"] == 404
    assert proxy.get("/chat/api/openapi.json").json["servers"] == [{"url": "/chat/"}]
