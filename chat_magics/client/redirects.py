"""Redirects: a prompt goes to the server that was configured, and to no other that it names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import BadResponse

__all__ = ["hooks"]

_BECOMES_GET = (301, 302, 303)
"""After these a POST goes on as a GET without its body, and no reply can come of that."""


def hooks(own: Any) -> dict[str, list[Callable[[Any], Awaitable[None]]]]:
    """What httpx calls around each request of a client, those that follow a redirect as well.

    A redirect is followed on the same server, such as to a path that ends in a slash, and from
    http to https. Elsewhere nothing is sent: the hooks raise BadResponse.

    Args:
        own: the base URL, an httpx.URL.
    """

    async def before(request: Any) -> None:
        if not _same_server(own, request.url):
            raise BadResponse(
                f"{_place(own)} redirects to {_place(request.url)}, which was sent nothing: "
                "set base_url to it if you trust it"
            )

    async def after(response: Any) -> None:
        sent, location = response.request, response.headers.get("location", "")
        if response.status_code not in _BECOMES_GET or sent.method != "POST" or not location:
            return
        target = sent.url.join(location)
        if _same_server(own, target):  # else it is refused before it is followed
            raise BadResponse(
                f"{_place(own)} redirects to {target}, which loses the prompt: "
                "set base_url to where the server is"
            )

    return {"request": [before], "response": [after]}


def _same_server(own: Any, url: Any) -> bool:
    if url.host != own.host:
        return False
    ways = (own.scheme, own.port), (url.scheme, url.port)
    return ways[0] == ways[1] or ways == (("http", None), ("https", None))


def _place(url: Any) -> str:
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.host}{port}"
