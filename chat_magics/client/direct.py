"""Direct: one request and its whole answer, over aiohttp itself.

The way through the openai package costs 3 ms of CPU for each request, this one 0.5: of a thousand
rows that is the difference between waiting for the server and waiting for ourselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import openai

from ..config import ChatConfig
from ..errors import BadResponse
from ..messages import ChatRequest
from ..stream import ChatDecoder, Decoder, ResponsesDecoder
from .parameters import wire_messages

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Answered", "Direct", "direct_way", "is_proxied", "of_one_piece", "refusal"]

LARGEST_MIB = 32


class Answered(NamedTuple):
    """A whole answer: its status, its headers with names in lower case, its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Direct:
    """Connections to one server, for requests whose answer comes in one piece.

    Args:
        url: base URL of the server.
        headers: sent with each request.
        connect_timeout: seconds.
        make_tls: makes the `ssl.SSLContext`, where the URL asks for one.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        connect_timeout: float,
        make_tls: Callable[[], Any],
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._connect_timeout = connect_timeout
        self._make_tls = make_tls
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: bytes) -> Answered:
        """The answer to a POST; redirects are answers too. Its caller sets the deadline.

        Raises:
            BadResponse: the answer is longer than any reply.
            aiohttp.ClientError: there is no connection, or it broke.
        """
        session = self._session or self._open()
        async with session.post(self._url + path, data=body, allow_redirects=False) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if (response.content_length or 0) > LARGEST_MIB * 2**20:
                response.close()
                raise BadResponse(f"the server sent over {LARGEST_MIB} MiB as one reply")
            return Answered(response.status, headers, await response.read())

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        tls = self._make_tls() if self._url.startswith("https:") else False
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            # How many go out at a time is for the caller to say.
            connector=aiohttp.TCPConnector(limit=0, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            trust_env=False,  # it would also send what ~/.netrc holds, in the place of the key
        )
        return self._session

    async def close(self) -> None:
        """Closes the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def is_proxied(url: str) -> bool:
    """True where this system's settings put a proxy before this URL.

    Example:
        >>> is_proxied("http://[::1]:8000/v1") and not getproxies()
        False
    """
    proxies, parts = getproxies(), urlsplit(url)
    if not ({parts.scheme, "all"} & proxies.keys()):
        return False
    return not proxy_bypass(parts.hostname or "")


def direct_way(
    config: ChatConfig, url: str, client: openai.AsyncOpenAI, http: Any
) -> Direct | None:
    """The short way to a server, where it can be had; else None.

    Args:
        config: timeouts and kind of transport.
        url: base URL of the server.
        client: whose headers are sent.
        http: the package of httpx that openai uses, whose trust in certificates is taken over.
    """
    proxied = not config.on_loopback and is_proxied(url)
    if config.transport == "httpx" or not find_spec("aiohttp") or proxied:
        return None
    # What is omitted is no text.
    sent = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
    return Direct(url, sent, config.connect_timeout, http.create_ssl_context)


def of_one_piece(request: ChatRequest, body: Mapping[str, Any]) -> tuple[Decoder, str, bytes]:
    """What reads the answer to a request, the path it goes to, and its body.

    Args:
        request: whose model and messages are sent.
        body: the other parameters, as for a stream.
    """
    own = {name: value for name, value in body.items() if name != "stream_options"}
    if request.api == "responses":
        sent = {"model": request.model, "input": wire_messages(request), **own}
        return ResponsesDecoder(streamed=False), "/responses", json.dumps(sent).encode()
    sent = {"model": request.model, "messages": wire_messages(request), **own}
    return ChatDecoder(streamed=False), "/chat/completions", json.dumps(sent).encode()


def refusal(answered: Answered, http: Any) -> openai.APIStatusError:
    """What the openai package raises for an answer of such a status.

    Args:
        answered: its status is 400 or more.
        http: the package of httpx that openai uses.
    """
    try:
        told = json.loads(answered.body)
    except ValueError:
        told = answered.body.decode("utf-8", "replace")
    response = http.Response(
        answered.status,
        headers=list(answered.headers.items()),
        request=http.Request("POST", "http://server"),
    )
    body = told.get("error", told) if isinstance(told, dict) else told
    return openai.APIStatusError("refused", response=response, body=body)
