"""The pages inside JupyterLab, Binder and JupyterHub: Voilà there frees its kernels as well.

Voilà's own extension serves `voila/render/…` there. Ours answers the same paths before it, with
the `_xsrf` cookie set, so that the kernel of a closed page goes; and it ends the kernels of pages
that nobody looks at. Everything else is Jupyter Server's: its login, its rights, its user.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback

from .seats import Claims, Seats

__all__ = ["load"]

SWEEP_EVERY = 5_000


def load(server: Any) -> None:
    """Called by Jupyter Server; does nothing where Voilà is not installed.

    Args:
        server: the ServerApp.
    """
    if find_spec("voila") is None:
        return
    from voila.configuration import VoilaConfiguration
    from voila.paths import collect_template_paths
    from voila.server_extension import load_config_file
    from voila.tornado.handler import TornadoVoilaHandler

    seats = Seats(server.kernel_manager, idle_seconds=float("inf"))

    class FreedPage(TornadoVoilaHandler):  # type: ignore[misc]
        """Voilà's page, whose kernel goes with it."""

        @property
        def kernel_manager(self) -> Any:
            return Claims(super().kernel_manager, seats, "", "", self.request.query)

        async def prepare(self) -> None:
            ready = super().prepare()
            if ready is not None:
                await ready
            _ = self.xsrf_token  # sets the cookie without which the page cannot end its kernel

    configuration = VoilaConfiguration(parent=server)
    if (local := load_config_file()) is not None:
        configuration.update_config(local)
    given = {
        "config": server.config,
        "template_paths": collect_template_paths(["voila", "nbconvert"], configuration.template),
        "voila_configuration": configuration,
    }
    path = url_path_join(server.web_app.settings["base_url"], "/voila/render/(.*)")
    server.web_app.add_handlers(".*$", [(path, FreedPage, given)])
    sweeping = PeriodicCallback(seats.sweep, SWEEP_EVERY)
    server.io_loop.add_callback(sweeping.start)
