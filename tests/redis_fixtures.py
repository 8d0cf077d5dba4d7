"""Fixtures of tests of what Redis serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from chat_magics import redis_link
from tests.redis_server import RedisServer

__all__ = ["is_back", "redis", "unhurried"]


def is_back(redis: RedisServer) -> Callable[[], bool]:
    """For `redis.until`: this process can use it again."""
    return lambda: redis_link.link_to(redis.url).trouble is None


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis of this test's own."""
    with RedisServer() as started:
        yield started


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is about faults, a machine that is busy for 0.2 s makes none."""
    for name in ("_SOCKET_SECONDS", "_CALL_SECONDS", "_REQUEST_SECONDS"):
        monkeypatch.setattr(redis_link, name, 20.0)
