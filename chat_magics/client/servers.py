"""Servers: the transports to the model servers in use, the demo model among them."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from ..config import ChatConfig, Sourced, key_to_send
from ..errors import AuthenticationFailed
from ..loading import without_collecting
from ..loop import LoopThread

if TYPE_CHECKING:
    from ..demo import DemoServer
    from .transport import Transport

__all__ = ["Servers"]


class Servers:
    """One transport for each way of reaching a server; kept, so that connections are reused.

    Args:
        loop: the private loop that the transports belong to.
    """

    def __init__(self, loop: LoopThread) -> None:
        self._loop = loop
        self._transports: dict[tuple[object, ...], Transport] = {}
        self._demo: DemoServer | None = None

    def transport(self, config: ChatConfig, sources: Sourced) -> Transport:
        """The way to the configured server.

        Raises:
            AuthenticationFailed: there is no key for OpenAI. Elsewhere none may be needed.
        """
        key, _ = key_to_send(config, sources)
        if key is None and config.at_openai:
            raise AuthenticationFailed(
                "no key: set it by %chat_config api_key or OPENAI_API_KEY; "
                "to try without one: %chat_config base_url demo"
            )
        identity: tuple[object, ...] = (
            os.getpid(),  # a forked child shares no connection with its parent
            key,
            config.base_url,
            config.transport,
            config.stall_timeout,
            config.connect_timeout,
            config.organization,
            config.project,
        )
        if identity not in self._transports:
            self._transports[identity] = self._connect(config, key)
        return self._transports[identity]

    def _connect(self, config: ChatConfig, key: str | None) -> Transport:
        with without_collecting():
            from .transport import Transport  # imports openai: at the first request

        transport = Transport(config, key, self._url(config))
        self._loop.on_close(transport.close)
        return transport

    def _url(self, config: ChatConfig) -> str:
        if config.base_url != "demo":
            return config.base_url
        if self._demo is None:
            from ..demo import DemoServer  # tornado, 100 ms, for those who use it

            self._demo = DemoServer()
            self._demo.start()
            self._loop.on_close(partial(_stop, self._demo))
        return self._demo.url

    def close(self) -> None:
        """Forgets the transports and the demo model, which end with the loop."""
        self._transports.clear()
        self._demo = None


async def _stop(demo: DemoServer) -> None:
    demo.stop()  # on the loop itself, which ends too: at exit no other thread can be had
