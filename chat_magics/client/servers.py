"""Servers: the transports to the model servers in use, the demo model among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..config import ChatConfig, Sourced, key_to_send, may_go
from ..errors import AuthenticationFailed
from ..interpreter import while_importing
from ..loop import LoopThread
from ..private_files import PerProcess

if TYPE_CHECKING:
    from ..demo import DemoServer
    from .transport import Transport

__all__ = ["Servers"]


class _Way(NamedTuple):
    """What makes one transport different from another; who asks as the server may know it."""

    url: str
    key: str | None
    organization: str | None
    project: str | None
    custom: bool
    kind: str
    stall_timeout: float
    connect_timeout: float


@dataclass
class _Connected:
    """What one process has made; a forked child shares no connection with its parent."""

    transports: dict[_Way, Transport] = field(default_factory=dict)
    demo: DemoServer | None = None
    last: tuple[ChatConfig, Sourced, Transport] | None = None


class Servers:
    """One transport for each way of reaching a server; kept, so that connections are reused.

    Any thread may ask: the warm-up and the loop may do so at once.

    Args:
        loop: the private loop that the transports belong to.
    """

    def __init__(self, loop: LoopThread) -> None:
        self._loop = loop
        self._connected = PerProcess(_Connected)

    def transport(self, config: ChatConfig, sources: Sourced) -> Transport:
        """The way to the configured server.

        Raises:
            AuthenticationFailed: there is no key for OpenAI. Elsewhere none may be needed.
        """
        made = self._connected.made()
        last = made.last if made is not None else None
        if last is not None and last[0] is config and last[1] is sources:
            return last[2]  # of rows thousands a second have the same settings
        way = _way(config, sources)
        if way.key is None and config.at_openai:
            raise AuthenticationFailed(
                "no key: set OPENAI_API_KEY; to try without one, set base_url to demo",
                command="%chat_config api_key; %chat_config base_url demo",
            )
        with self._connected.use() as connected:
            if way not in connected.transports:
                connected.transports[way] = self._connect(config, way, connected)
            connected.last = (config, sources, connected.transports[way])
            return connected.transports[way]

    def _connect(self, config: ChatConfig, way: _Way, connected: _Connected) -> Transport:
        with while_importing():
            from .transport import Transport  # imports openai: at the first request

            url = self._demo_url(connected) if way.url == "demo" else way.url
            transport = Transport(
                config,
                way.key,
                url,
                organization=way.organization,
                project=way.project,
                custom=way.custom,
            )
        self._loop.on_close(transport.close)
        return transport

    def _demo_url(self, connected: _Connected) -> str:
        if connected.demo is None:
            from ..demo import DemoServer  # tornado, 100 ms, for those who use it

            demo = DemoServer()
            demo.start()
            connected.demo = demo
            self._loop.on_close(partial(_stop, demo))
        return connected.demo.url

    def close(self) -> None:
        """Forgets the transports and the demo model, which end with the loop."""
        self._connected.close()


def _way(config: ChatConfig, sources: Sourced) -> _Way:
    """With what may go to the server; organisation and project mean nothing without a key."""
    key, _ = key_to_send(config, sources)
    organization = config.organization if key and may_go(config, sources, "organization") else None
    project = config.project if key and may_go(config, sources, "project") else None
    custom = config.at_openai or sources.get("base_url") == "environment"
    return _Way(
        config.base_url,
        key,
        organization,
        project,
        custom and config.base_url != "demo",
        config.transport,
        config.stall_timeout,
        config.connect_timeout,
    )


async def _stop(demo: DemoServer) -> None:
    demo.stop()  # on the loop itself, which ends too: at exit no other thread can be had
