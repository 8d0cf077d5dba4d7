"""LabPage: Voilà's page of a notebook inside JupyterLab, Binder and JupyterHub.

Every page gets the `_xsrf` cookie, so that its kernel goes when it is closed, as Voilà means it
to. Pages of ours, known by their template, get the app's headers as well, load few of JupyterLab's
extensions, and are ended where nobody looks at them. Other dashboards stay as they are: the same
server is theirs too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupyter_core.utils import ensure_async
from tornado.web import authenticated
from voila.configuration import VoilaConfiguration
from voila.tornado.handler import TornadoVoilaHandler

from .seats import Claims, Seats

__all__ = ["TEMPLATE", "LabPage", "Ours"]

TEMPLATE = "chat_magics"


@dataclass(frozen=True)
class Ours:
    """What the pages of ours have in common.

    Args:
        seats: told of their kernels.
        configuration: how Voilà makes them.
        headers: of their answers, where the server was not told others.
    """

    seats: Seats
    configuration: VoilaConfiguration
    headers: dict[str, str]


class LabPage(TornadoVoilaHandler):  # type: ignore[misc]
    """A page, whose kernel goes with it."""

    def initialize(self, *, ours: Ours, **given: Any) -> None:
        """Takes what the handler was registered with."""
        super().initialize(**given)
        self._all_ours = ours
        self._is_ours = False

    @property
    def kernel_manager(self) -> Any:
        kernels = super().kernel_manager
        if not self._is_ours:
            return kernels
        return Claims(kernels, self._all_ours.seats, "", "", self.request.query)

    @authenticated
    async def get(self, path: str | None = None) -> None:
        _ = self.xsrf_token  # sets the cookie without which the page cannot end its kernel
        if path and path.endswith(".ipynb") and await self._has_our_template(path):
            self._is_ours = True
            self.voila_configuration = self._all_ours.configuration
            self.page_config_hook = _without_mathjax
            told = self.settings.get("headers", {})
            for name, value in self._all_ours.headers.items():
                if name not in told:
                    self.set_header(name, value)
        await super().get(path)

    async def _has_our_template(self, path: str) -> bool:
        model = await ensure_async(self.contents_manager.get(path, type="notebook"))
        voila = model["content"]["metadata"].get("voila", {})
        return isinstance(voila, dict) and voila.get("template") == TEMPLATE


def _without_mathjax(page_config: dict[str, Any], **_: Any) -> dict[str, Any]:
    """JupyterLab's server names one on another host; replies bring their formulas drawn."""
    return {**page_config, "fullMathjaxUrl": None, "mathjaxConfig": None}
