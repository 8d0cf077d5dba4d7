"""What a browser sends to the app, without one: cookies, sockets, and paths as they are."""

from __future__ import annotations

import http.client
import json
import re
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from websockets.sync.client import ClientConnection, connect

from tests.app_server import AppServer

__all__ = ["Browser", "Got", "message"]


class Got(NamedTuple):
    """What came back, a redirect as it is."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Browser:
    """Keeps the cookies that it is given, and sends them again; follows no redirect.

    Args:
        app: whom it asks.
        address: of this machine, from which it asks.
    """

    def __init__(self, app: AppServer, address: str = "127.0.0.1") -> None:
        self.app = app
        self.host = urlsplit(app.url).netloc
        self.cookies: dict[str, str] = {}
        self._address = address

    def ask(self, method: str, path: str, body: Any = None, **headers: str | list[str]) -> Got:
        """One request; `_` in the name of a header stands for `-`, a list is sent as several."""
        return self.got(self.sent(method, path, body, **headers))

    def sent(
        self, method: str, path: str, body: Any = None, **headers: str | list[str]
    ) -> http.client.HTTPConnection:
        """The same, as soon as it is sent."""
        host, _, port = self.host.partition(":")
        source = (self._address, 0)
        line = http.client.HTTPConnection(host, int(port), timeout=240, source_address=source)
        line.putrequest(method, path, skip_host="Host" in headers)
        for name, value in {"Cookie": self._cookie, **headers}.items():
            for each in [value] if isinstance(value, str) else value:
                line.putheader(name.replace("_", "-"), each)
        line.putheader("Content-Length", str(len(body or b"")))
        line.endheaders(body)
        return line

    def got(self, line: http.client.HTTPConnection) -> Got:
        """What is answered to what was sent."""
        answer = line.getresponse()
        for set_cookie in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(set_cookie).items():
                self.cookies[name] = morsel.coded_value
        got = Got(answer.status, answer.headers, answer.read())
        line.close()
        return got

    def get(self, path: str, **headers: str | list[str]) -> Got:
        """Looks at something."""
        return self.ask("GET", path, **headers)

    def query(self, prompt: str, **headers: str | list[str]) -> Got:
        """Asks by the API."""
        body = json.dumps({"prompt": prompt}).encode()
        return self.ask("POST", "/api/query", body, Content_Type="application/json", **headers)

    def submit(self, path: str, **fields: str) -> Got:
        """Sends a form, as a page of the app does."""
        body = urlencode({"_xsrf": self.cookies.get("_xsrf", ""), **fields}).encode()
        return self.ask("POST", path, body, Content_Type="application/x-www-form-urlencoded")

    def open_page(self) -> str:
        """Loads the page; the id of its kernel."""
        return self.kernel_of(self.get("/"))

    def kernel_of(self, got: Got) -> str:
        """The id of a page's kernel."""
        assert got.status == 200, got
        found = re.search(rb'"kernelId": "([0-9a-f-]{36})"', got.body)
        assert found is not None, got.body[-3000:]
        return found[1].decode()

    def socket(self, kernel: str, origin: str | None = None) -> ClientConnection:
        """The websocket of a kernel.

        Raises:
            InvalidStatus: it was refused.
        """
        url = f"ws://{self.host}/api/kernels/{kernel}/channels"
        cookie = {"Cookie": self._cookie}
        return connect(url, additional_headers=cookie, origin=origin, proxy=None)  # type: ignore[arg-type]

    @property
    def owner(self) -> str:
        """Who the app takes it for."""
        self.query("Who am I?")
        owner: str = self.get("/api/sessions").json["sessions"][0]["owner"]
        return owner

    @property
    def login(self) -> tuple[str, str]:
        """The cookie that tells who it is: its name and its value."""
        ((name, value),) = [each for each in self.cookies.items() if each[0].startswith("user")]
        return name, value

    @property
    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


def message(kind: str, content: dict[str, Any], channel: str = "shell") -> str:
    """A message to a kernel, as the page's websocket takes it."""
    header = {"msg_id": kind, "msg_type": kind, "session": "test", "username": "", "version": "5.3"}
    told = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    return json.dumps({**told, "channel": channel, "buffers": []})
