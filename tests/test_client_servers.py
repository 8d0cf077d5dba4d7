"""Servers: who asks at once gets the same way to a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chat_magics.client.servers import Servers
from chat_magics.client.transport import Transport
from chat_magics.config import resolve_sourced
from chat_magics.loop import LoopThread


@pytest.fixture
def servers() -> Iterator[Servers]:
    loop = LoopThread()
    loop.run(asyncio.sleep(0))
    servers = Servers(loop)
    yield servers
    loop.close()
    servers.close()


def test_threads_that_ask_at_once_get_one_transport_and_one_demo_model(servers: Servers) -> None:
    demo = resolve_sourced({"base_url": "demo"})
    others = _demo_threads()
    together = threading.Barrier(8)

    def ask(number: int) -> Transport:
        together.wait(10)
        return servers.transport(*demo)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(set(found)) == 1
    assert _demo_threads() == others + 1


def _demo_threads() -> int:
    return [thread.name for thread in threading.enumerate()].count("chat-magics-demo")


def test_the_ways_differ_by_what_is_sent(servers: Servers) -> None:
    given = {"base_url": "http://localhost:1/v1", "api_key": "sk-one"}
    first = servers.transport(*resolve_sourced(given))
    assert servers.transport(*resolve_sourced({**given, "temperature": 1})) is first
    for name in ("api_key", "organization", "project"):
        assert servers.transport(*resolve_sourced({**given, name: "other"})) is not first
