"""The pages inside JupyterLab, Binder and JupyterHub, where Voilà alone would keep their kernels.

Voilà's own extension serves `voila/render/…` there. Ours answers the same paths before it, by
`lab_page`. Everything else is Jupyter Server's: its login, its rights, its user.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback

from ..config import from_environment
from .headers import EXTENSIONS, security_headers
from .seats import Seats
from .settings import ServeSettings

if TYPE_CHECKING:
    from .lab_page import Ours

__all__ = ["load"]

SWEEP_EVERY = 5_000
"""Milliseconds between two looks for pages that nobody looks at."""

HEEDED = ("frame_ancestors", "idle_minutes")
"""Settings of the app that mean something here."""


def load(server: Any) -> None:
    """Called by Jupyter Server; serves no page where Voilà is not installed.

    Args:
        server: the ServerApp.

    Raises:
        ConfigError: one of the app's settings does not make sense.
    """
    if user := os.environ.get("JUPYTERHUB_USER"):
        # For cells, panels and pages alike: the history may be one that all of the hub share.
        os.environ.setdefault("CHAT_MAGICS_OWNER", user)
    if find_spec("voila") is None:
        return
    from voila.configuration import VoilaConfiguration
    from voila.paths import collect_template_paths
    from voila.server_extension import load_config_file

    from .lab_page import LabPage

    configuration = VoilaConfiguration(parent=server)
    if (local := load_config_file()) is not None:
        configuration.update_config(local)
    ours = _ours(server)
    given = {
        "ours": ours,
        "config": server.config,
        "template_paths": collect_template_paths(["voila", "nbconvert"], configuration.template),
        "voila_configuration": configuration,
    }
    path = url_path_join(server.web_app.settings["base_url"], "/voila/render/(.*)")
    server.web_app.add_handlers(".*$", [(path, LabPage, given)])
    sweeping = PeriodicCallback(ours.seats.sweep, SWEEP_EVERY)
    server.io_loop.add_callback(sweeping.start)


def _ours(server: Any) -> Ours:
    from voila.configuration import VoilaConfiguration

    from .lab_page import Ours

    held = from_environment(ServeSettings)
    serving = ServeSettings(**{name: held[name] for name in HEEDED if name in held})
    configuration = VoilaConfiguration(
        parent=server,
        extension_allowlist=list(EXTENSIONS),
        allow_template_override="NOTEBOOK",
        show_tracebacks=False,
    )
    return Ours(
        seats=Seats(server.kernel_manager, serving.idle_minutes * 60),
        configuration=configuration,
        headers=security_headers(serving),
    )
