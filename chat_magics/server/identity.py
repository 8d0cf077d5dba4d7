"""Identity: who asks, from where, and whether the request may have come from a foreign page."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.auth.identity import IdentityProvider, User
from tornado.httputil import HTTPServerRequest
from traitlets import Instance

from .settings import ServeSettings

__all__ = ["Visitors", "address_of", "is_foreign"]

LONGEST_NAME = 200


class Visitors(IdentityProvider):
    """Who a request comes from.

    Behind a proxy it is whom the proxy names, and nobody without it. Else it is the browser, by
    a signed cookie that it is given at its first request; with a token, once that was shown.
    A program that shows the token without a cookie is one person, the same each time.
    """

    serving = Instance(ServeSettings)

    @property
    def auth_enabled(self) -> bool:
        return self.serving.authenticates

    @property
    def login_available(self) -> bool:
        """True where a person can type the token."""
        return self.serving.authenticates and self.serving.auth != "proxy"

    def get_user(self, handler: Any) -> Any:
        if self.serving.auth == "proxy":
            return self._named_by_proxy(handler.request)
        return super().get_user(handler)

    def _named_by_proxy(self, request: HTTPServerRequest) -> User | None:
        if not self.serving.trusts(str(request.remote_ip)):
            return None  # whoever reaches the port past the proxy may write any header
        names = request.headers.get_list(self.serving.identity_header)
        name = names[0].strip() if len(names) == 1 else ""
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            return None
        return User(username=name)

    def generate_anonymous_user(self, handler: Any) -> User:
        """A browser's first visit, or a program with the token."""
        if "Authorization" in handler.request.headers:
            digest = hashlib.sha256(str(self.token).encode()).hexdigest()
            return User(username=f"program-{digest[:12]}")
        return User(username=f"visitor-{uuid.uuid4().hex}", display_name="Visitor")


def address_of(request: HTTPServerRequest, serving: ServeSettings) -> str:
    """The address that a request came from, seen through the proxies that are trusted."""
    address = str(request.remote_ip)
    told = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",")]
    for before in reversed([each for each in told if each]):
        if not serving.trusts(address):
            break
        address = before
    return address


def is_foreign(request: HTTPServerRequest, serving: ServeSettings) -> bool:
    """True where a browser sent this for a page of another origin, which must not act for a person.

    Browsers tell it by `Sec-Fetch-Site` and `Origin`; programs send neither.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site") == "cross-site"
    return origin not in serving.allow_origins and urlsplit(origin).netloc != request.host
