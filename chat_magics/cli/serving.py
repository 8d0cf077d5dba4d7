"""`chat-magics serve`: the app for colleagues."""

from __future__ import annotations

import argparse
import os
import threading
import webbrowser
from typing import Any
from urllib.parse import quote

from ..server import serve, serve_settings
from .demo_without_key import use_demo_without_key

__all__ = ["add_serve"]


def add_serve(commands: Any) -> None:
    """Adds the command to a parser's commands."""
    parser = commands.add_parser(
        "serve",
        help="serve the app: the panel as a web page, and an API",
        description="Serves the chat panel as a web page, each visitor in a kernel of their own, "
        "and an API for programs. Every setting can also stand in the environment, as "
        "CHAT_MAGICS_SERVE_HOST and so on; secrets in a file that CHAT_MAGICS_SERVE_TOKEN_FILE "
        "names.",
    )
    parser.add_argument("--host", help="address to listen at (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="0 takes a free one (default 8866)")
    parser.add_argument("--base-url", metavar="PATH", help="path of the app (default /)")
    parser.add_argument("--auth", choices=("none", "token", "proxy"), help="who may come in")
    parser.add_argument("--token", help="what admits; better in a file")
    parser.add_argument("--token-file", metavar="FILE", help="holds the token")
    parser.add_argument(
        "--cookie-secret-file",
        metavar="FILE",
        help="holds what signs cookies, the same for all servers that are one app",
    )
    parser.add_argument(
        "--open-to-anyone",
        action="store_true",
        default=None,
        help="serve other machines without authentication: whoever comes spends the key",
    )
    parser.add_argument(
        "--identity-header", help="where a proxy names the person (default X-Forwarded-User)"
    )
    parser.add_argument(
        "--trusted-proxies", metavar="NETWORKS", help="whose word is believed (default loopback)"
    )
    parser.add_argument("--allow-origins", metavar="ORIGINS", help="other pages that may use it")
    parser.add_argument("--frame-ancestors", metavar="ORIGINS", help="who may show it in a frame")
    parser.add_argument("--max-sessions", type=int, help="pages open at a time (default 20)")
    parser.add_argument("--idle-minutes", type=float, help="an idle page is ended (default 60)")
    parser.add_argument(
        "--drain-seconds", type=float, help="time for replies to end at SIGTERM (default 30)"
    )
    parser.add_argument("--preheated", type=int, help="kernels that wait for visitors (default 1)")
    parser.add_argument(
        "--own-key", action="store_true", default=None, help="a field for a key of one's own"
    )
    parser.add_argument("--model", help="the model that is asked")
    parser.add_argument("--demo", action="store_true", help="serve the built-in demo model")
    parser.add_argument("--open-browser", action="store_true", help="open the page here")
    parser.set_defaults(run=_serve, takes_rest=False)


_OWN = {"run", "takes_rest", "rest", "model", "demo", "open_browser"}

_SECRETS = ("token", "cookie_secret")
"""Settings that a file may hold which the command line names."""


def _serve(parsed: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(parsed).items() if name not in _OWN}
    for name in _SECRETS:
        path, variable = given.pop(f"{name}_file"), f"CHAT_MAGICS_SERVE_{name.upper()}"
        if path is not None:
            os.environ.pop(variable, None)  # which would go before the file
            os.environ[f"{variable}_FILE"] = path
    settings = serve_settings(given)
    if parsed.model:
        os.environ["CHAT_MAGICS_MODEL"] = parsed.model
    if parsed.demo:
        os.environ["CHAT_MAGICS_BASE_URL"] = "demo"
    else:
        use_demo_without_key("the app talks")

    token = settings.token.get_secret_value() if settings.token and settings.authenticates else ""

    def ready(url: str) -> None:
        print(f"The app is at {url} (Ctrl-C ends it)", flush=True)
        if token:
            print("It asks for the token that it was given.", flush=True)
        if parsed.open_browser:
            admitted = f"{url}?token={quote(token)}" if token else url
            # On a thread: a browser in the terminal keeps the call until it is left.
            threading.Thread(target=webbrowser.open, args=(admitted,), daemon=True).start()

    serve(settings, ready)
    return 0
