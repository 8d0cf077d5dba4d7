"""Pages: Voilà's handlers, each for the person whom its kernel belongs to.

What Voilà leaves open is closed here: it sets no `_xsrf` cookie, so that the page's own wish to
end its kernel is refused; it starts as many kernels as pages are loaded; and it lets whoever
knows a kernel's id talk to it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.handlers import KernelHandler
from tornado.web import Finish, HTTPError, RequestHandler
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import MultiStaticFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from .entrance import ENDING_SECONDS, Entrance
from .framing import V1, is_framed
from .identity import address_of
from .seats import Claims

__all__ = ["REPLACED", "KernelDoor", "Page"]

AGAIN_SECONDS = 30


class Page(TornadoVoilaHandler):  # type: ignore[misc]
    """The app for one visitor, in a kernel of its own."""

    @property
    def entrance(self) -> Entrance:
        """What all handlers of the server share."""
        found: Entrance = self.settings["chat_magics"]
        return found

    @property
    def kernel_manager(self) -> Any:
        owner = self.current_user.username
        address = address_of(self.request, self.entrance.serving)
        seats, query = self.entrance.seats, self.request.query
        return Claims(super().kernel_manager, seats, owner, address, query, page=self)

    async def prepare(self) -> None:
        ready = super().prepare()
        if ready is not None:
            await ready
        _ = self.xsrf_token  # sets the cookie without which the page cannot end its kernel

    def get_login_url(self) -> str:
        """Where a person signs in; behind a proxy that is no matter of ours.

        Raises:
            HTTPError: 403 where the proxy named nobody.
        """
        if not self.identity_provider.login_available:
            raise HTTPError(403)
        url: str = super().get_login_url()
        return url

    async def get(self, path: str | None = None) -> None:
        if path:
            raise HTTPError(404)
        if self.current_user is not None:
            if self.get_query_argument("token", ""):
                self.redirect(self._without_token())  # nor does the browser's history keep it
                return
            self._renew_cookie()
            if refusal := await self._refusal():
                self._refuse(*refusal)
                return
        with self.entrance.seats.place_for(self):
            await super().get(None)

    def _without_token(self) -> str:
        kept = [each for each in parse_qsl(self.request.query) if each[0] != "token"]
        return f"{self.request.path}?{urlencode(kept)}" if kept else self.request.path

    def _renew_cookie(self) -> None:
        if self.entrance.serving.auth != "proxy":  # who is known by a proxy has none
            self.identity_provider.set_login_cookie(self, self.current_user)

    async def _refusal(self) -> tuple[int, float, str] | None:
        entrance = self.entrance
        if entrance.ending:
            return 503, ENDING_SECONDS, "This server is ending."
        wait = await entrance.page_load(address_of(self.request, entrance.serving))
        if wait:
            return 429, wait, "Too many pages were opened from your address."
        owner, most = self.current_user.username, entrance.serving.max_sessions
        if not await entrance.seats.has_place(owner, most):
            return 503, AGAIN_SECONDS, "All seats are taken."
        return None

    def _refuse(self, status: int, seconds: float, what: str) -> None:
        self.set_status(status)
        again = max(1, round(seconds))
        self.set_header("Retry-After", str(again))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(self.render_template("refused.html", what=what, seconds=again))

    def get_template(self, name: str) -> Any:
        """One of our notices: Voilà's own style sheets for them are on another host."""
        return self.settings["jinja2_env"].get_template(name)


class _OfItsOwner:
    """The part of a handler that lets only the owner of a kernel near it."""

    settings: dict[str, Any]
    current_user: Any

    def check_owner(self, kernel: str) -> None:
        """Does nothing for whom the kernel belongs to.

        Raises:
            HTTPError: 404 for anybody else, who need not know that it is there.
        """
        entrance: Entrance = self.settings["chat_magics"]
        user = self.current_user
        if user is None or not entrance.seats.belongs(kernel, user.username):
            raise HTTPError(404)


class _Kernel(_OfItsOwner, KernelHandler):
    """Whether a kernel lives."""

    async def get(self, kernel_id: str) -> None:
        self.check_owner(kernel_id)
        entrance: Entrance = self.settings["chat_magics"]
        if not await entrance.seats.lives(kernel_id):
            raise HTTPError(404)
        await ensure_async(super().get(kernel_id))

    async def delete(self, kernel_id: str) -> None:
        self.check_owner(kernel_id)
        await ensure_async(super().delete(kernel_id))


class _Channels(_OfItsOwner, VoilaKernelWebsocketHandler):  # type: ignore[misc]
    """The websocket between a page and its kernel."""

    async def pre_get(self) -> None:
        self.check_owner(self.kernel_id)
        await super().pre_get()
        if self.connection is None:
            raise Finish  # the page has gone while its kernel was asked

    def get_websocket_protocol(self) -> Any:
        """Tornado's, without pings of its own: it takes the milliseconds of Jupyter's for seconds.

        Jupyter Server sends some every 30 seconds, and looks for what comes back.
        """
        protocol = super().get_websocket_protocol()
        if protocol is not None:
            protocol.params.ping_interval = 0
        return protocol

    def write_error(self, status_code: int, **given: Any) -> None:
        """Nothing but the status: a page without its kernel asks again and again."""
        self.finish()

    def on_message(self, ws_message: bytes | str) -> None:
        """Hands on what a page says; what is no message ends its connection."""
        if is_framed(ws_message, self.selected_subprotocol):
            super().on_message(ws_message)
        else:
            self.close(1007, "this is no message for a kernel")

    def write_message(self, message: Any, binary: bool = False) -> Any:
        """Sends to the page; Voilà keeps the notebook's code back."""
        if isinstance(message, bytes) and self.selected_subprotocol != V1:
            # Voilà reads it as of the newer protocol, which counts parts in twice as many bytes:
            # the server would be busy for years. No code is in it: that comes without buffers.
            sent = super(VoilaKernelWebsocketHandler, self).write_message(message, binary)
        else:
            sent = super().write_message(message, binary)
        if sent is not None:
            sent.add_done_callback(_look_at)
        return sent


def _look_at(sent: asyncio.Future[None]) -> None:
    """Takes note of how it ended: nobody waits for it, and a page may go in the middle."""
    if not sent.cancelled():
        sent.exception()


class _End(_OfItsOwner, VoilaShutdownKernelHandler):  # type: ignore[misc]
    """The page is closed or loaded anew: its kernel goes."""

    async def post(self, kernel_id: str) -> None:
        self.check_owner(kernel_id)
        entrance: Entrance = self.settings["chat_magics"]
        await entrance.seats.end(kernel_id)
        self.set_status(204)
        self.finish()


class KernelDoor(RequestHandler):
    """Where a kernel asks for whom it works, and tells what it shows; they alone know it."""

    async def get(self, kernel: str) -> None:
        entrance: Entrance = self.settings["chat_magics"]
        seat = await entrance.seats.taken(kernel)
        self.finish({"owner": seat.owner, "address": seat.address, "query": seat.query})

    def post(self, kernel: str) -> None:
        entrance: Entrance = self.settings["chat_magics"]
        seat = entrance.seats.of(kernel)
        if seat is None:
            raise HTTPError(404)
        seat.conversation = self.get_body_argument("conversation", seat.conversation)
        seat.answering = self.get_body_argument("answering", str(int(seat.answering))) == "1"
        self.set_status(204)

    def check_xsrf_cookie(self) -> None:
        """Does nothing: no browser comes here."""


class _Quiet:
    """The part of a handler of files that tells browsers not to guess what they are."""

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")  # type: ignore[attr-defined]


class _Static(_Quiet, MultiStaticFileHandler):  # type: ignore[misc]
    """Files of Voilà's pages."""


class _OfTemplate(_Quiet, TemplateStaticFileHandler):  # type: ignore[misc]
    """Files of a template; Voilà's handler fails where a path is none of a template."""

    def parse_url_path(self, path: str) -> str:
        if not _TEMPLATE_FILE.fullmatch(path) or ".." in path:
            raise HTTPError(404)
        found: str = super().parse_url_path(path)
        return found


_TEMPLATE_FILE = re.compile(r"[\w-]+/static/[\w./@-]+")

REPLACED = {
    "MultiStaticFileHandler": _Static,
    "TemplateStaticFileHandler": _OfTemplate,
    "TornadoVoilaHandler": Page,
    "KernelHandler": _Kernel,
    "VoilaKernelWebsocketHandler": _Channels,
    "VoilaShutdownKernelHandler": _End,
    "RequestInfoSocketHandler": None,  # anybody could ask it for another's headers
}
"""By the name of Voilà's handler: ours, or None where it is left out."""
