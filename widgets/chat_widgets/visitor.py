"""Visitor: for whom this kernel works, as the app's server tells it and nobody else."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode
from urllib.request import OpenerDirector, ProxyHandler, build_opener

__all__ = ["Visitor"]

PATIENCE = 5.0
"""Seconds to tell the server something; it runs on this machine."""


@dataclass(frozen=True)
class Visitor:
    """Who looks at the page of this kernel.

    Args:
        owner: whose conversations these are; empty where nobody is told apart, as in JupyterLab.
        address: where the page is looked at.
        conversation: the one that the page's URL names.
        door: the URL at which this kernel reaches its server; empty where there is none.
    """

    owner: str = ""
    address: str = ""
    conversation: str = ""
    door: str = ""

    @classmethod
    def expected(cls) -> Visitor:
        """The visitor, once there is one: a preheated kernel waits here."""
        base = os.environ.get("CHAT_MAGICS_DOOR", "")
        kernel = os.environ.get("VOILA_KERNEL_ID", "")
        if not base or not kernel:
            return cls(conversation=_named(os.environ.get("QUERY_STRING", "")))
        door = base + kernel
        try:
            with _opener().open(door) as answer:
                told = json.load(answer)
        except (OSError, KeyboardInterrupt):
            os._exit(0)  # the server ends before anybody came, and takes its kernels along
        return cls(told["owner"], told["address"], _named(told["query"]), door)

    def tell(self, **what: str) -> None:
        """Tells the server what the page does now.

        Args:
            what: `conversation`, the one that it shows; `answering`, 1 where a reply is under way.

        Raises:
            OSError: the server cannot be reached.
        """
        if self.door:
            told = urlencode(what).encode()
            _opener().open(self.door, told, timeout=PATIENCE).close()


def _opener() -> OpenerDirector:
    return build_opener(ProxyHandler({}))  # the server is here: no proxy stands between


def _named(query: str) -> str:
    return parse_qs(query).get("conversation", [""])[0]
