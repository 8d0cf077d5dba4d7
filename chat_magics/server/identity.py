"""Identity: who asks, from where, and whether the request may have come from a foreign page."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.utils import url_path_join
from tornado.httputil import HTTPServerRequest
from traitlets import Instance

from .settings import ServeSettings

__all__ = ["COOKIE_DAYS", "Visitors", "address_of", "is_foreign"]

LONGEST_NAME = 200

COOKIE_DAYS = 400
"""As long as browsers keep one at most; each page load renews it."""


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

    @property
    def logout_available(self) -> bool:
        """Never: the cookie is all that tells whose the conversations are."""
        return False

    def get_handlers(self) -> list[tuple[str, object]]:
        """Where a person signs in, below the app's own path: Voilà puts nothing before it."""
        base = self.serving.base_url
        return [(url_path_join(base, path), handler) for path, handler in super().get_handlers()]

    def get_user(self, handler: Any) -> User | None:
        """Who asks; None where they may not come in."""
        if self.serving.auth == "proxy":
            return self._named_by_proxy(handler.request)
        known, admitted = self._of_cookie(handler)
        shown = self.get_token(handler) or ""
        by_token = self.auth_enabled and self._is_token(shown)
        handler._token_authenticated = by_token
        if not (admitted or by_token or not self.auth_enabled):
            return None
        user = known or self._newcomer(handler)
        if known is None or not admitted:
            self.set_login_cookie(handler, user)
        return user

    def process_login_form(self, handler: Any) -> User | None:
        """Whom the token admits that was typed; the same person as before, where there was one."""
        if not self._is_token(handler.get_body_argument("password", "")):
            return None
        return self._of_cookie(handler)[0] or self._newcomer(handler)

    def set_login_cookie(self, handler: Any, user: User) -> None:
        """Keeps who it is; by https alone where the page came by it, as a proxy of ours says."""
        request = handler.request
        told = request.headers.get("X-Forwarded-Proto", "")
        if told == "https" and self.serving.trusts(str(request.remote_ip)):
            request.protocol = "https"
        super().set_login_cookie(handler, user)

    def user_to_cookie(self, user: User) -> str:
        """Who it is, and what admitted them."""
        return json.dumps({"username": user.username, "admitted": self._admission()})

    def _of_cookie(self, handler: Any) -> tuple[User | None, bool]:
        """Who it is by the cookie, and whether what admitted them then still does.

        Who was let in by a token of the past is the same person when they show the new one.
        """
        signed = handler.get_secure_cookie(
            self.get_cookie_name(handler), **self.get_secure_cookie_kwargs
        )
        try:
            kept = json.loads(signed or b"{}")
        except ValueError:
            return None, False
        if not isinstance(kept, dict) or not isinstance(kept.get("username"), str):
            return None, False
        return User(username=kept["username"]), kept.get("admitted") == self._admission()

    def _is_token(self, shown: str) -> bool:
        return bool(self.token) and hmac.compare_digest(shown.encode(), str(self.token).encode())

    def _admission(self) -> str:
        return hashlib.sha256(f"admitted {self.token}".encode()).hexdigest()[:12]

    def _named_by_proxy(self, request: HTTPServerRequest) -> User | None:
        if not self.serving.trusts(str(request.remote_ip)):
            return None  # whoever reaches the port past the proxy may write any header
        names = request.headers.get_list(self.serving.identity_header)
        name = names[0].strip() if len(names) == 1 else ""
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            return None
        return User(username=name)

    def _newcomer(self, handler: Any) -> User:
        """A browser's first visit, or a program with the token."""
        if self.auth_enabled and "Authorization" in handler.request.headers:
            digest = hashlib.sha256(str(self.token).encode()).hexdigest()
            return User(username=f"program-{digest[:12]}")
        return User(username=f"visitor-{uuid.uuid4().hex}")


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
