"""The app's server: Voilà for one notebook, with the doors, probes and API of ours around it."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import tornado.web
from jupyter_server.utils import url_path_join
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.netutil import bind_sockets
from traitlets import Instance
from traitlets.config import Config
from voila.app import Voila

from ..config import ChatConfig
from ..errors import ChatError
from ..private_files import private_folder
from .api import handlers as api_handlers
from .api import unknown
from .api.states import Probe
from .body_limit import LimitedServer
from .compiled import keeping_compiled
from .draining import drained
from .entrance import Entrance
from .headers import EXTENSIONS, security_headers
from .identity import COOKIE_DAYS, Visitors
from .kernels import PageKernel
from .notices import notices
from .pages import REPLACED, KernelDoor
from .settings import ServeSettings

__all__ = ["ChatVoila", "notebook_path", "voila_config"]

SWEEP_EVERY = 5_000
"""Milliseconds between two looks for pages that nobody looks at."""


def notebook_path() -> Path:
    """The app's notebook: beside this package where it is installed, else in the repository."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "app.ipynb"
    return installed if installed.is_file() else package.parent / "notebooks" / "app.ipynb"


def voila_config(serving: ServeSettings) -> Config:
    """What Voilà is told: our template, few extensions, and kernels that wait for visitors."""
    voila: dict[str, Any] = {
        "template": "chat_magics",
        "extension_allowlist": list(EXTENSIONS),
        "file_allowlist": ["^$"],  # it serves no file of the notebook's folder
        "allow_template_override": "NO",
        "show_tracebacks": False,
        "preheat_kernel": serving.preheated > 0,
        "default_pool_size": serving.preheated,
    }
    return Config(
        {
            "VoilaConfiguration": voila,
            "VoilaExporter": {"preprocessors": [keeping_compiled()]},
            "VoilaKernelManager": {
                "fill_delay": 0,
                "kernel_manager_class": f"{PageKernel.__module__}.{PageKernel.__name__}",
            },
            # Files instead of ports, where the system has them: nobody else can listen there.
            # One that died is not started again in its place: nothing of the page would be in it.
            "KernelManager": {
                "transport": "tcp" if os.name == "nt" else "ipc",
                "autorestart": False,
            },
        }
    )


class ChatVoila(Voila):  # type: ignore[misc]
    """Voilà with one notebook, for the people who are let in."""

    name = "voila"
    serving = Instance(ServeSettings)
    chat = Instance(ChatConfig)
    on_ready: Callable[[str], None] = staticmethod(lambda url: None)

    def start(self) -> None:
        """Serves until it is stopped.

        Raises:
            ChatError: the address cannot be listened at.
        """
        sockets = self._sockets()
        self.port = sockets[0].getsockname()[1]
        self.ip = self.serving.host
        self.connection_dir = tempfile.mkdtemp(prefix="chat_magics_", dir=self.connection_dir_root)
        self._door = secrets.token_hex(16)
        os.environ["CHAT_MAGICS_DOOR"] = f"{self._own_url()}kernel/{self._door}/"
        self.app = tornado.web.Application(**self.init_settings())
        self.app.add_handlers(".*$", self.init_handlers())
        server = LimitedServer(
            self.app, max_body_size=self.serving.max_body_mb * 2**20, idle_connection_timeout=600
        )
        server.add_sockets(sockets)
        self._serve()

    def _sockets(self) -> list[socket.socket]:
        host, port = self.serving.host, self.serving.port
        try:
            return bind_sockets(port, host)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            said = "the port is taken: give another by --port" if taken else error.strerror
            raise ChatError(f"{host}:{port} cannot be served: {said}") from None

    def _own_url(self) -> str:
        """How this machine reaches the server, and its kernels do."""
        host = self.serving.host
        anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}
        shown = anywhere.get(host, f"[{host}]" if ":" in host else host)
        return f"http://{shown}:{self.port}{self.serving.base_url}"

    def _serve(self) -> None:
        self.ioloop = IOLoop.current()
        entrance: Entrance = self.app.settings["chat_magics"]
        signal.signal(signal.SIGINT, self._handle_signal_stop)
        signal.signal(signal.SIGTERM, partial(self._end_gently, entrance))
        sweeping = PeriodicCallback(entrance.seats.sweep, SWEEP_EVERY)
        sweeping.start()
        lag = _Lag(entrance.metrics.lag)
        lag.start()
        card = self._leave_card(entrance)
        self.ioloop.add_callback(self.on_ready, self._own_url())
        try:
            self.ioloop.start()
        finally:
            sweeping.stop()
            lag.stop()
            card.unlink(missing_ok=True)
            self.stop()

    def _end_gently(self, entrance: Entrance, sign: int, frame: Any) -> None:
        """Lets what is under way end, at the first SIGTERM; at a second one all ends at once."""
        if entrance.ending:
            self._handle_signal_stop(sign, frame)
        else:
            entrance.end()
            self.ioloop.add_callback_from_signal(self._drain, entrance)

    async def _drain(self, entrance: Entrance) -> None:
        await drained(entrance, self.serving.drain_seconds)
        self.ioloop.stop()

    def stop(self) -> None:
        """Ends the kernels and closes what was opened."""
        entrance: Entrance = self.app.settings["chat_magics"]
        self.ioloop.run_sync(entrance.seats.end_all)  # the loop on which they are started
        entrance.close()
        shutil.rmtree(self.connection_dir, ignore_errors=True)

    def _leave_card(self, entrance: Entrance) -> Path:
        """Where `chat-magics sessions` finds this server; only who runs it can read that."""
        folder = private_folder(self.chat.home / "servers")
        card = folder / f"{os.getpid()}.json"
        card.touch(mode=0o600)
        told = {"url": self._own_url(), "pid": os.getpid(), "admin": entrance.admin_token}
        card.write_text(json.dumps(told))
        return card

    def init_settings(self) -> dict[str, Any]:
        """Voilà's, with who may come in, what is compressed, and the headers of every answer."""
        settings: dict[str, Any] = super().init_settings()
        theirs = settings["identity_provider"]
        serving = self.serving
        token = serving.token.get_secret_value() if serving.token and serving.authenticates else ""
        self.identity_provider = Visitors(
            parent=self,
            log=self.log,
            serving=serving,
            token=token,
            login_handler_class=theirs.login_handler_class,
            cookie_options={"samesite": "Lax", "expires_days": COOKIE_DAYS},
            get_secure_cookie_kwargs={"max_age_days": COOKIE_DAYS},
        )
        self.authorizer.identity_provider = self.identity_provider
        return {
            **settings,
            "identity_provider": self.identity_provider,
            "jinja2_env": notices(),
            "cookie_secret": serving.secret(self.chat.home),
            "xsrf_cookie_kwargs": {"samesite": "Lax"},
            "allow_remote_access": not serving.on_loopback,
            "local_hostnames": ["localhost", *serving.public_names],
            "allow_origin": "",
            "allow_origin_pat": _pattern(serving.allow_origins),
            "allow_credentials": bool(serving.allow_origins),
            "compress_response": True,
            "websocket_compression_options": {},
            "ws_ping_interval": 30_000,
            "ws_ping_timeout": 75_000,  # longer than the interval, or all are cut at the first ping
            "websocket_max_message_size": serving.max_body_mb * 2**20,
            "headers": security_headers(serving),
            "chat_magics": Entrance(serving, self.chat, self.kernel_manager),
            "log_function": _log_request,
        }

    def init_handlers(self) -> list[Any]:
        """Ours first, then Voilà's, of which some are replaced."""
        base = self.server_url
        ours = [(url_path_join(base, path), handler) for path, handler in api_handlers()]
        door = url_path_join(base, f"/kernel/{self._door}/([0-9a-f-]+)")
        theirs = []
        for pattern, handler, *rest in super().init_handlers():
            handler = REPLACED.get(handler.__name__, handler)
            if handler is not None:
                theirs.append((pattern, handler, *rest))
        *before_the_page, page = theirs
        return [*ours, (door, KernelDoor), *before_the_page, unknown(base), page]


class _Lag(PeriodicCallback):
    """Measures how late the event loop comes to what is due.

    Args:
        histogram: given the seconds.
    """

    EVERY = 0.25

    def __init__(self, histogram: Any) -> None:
        super().__init__(self._measure, self.EVERY * 1000)
        self._histogram = histogram
        self._due = time.monotonic() + self.EVERY

    def _measure(self) -> None:
        now = time.monotonic()
        self._histogram.observe(max(0.0, now - self._due))
        self._due = now + self.EVERY


def _pattern(origins: tuple[str, ...]) -> str:
    return "|".join(f"^{re.escape(origin)}$" for origin in origins)


_access = logging.getLogger("chat_magics.server.access")


def _log_request(handler: tornado.web.RequestHandler) -> None:
    """One line for each request: who, what, how long, status; no query, which may hold a token."""
    if not type(handler).__module__.startswith("chat_magics"):
        return  # the files of a page are a hundred
    if isinstance(handler, (Probe, KernelDoor)):
        return  # probes come all the time, and the path of a kernel's door is a secret
    user = handler.current_user if hasattr(handler, "_current_user") else None
    _access.info(
        "%s %s",
        handler.request.method,
        handler.request.path,
        extra={
            "served": {
                "owner": getattr(user, "username", ""),
                "method": handler.request.method,
                "path": handler.request.path,
                "status": handler.get_status(),
                "seconds": round(handler.request.request_time(), 4),
                "request_id": getattr(handler, "request_id", ""),
            }
        },
    )
