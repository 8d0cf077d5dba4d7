"""The app: the panel as a web page for colleagues, and an API for programs.

`settings` says who may come in, `identity` who it is, `seats` whose each kernel is, `pages` holds
Voilà's handlers as they are here and `api` those for programs; `entrance` is what they share, and
`application` the server. `extension` brings the same pages into JupyterLab, Binder and JupyterHub.
"""

from __future__ import annotations

from typing import Any

from .settings import ServeSettings, serve_settings

__all__ = ["ServeSettings", "serve", "serve_settings"]


def serve(settings: ServeSettings, on_ready: Any = None) -> None:
    """Serves the app until it is stopped.

    Args:
        settings: who may come in, and where it listens.
        on_ready: called with the URL once the app answers there.

    Raises:
        ChatError: the address cannot be listened at, or Voilà is not installed.
    """
    from .serving import serve as run  # jupyter_server and voila: 0.5 s

    run(settings, on_ready)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "chat_magics.server"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from .extension import load

    load(server)
