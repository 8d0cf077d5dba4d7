"""A visitor of the app without a browser: loads the page, opens its sockets, asks in the panel.

It says what the page's widget manager and view say, so the server and the kernel do what they do
for a person; only drawing is left out.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any

import aiohttp
from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)

__all__ = ["Visitor", "visiting"]

_CONFIG = re.compile(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', re.DOTALL)
_CONTROL = "jupyter.widget.control"
_PROTOCOL = "v1.kernel.websocket.jupyter.org"
PATIENCE = 240
"""Seconds for a page, or for a reply: dozens of kernels share two CPUs."""


class Visitor:
    """One open page.

    Args:
        socket: the channels of the page's kernel.
        kernel: the kernel's id.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, kernel: str) -> None:
        self.kernel = kernel
        self._socket = socket
        self._session = uuid.uuid4().hex
        self._transcript = ""
        self._arrived: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def look(self) -> None:
        """Reads the widgets, as the page does; the view of the transcript says `ready`."""
        control = uuid.uuid4().hex
        data = {"target_name": _CONTROL, "data": {}}
        await self._send("comm_open", {"comm_id": control, **data}, {"version": "1.0.0"})
        await self._send_comm(control, {"method": "request_states"})
        states = await self._until(control, lambda data: data.get("method") == "update_states")
        for id, model in states["states"].items():
            if "uid" in model["state"]:
                self._transcript = id
        if self._transcript:
            await self._say({"type": "ready"})
            await self._heard("snapshot")

    async def ask(self, prompt: str) -> dict[str, Any]:
        """Asks; gives the message that says how the reply ended."""
        await self._say({"type": "ask", "text": prompt, "attachments": []})
        return await self.end()

    async def begin(self, prompt: str) -> None:
        """Asks; returns with the first text of the reply.

        Raises:
            RuntimeError: the prompt was refused.
        """
        await self._say({"type": "ask", "text": prompt, "attachments": []})
        heard = await self._heard("delta", "refused")
        if heard["type"] == "refused":
            raise RuntimeError(heard["message"])

    async def end(self) -> dict[str, Any]:
        """The message that says how the reply ended."""
        return await self._heard("settled", "refused")

    async def _say(self, content: dict[str, Any]) -> None:
        await self._send_comm(self._transcript, {"method": "custom", "content": content})

    async def _heard(self, *types: str) -> dict[str, Any]:
        def is_it(data: dict[str, Any]) -> bool:
            return data.get("method") == "custom" and data["content"]["type"] in types

        content: dict[str, Any] = (await self._until(self._transcript, is_it))["content"]
        return content

    async def _send_comm(self, comm: str, data: dict[str, Any]) -> None:
        await self._send("comm_msg", {"comm_id": comm, "data": data})

    async def _send(self, kind: str, content: Any, metadata: Any = None) -> None:
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "session": self._session,
            "username": "",
            "version": "5.3",
            "date": datetime.now(timezone.utc).isoformat(),
        }
        parts = (header, {}, metadata or {}, content)
        packed = [json.dumps(part).encode() for part in parts]
        await self._socket.send_bytes(serialize_msg_to_ws_v1(packed, "shell"))

    async def _until(self, comm: str, is_it: Callable[[Any], bool]) -> dict[str, Any]:
        return await asyncio.wait_for(self._found(comm, is_it), PATIENCE)

    async def _found(self, comm: str, is_it: Callable[[Any], bool]) -> dict[str, Any]:
        while (content := await self._arrived.get()) is not None:
            if content.get("comm_id") == comm and is_it(content["data"]):
                found: dict[str, Any] = content["data"]
                return found
        raise ConnectionError("the socket was closed")

    async def listen(self) -> None:
        """Takes in what arrives, all the time: the server asks whether anybody is there."""
        async for message in self._socket:
            _channel, parts = deserialize_msg_from_ws_v1(message.data)
            self._arrived.put_nowait(json.loads(parts[3]))
        self._arrived.put_nowait(None)


@asynccontextmanager
async def visiting(url: str) -> AsyncIterator[Visitor]:
    """A visit: the page is loaded, its widgets are read.

    Args:
        url: of the app, or of a bare Voilà.
    """
    jar = aiohttp.CookieJar(unsafe=True)  # which takes cookies of an address without a name
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=limit, trust_env=False) as browser:
        async with browser.get(url) as answer:
            answer.raise_for_status()
            config = json.loads(_CONFIG.search(await answer.text())[1])
        channels = f"{url}api/kernels/{config['kernelId']}/channels?session_id={uuid.uuid4().hex}"
        async with browser.ws_connect(channels, max_msg_size=0, protocols=(_PROTOCOL,)) as socket:
            visitor = Visitor(socket, config["kernelId"])
            listening = asyncio.create_task(visitor.listen())
            await visitor.look()
            yield visitor
            listening.cancel()
